//! Vonage: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, OptOuts, Reports, Subscriptions};
use proptest::prelude::*;
use tidings_providers::{Body, MediaType};

#[rustfmt::skip]
const TABLE: &[Line] = &[
    // A description of the headers, not a body.
    ("_request_headers.txt", Reports, &["unrecognised: the field \"messageId\" is missing or empty"]),
    ("dlr_accepted.json", Reports, &["accepted means sent id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z network=64501"]),
    ("dlr_buffered.json", Reports, &["buffered means sent id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z network=64501"]),
    ("dlr_delivered.json", Reports, &["delivered means delivered id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z network=64501"]),
    ("dlr_delivered_repeated.json", Reports, &["delivered means delivered id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z network=64501"]),
    ("dlr_expired.json", Reports, &["expired means expired id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z reason=2 class=temporary network=64501"]),
    ("dlr_failed_6.json", Reports, &["failed means failed id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z reason=6 class=content network=64501"]),
    // A look whether the URL is there: the ingress answers it before it gets here.
    ("dlr_get_empty_url_check.txt", Reports, &["unrecognised: the field \"messageId\" is missing or empty"]),
    ("dlr_unknown.json", Reports, &["unknown means unknown id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z reason=1 class=unknown network=64501"]),
    ("dlr_unlisted_status.json", Reports, &["teleported means nothing id=0B00000127FDBC63 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:31.000Z network=64501"]),
    ("inbound_concat_part1of3.json", Inbound, &["inbound id=0A0000000123ABC1 from=260970000001 to=447700900000 at=2026-05-01T10:20:01.000Z: Hello doctor, "]),
    ("inbound_concat_part2of3.json", Inbound, &["inbound id=0A0000000123ABC2 from=260970000001 to=447700900000 at=2026-05-01T10:20:02.000Z: I cannot come "]),
    ("inbound_concat_part3of3.json", Inbound, &["inbound id=0A0000000123ABC3 from=260970000001 to=447700900000 at=2026-05-01T10:20:03.000Z: tomorrow."]),
    ("inbound_unicode.json", Inbound, &["inbound id=0A0000000123ABD1 from=21620000001 to=447700900000 at=2026-05-01T10:20:00.000Z: ايقاف"]),
    // The answer of the Reports API, and signatures of a receipt: no callbacks.
    ("reports_records_200.json", Reports, &["unrecognised: the field \"messageId\" is missing or empty"]),
    ("signature_vectors.json", Reports, &["unrecognised: the field \"messageId\" is missing or empty"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("vonage", TABLE);
}

#[test]
fn json_a_form_and_a_query_say_the_same() {
    let json = r#"{"messageId":"0B1","msisdn":"260970000001","to":"MYCLINIC","status":"failed","err-code":"9",
        "network-code":"64501","client-ref":"a b","message-timestamp":"2026-05-01 10:15:31","scts":"2605011115"}"#;
    let form = "scts=2605011115&message-timestamp=2026-05-01+10%3A15%3A31&client-ref=a+b\
        &network-code=64501&err-code=9&status=failed&to=MYCLINIC&msisdn=260970000001&messageId=0B1";
    let expected = "failed means failed id=0B1 ref=a b to=260970000001 at=2026-05-01T10:15:31.000Z reason=9 class=consent network=64501";
    assert_eq!(said(MediaType::Json, Reports, json), [expected]);
    assert_eq!(said(MediaType::Form, Reports, form), [expected]);

    let json =
        r#"{"messageId":"0A1","msisdn":"260970000001","to":"447700900000","text":"Héllo + you"}"#;
    let form = "text=H%C3%A9llo+%2B+you&to=447700900000&msisdn=260970000001&messageId=0A1";
    let expected = "inbound id=0A1 from=260970000001 to=447700900000 at=none: Héllo + you";
    assert_eq!(said(MediaType::Json, Inbound, json), [expected]);
    assert_eq!(said(MediaType::Form, Inbound, form), [expected]);
}

#[test]
fn numbers_are_taken_by_their_digits() {
    let report = r#"{"messageId":12345678901234567890123,"msisdn":260970000001,"status":"failed",
        "err-code":15,"network-code":64501,"client-ref":7,"message-timestamp":1777630531}"#;
    assert_eq!(
        said(MediaType::Json, Reports, report),
        [
            "failed means failed id=12345678901234567890123 ref=7 to=260970000001 reason=15 class=credit network=64501"
        ]
    );
    let inbound = r#"{"messageId":1,"msisdn":260970000001,"to":447700900000,"text":5}"#;
    assert_eq!(
        said(MediaType::Json, Inbound, inbound),
        ["inbound id=1 from=260970000001 to=447700900000 at=none: 5"]
    );
}

#[test]
fn ids_are_taken_exactly() {
    for id in ["007", "0b00000127fdbc63", "0B00000127FDBC63", "1-2"] {
        let body = format!("messageId={id}&status=delivered");
        assert_eq!(
            said(MediaType::Form, Reports, &body),
            [format!("delivered means delivered id={id}")]
        );
    }
}

