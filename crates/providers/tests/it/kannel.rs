//! Kannel: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, OptOuts, Reports, Subscriptions};
use proptest::prelude::*;
use tidings_providers::{Body, MediaType};

#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("dlr_buffered_4.txt", Reports, &["4 means sent id=019a0719-ac96-7eb9-a837-cac215164834 ref=019a0719-ac96-7eb9-a837-cac215164834"]),
    ("dlr_delivered_1.txt", Reports, &["1 means delivered id=019a0719-ac96-7eb9-a837-cac215164834 ref=019a0719-ac96-7eb9-a837-cac215164834"]),
    ("dlr_failed_2.txt", Reports, &["2 means failed id=019a0719-ac96-7eb9-a837-cac215164834 ref=019a0719-ac96-7eb9-a837-cac215164834"]),
    ("dlr_smsc_ack_8.txt", Reports, &["8 means sent id=019a0719-ac96-7eb9-a837-cac215164834 ref=019a0719-ac96-7eb9-a837-cac215164834"]),
    ("dlr_unknown_32.txt", Reports, &["32 means nothing id=019a0719-ac96-7eb9-a837-cac215164834 ref=019a0719-ac96-7eb9-a837-cac215164834"]),
    ("inbound.txt", Inbound, &["inbound id=asdf-asdf from=+260970000001 to=24453 at=2026-05-01T10:15:30.000Z: Join"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("kannel", TABLE);
}

#[test]
fn a_report_may_have_a_recipient_and_a_time() {
    assert_eq!(
        said(
            Reports,
            "id=a&status=16&to=%2B260970000001&ts=1777630530&smsc=mno"
        ),
        ["16 means rejected id=a ref=a to=+260970000001 at=2026-05-01T10:15:30.000Z"]
    );
    assert_eq!(
        said(Reports, "id=a&status=1&to=+260970000001"),
        ["1 means delivered id=a ref=a to=+260970000001"]
    );
}

#[test]
fn of_two_names_the_uuid_is_the_reference() {
    assert_eq!(
        said(Reports, "uuid=b&id=a&status=1"),
        ["1 means delivered id=a ref=b"]
    );
    assert_eq!(
        said(Reports, "uuid=b&id=&status=1"),
        ["1 means delivered id=b ref=b"]
    );
}

#[test]
fn an_id_of_digits_has_no_leading_zeros() {
    for (id, bare) in [
        ("007", "7"),
        ("000", "0"),
        ("0x07", "0x07"),
        ("00a7", "00a7"),
        ("007-1", "007-1"),
    ] {
        assert_eq!(
            said(Reports, &format!("id={id}&status=1")),
            [format!("1 means delivered id={bare} ref={bare}")]
        );
        assert_eq!(
            said(Inbound, &format!("id={id}&from=1&to=2&text=x")),
            [format!("inbound id={bare} from=1 to=2 at=none: x")]
        );
    }
}

#[test]
fn a_status_is_compared_exactly() {
    for status in [
        "01", "1.0", "+1", "-1", "0", "3", "12", "34", "66", "DELIVRD",
    ] {
        let status_sent = status.replace('+', "%2B");
        assert_eq!(
            said(Reports, &format!("id=a&status={status_sent}")),
            [format!("{status} means nothing id=a ref=a")]
        );
    }
}

#[test]
fn a_time_that_is_none_is_left_out() {
    let year_9999 = "inbound id=none from=1 to=2 at=9999-12-30T22:00:00.000Z: x";
    for (ts, expected) in [
        ("253402207200", year_9999),
        ("0253402207200", year_9999),
        ("253402207201", NO_TIME),
        ("1777630530000", NO_TIME),
        ("99999999999999999999999", NO_TIME),
        ("-1", NO_TIME),
        ("%2B1", NO_TIME),
        ("1.5", NO_TIME),
        ("2026-05-01T10:15:30Z", NO_TIME),
        ("", NO_TIME),
    ] {
        assert_eq!(
            said(Inbound, &format!("from=1&to=2&text=x&ts={ts}")),
            [expected],
            "{ts}"
        );
    }
}

#[test]
fn an_inbound_message_has_either_name_of_a_field() {
    for body in [
        "sender=+1&message=x&to=2",
        "from=%2B1&text=x&to=2",
        "sender=&from=%2B1&message=&text=x&to=2",
        "sender=%2B1&from=3&message=x&text=y&to=2",
    ] {
        assert_eq!(
            said(Inbound, body),
            ["inbound id=none from=+1 to=2 at=none: x"],
            "{body}"
        );
    }
    for body in ["from=1&to=2&message=", "from=1&to=2&text="] {
        assert_eq!(
            said(Inbound, body),
            ["inbound id=none from=1 to=2 at=none: "],
            "{body}"
        );
    }
}

#[test]
fn what_a_statement_needs_must_be_there() {
    let no_name = "unrecognised: one of the fields \"id\" and \"uuid\" is required";
    for (kind, body, expected) in [
        (Reports, "", no_name),
        (Reports, "status=1&to=260970000001", no_name),
        (Reports, "id=&uuid=&status=1", no_name),
        (
            Reports,
            "id=1",
            "unrecognised: the field \"status\" is missing or empty",
        ),
        (
            Reports,
            "id=1&status=",
            "unrecognised: the field \"status\" is missing or empty",
        ),
        (
            Inbound,
            "to=2&text=x",
            "unrecognised: the field \"sender\" is missing or empty",
        ),
        (
            Inbound,
            "from=1&text=x",
            "unrecognised: the field \"to\" is missing or empty",
        ),
        (
            Inbound,
            "from=1&to=2",
            "unrecognised: the field \"message\" is missing or empty",
        ),
        (
            OptOuts,
            "id=1&status=1",
            "unrecognised: kannel has no callbacks of kind opt-outs",
        ),
        (
            Subscriptions,
            "id=1&status=1",
            "unrecognised: kannel has no callbacks of kind subscriptions",
        ),
    ] {
        assert_eq!(said(kind, body), [expected], "{body}");
    }
}

#[test]
fn what_is_no_form_is_malformed() {
    for (body, expected) in [
        (
            "id=1&id=1&status=1",
            "malformed_form: the key \"id\" is repeated",
        ),
        (
            "id=1&status=1&status=2",
            "malformed_form: the key \"status\" is repeated",
        ),
        (
            "id=%zz&status=1",
            "malformed_form: the value of \"id\" has a % that two hexadecimal digits do not follow",
        ),
        (
            "id=1&status=1&text=%e9",
            "malformed_form: the value of \"text\" is not UTF-8",
        ),
    ] {
        assert_eq!(said(Reports, body), [expected], "{body}");
    }
}

const NO_TIME: &str = "inbound id=none from=1 to=2 at=none: x";

proptest! {
    #[test]
    fn zeros_before_a_number_do_not_change_a_message_id(zeros in "0{0,20}", number in "[1-9][0-9]{0,40}") {
        for name in ["kannel", "jasmin"] {
            let provider = find(name);
            let padded = format!("{zeros}{number}");
            prop_assert_eq!(provider.message_id(&padded), &number);
            prop_assert_eq!(provider.message_id(provider.message_id(&padded)), &number);
        }
        prop_assert_eq!(said(Reports, &format!("id={zeros}{number}&status=1")), said(Reports, &format!("id={number}&status=1")));
    }

    #[test]
    fn an_id_with_anything_but_digits_is_as_it_is(before in "[0-9]{0,9}", odd in "[a-fA-FxX_:. +-]", after in "[0-9]{0,9}") {
        let id = format!("{before}{odd}{after}");
        for name in ["kannel", "jasmin", "vonage", "africastalking", "stub"] {
            prop_assert_eq!(find(name).message_id(&id), &id);
        }
    }

    #[test]
    fn ids_of_other_providers_keep_their_zeros(id in "0{1,9}[0-9]{0,9}") {
        for name in ["africastalking", "orange", "vonage", "stub"] {
            prop_assert_eq!(find(name).message_id(&id), &id);
        }
    }
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Form,
        bytes: body.as_bytes(),
    };
    outcome(find("kannel").parse(kind, body))
}
