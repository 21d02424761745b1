//! Jasmin: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, escaped, find, outcome};
use domain::callback::Kind::{self, Inbound, OptOuts, Reports, Subscriptions};
use domain::callback::Statement;
use domain::id::CallbackId;
use proptest::prelude::*;
use tidings_providers::{Body, MediaType};

#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("dlr_delivrd.txt", Reports, &["DELIVRD means delivered id=external1"]),
    ("dlr_err.txt", Reports, &["err=1 means failed id=external1 reason=1 class=unknown"]),
    ("dlr_undeliv.txt", Reports, &["UNDELIV means failed id=external1 reason=027 class=unknown"]),
    // What Jasmin must be told, not what it says.
    ("expected_response_body.txt", Reports, &["unrecognised: the field \"id\" is missing or empty"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("jasmin", TABLE);
}

#[test]
fn jasmin_is_told_exactly_what_it_requires() {
    let expected = include_str!("../../fixtures/jasmin/expected_response_body.txt");
    let id: CallbackId = "cb_0000000000000000000000000a".parse().unwrap();
    for kind in [Reports, Inbound] {
        let answer = find("jasmin").answer(kind);
        assert_eq!(answer.body(id), expected);
        assert_eq!(answer.content_type(), "text/plain");
    }
}

#[test]
fn a_whole_report_is_taken() {
    let body = "id=9f8bb80b-7b25-4b4b-b35b-4c0d0f7f6c2d&id_smsc=0012&level=2&connector=mno\
        &message_status=DELIVRD&sub=001&dlvrd=001&subdate=2605011015&donedate=2605011016&err=000\
        &text=Hello+foo+bar";
    assert_eq!(
        said(Reports, body),
        ["DELIVRD means delivered id=9f8bb80b-7b25-4b4b-b35b-4c0d0f7f6c2d"]
    );
}

#[test]
fn the_word_decides_whatever_the_counters_say() {
    for (rest, expected) in [
        (
            "message_status=DELIVRD&dlvrd=000",
            "DELIVRD means delivered id=a",
        ),
        (
            "message_status=ACCEPTD&dlvrd=001",
            "ACCEPTD means sent id=a",
        ),
        (
            "message_status=UNKNOWN&dlvrd=001",
            "UNKNOWN means unknown id=a",
        ),
        (
            "message_status=EXPIRED&dlvrd=001&err=000",
            "EXPIRED means expired id=a",
        ),
        (
            "message_status=UNDELIV&dlvrd=001&err=0",
            "UNDELIV means failed id=a",
        ),
        (
            "message_status=REJECTD&err=11",
            "REJECTD means rejected id=a reason=11 class=unknown",
        ),
        (
            "message_status=DELIVRD&err=1",
            "DELIVRD means delivered id=a reason=1 class=unknown",
        ),
        (
            "message_status=ESME_ROK&level=1",
            "ESME_ROK means nothing id=a",
        ),
        (
            "message_status=TELEPORTED&dlvrd=001",
            "TELEPORTED means nothing id=a",
        ),
    ] {
        assert_eq!(said(Reports, &format!("id=a&{rest}")), [expected], "{rest}");
    }
}

#[test]
fn without_a_word_the_counters_decide() {
    let many = "9".repeat(40);
    for (rest, expected) in [
        ("dlvrd=1", "dlvrd=1 means delivered id=a"),
        (
            "dlvrd=001&message_status=",
            "dlvrd=001 means delivered id=a",
        ),
        ("dlvrd=2&err=000", "dlvrd=2 means delivered id=a"),
        (
            "dlvrd=1&err=8",
            "dlvrd=1 means delivered id=a reason=8 class=unknown",
        ),
        (
            "dlvrd=000&err=027",
            "err=027 means failed id=a reason=027 class=unknown",
        ),
        (
            "dlvrd=-1&err=1",
            "err=1 means failed id=a reason=1 class=unknown",
        ),
        (
            "err=0A1",
            "err=0A1 means failed id=a reason=0A1 class=unknown",
        ),
        ("dlvrd=0&err=0", "dlvrd=0 means nothing id=a"),
        ("dlvrd=1.5", "dlvrd=1.5 means nothing id=a"),
        ("dlvrd=%2B1", "dlvrd=+1 means nothing id=a"),
        ("err=000", "err=000 means nothing id=a"),
        (
            &format!("dlvrd={many}"),
            &format!("dlvrd={many} means delivered id=a"),
        ),
        (
            &format!("err={many}"),
            &format!("err={many} means failed id=a reason={many} class=unknown"),
        ),
    ] {
        assert_eq!(said(Reports, &format!("id=a&{rest}")), [expected], "{rest}");
    }
}

#[test]
fn an_id_of_digits_has_no_leading_zeros() {
    assert_eq!(
        said(Reports, "id=0042&message_status=DELIVRD"),
        ["DELIVRD means delivered id=42"]
    );
    assert_eq!(
        said(Reports, "id=00a2&message_status=DELIVRD"),
        ["DELIVRD means delivered id=00a2"]
    );
    assert_eq!(
        said(Inbound, "id=0042&from=1&to=2&content=x"),
        ["inbound id=42 from=1 to=2 at=none: x"]
    );
}

#[test]
fn the_text_of_a_report_may_be_any_bytes() {
    assert_eq!(
        said(Reports, "id=a&message_status=DELIVRD&text=%e9%06%ff"),
        ["DELIVRD means delivered id=a"]
    );
}

#[test]
fn the_bytes_of_an_inbound_message_are_read_by_its_coding() {
    for (rest, text) in [
        ("coding=0&content=%05v%05nement", "événement"),
        ("content=%05v%05nement", "événement"),
        ("coding=&content=%00%02", "@$"),
        ("coding=00&content=1+%1Be", "1 €"),
        ("coding=240&content=%00", "@"),
        ("coding=1&content=a%40%e9", "a@\u{fffd}"),
        ("coding=3&content=%e9v%e9nement+%3f", "événement ?"),
        ("coding=8&content=%06%27%06J%06B%06%27%06A", "ايقاف"),
        ("coding=8&content=%06%2A%063%06%2A", "تست"),
        ("coding=8&content=%d8%3d%de%0a%00", "😊\u{fffd}"),
        ("coding=8&content=%00%00%00a", "\u{fffd}a"),
        ("coding=4&content=%c3%a9%ff", "é\u{fffd}"),
        ("coding=999999999999999999999&content=%c3%a9", "é"),
        ("coding=%00&content=%c3%a9", "é"),
        ("coding=0&content=%80%c3", "\u{fffd}\u{fffd}"),
        ("content=", ""),
        ("content=x&binary=zz", "x"),
        ("coding=8&content=&binary=06270061", "اa"),
        ("coding=8&binary=0627006A", "اj"),
    ] {
        assert_eq!(
            said(Inbound, &format!("id=a&from=%2B1&to=2&{rest}")),
            [format!("inbound id=a from=+1 to=2 at=none: {text}")],
            "{rest}"
        );
    }
}

#[test]
fn what_a_statement_needs_must_be_there() {
    let no_word =
        "unrecognised: one of the fields \"message_status\", \"dlvrd\" and \"err\" is required";
    for (kind, body, expected) in [
        (
            Reports,
            "",
            "unrecognised: the field \"id\" is missing or empty",
        ),
        (
            Reports,
            "id=&message_status=DELIVRD",
            "unrecognised: the field \"id\" is missing or empty",
        ),
        (Reports, "id=a", no_word),
        (Reports, "id=a&message_status=&dlvrd=&err=", no_word),
        (
            Inbound,
            "id=a&from=1&to=2",
            "unrecognised: the field \"content\" is missing or empty",
        ),
        (
            Inbound,
            "id=a&from=1&to=2&binary=",
            "unrecognised: the field \"content\" is missing or empty",
        ),
        (
            Inbound,
            "id=a&from=1&to=2&binary=zz",
            "unrecognised: the field \"binary\" is not hexadecimal",
        ),
        (
            Inbound,
            "id=a&from=1&to=2&binary=062",
            "unrecognised: the field \"binary\" is not hexadecimal",
        ),
        (
            Inbound,
            "id=a&to=2&content=x",
            "unrecognised: the field \"from\" is missing or empty",
        ),
        (
            Inbound,
            "id=a&from=1&content=x",
            "unrecognised: the field \"to\" is missing or empty",
        ),
        (
            OptOuts,
            "id=a",
            "unrecognised: jasmin has no callbacks of kind opt-outs",
        ),
        (
            Subscriptions,
            "id=a",
            "unrecognised: jasmin has no callbacks of kind subscriptions",
        ),
    ] {
        assert_eq!(said(kind, body), [expected], "{body}");
    }
}

#[test]
fn what_is_no_form_is_malformed() {
    for (body, expected) in [
        (
            "id=a&id=b&err=1",
            "malformed_form: the key \"id\" is repeated",
        ),
        (
            "id=a&content=%ff&content=%ff",
            "malformed_form: the key \"content\" is repeated",
        ),
        (
            "id=a&content=%f",
            "malformed_form: the value of \"content\" has a % that two hexadecimal digits do not follow",
        ),
        (
            "id=a&from=%ff&to=1&content=x",
            "malformed_form: the value of \"from\" is not UTF-8",
        ),
        (
            "id=%ff&content=x",
            "malformed_form: the value of \"id\" is not UTF-8",
        ),
    ] {
        for kind in [Reports, Inbound] {
            assert_eq!(said(kind, body), [expected], "{body}");
        }
    }
}

proptest! {
    #[test]
    fn any_content_in_any_coding_has_a_text_that_is_not_much_longer(
        content in proptest::collection::vec(any::<u8>(), 0..600),
        coding in prop_oneof![Just(String::new()), (0u32..256).prop_map(|coding| coding.to_string()), "[ -~]{0,8}"],
    ) {
        let hexadecimal = escaped(&content).replace('%', "").to_uppercase();
        let coding = escaped(coding.as_bytes());
        let text = |content: String| {
            let body = format!("id=a&from=1&to=2&coding={coding}&{content}");
            let body = Body { media_type: MediaType::Form, bytes: body.as_bytes() };
            match find("jasmin").parse(Inbound, body).unwrap().pop() {
                Some(Statement::Inbound(inbound)) => inbound.text,
                other => panic!("{other:?}"),
            }
        };
        let read = text(format!("content={}", escaped(&content)));
        prop_assert!(read.len() <= 3 * content.len());
        prop_assert!(!read.contains('\0'));
        if !content.is_empty() {
            prop_assert_eq!(text(format!("binary={hexadecimal}")), read);
        }
    }

    #[test]
    fn utf_16_comes_back_as_it_was(text in "[^\0]{0,80}") {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let content = escaped(&units);
        prop_assert_eq!(
            said(Inbound, &format!("id=a&from=1&to=2&coding=8&content={content}")),
            [format!("inbound id=a from=1 to=2 at=none: {text}")]
        );
    }
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Form,
        bytes: body.as_bytes(),
    };
    outcome(find("jasmin").parse(kind, body))
}