#[test]
fn the_time_of_the_carrier_is_no_time() {
    for scts in ["2605011115", "260501111530", "9999999999", ""] {
        let body = format!("messageId=1&status=delivered&scts={scts}");
        assert_eq!(
            said(MediaType::Form, Reports, &body),
            ["delivered means delivered id=1"],
            "{scts}"
        );
    }
}

#[test]
fn an_error_code_has_the_class_of_its_kind() {
    for (code, class) in [
        ("1", "unknown"),
        ("2", "temporary"),
        ("3", "permanent_number"),
        ("4", "permanent_number"),
        ("5", "unknown"),
        ("6", "content"),
        ("7", "temporary"),
        ("8", "temporary"),
        ("9", "consent"),
        ("10", "content"),
        ("11", "unknown"),
        ("12", "unknown"),
        ("13", "unknown"),
        ("14", "unknown"),
        ("15", "credit"),
        ("16", "unknown"),
        ("50", "content"),
        ("51", "content"),
        ("52", "content"),
        ("53", "consent"),
        ("54", "unknown"),
        ("99", "unknown"),
        ("02", "unknown"),
        ("99999999999999999999", "unknown"),
    ] {
        let body = format!("messageId=1&status=failed&err-code={code}");
        let expected = format!("failed means failed id=1 reason={code} class={class}");
        assert_eq!(said(MediaType::Form, Reports, &body), [expected]);
    }
    for code in ["0", "00", ""] {
        let body = format!("messageId=1&status=failed&err-code={code}");
        assert_eq!(
            said(MediaType::Form, Reports, &body),
            ["failed means failed id=1"]
        );
    }
}

#[test]
fn what_a_statement_needs_must_be_there() {
    for (kind, body, expected) in [
        (
            Reports,
            "{}",
            "unrecognised: the field \"messageId\" is missing or empty",
        ),
        (
            Reports,
            r#"{"messageId":null,"status":"delivered"}"#,
            "unrecognised: the field \"messageId\" is missing or empty",
        ),
        (
            Reports,
            r#"{"client-ref":"a","msisdn":"260970000001","status":"delivered"}"#,
            "unrecognised: the field \"messageId\" is missing or empty",
        ),
        (
            Reports,
            r#"{"messageid":"1","status":"delivered"}"#,
            "unrecognised: the field \"messageId\" is missing or empty",
        ),
        (
            Reports,
            r#"{"messageId":"1","status":["delivered"]}"#,
            "unrecognised: the field \"status\" is missing or empty",
        ),
        (
            Reports,
            r#"[{"messageId":"1","status":"delivered"}]"#,
            "unrecognised: the body is JSON, but not an object",
        ),
        (
            Inbound,
            r#"{"messageId":"1","to":"2","text":"x"}"#,
            "unrecognised: the field \"msisdn\" is missing or empty",
        ),
        (
            Inbound,
            r#"{"messageId":"1","msisdn":"1","text":"x"}"#,
            "unrecognised: the field \"to\" is missing or empty",
        ),
        (
            Inbound,
            r#"{"messageId":"1","msisdn":"1","to":"2","type":"binary","data":"48656c6c6f","udh":"06050415811581"}"#,
            "unrecognised: the field \"text\" is missing or empty",
        ),
        (
            OptOuts,
            "{}",
            "unrecognised: vonage has no callbacks of kind opt-outs",
        ),
        (
            Subscriptions,
            "{}",
            "unrecognised: vonage has no callbacks of kind subscriptions",
        ),
    ] {
        assert_eq!(said(MediaType::Json, kind, body), [expected], "{body}");
    }
    assert_eq!(
        said(MediaType::Form, Inbound, "msisdn=1&to=2&text="),
        ["inbound id=none from=1 to=2 at=none: "]
    );
}

#[test]
fn what_repeats_a_name_is_malformed() {
    let form = "messageId=1&status=delivered&st%61tus=failed";
    assert_eq!(
        said(MediaType::Form, Reports, form),
        ["malformed_form: the key \"status\" is repeated"]
    );
    let json = r#"{"messageId":"1","status":"delivered","status":"failed"}"#;
    let outcome = said(MediaType::Json, Reports, json);
    assert!(outcome[0].starts_with("malformed_json: the member \"status\" is repeated"));
}

proptest! {
    #[test]
    fn an_error_code_changes_nothing_but_the_reason(code in "[0-9]{1,30}", status in "[a-z]{1,12}") {
        let with = said(MediaType::Form, Reports, &format!("messageId=1&status={status}&err-code={code}"));
        let without = said(MediaType::Form, Reports, &format!("messageId=1&status={status}"));
        prop_assert!(with[0].starts_with(&without[0]), "{with:?}");
    }
}

fn said(media_type: MediaType, kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type,
        bytes: body.as_bytes(),
    };
    outcome(find("vonage").parse(kind, body))
}
