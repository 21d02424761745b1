//! MTN: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, Reports};
use tidings_providers::{Answer, Body, MediaType};

const NOTHING: &str = "unrecognised: the fields \"message\", \"deliveryStatus\" and \"deliveryInfo\" are all missing or empty";
const NO_ID: &str = "unrecognised: one of the fields \"clientCorrelatorId\", \"requestId\", \"transactionId\" and \"clientCorrelator\" is required";

/// The last nine are answers of MTN's interface, which nobody posts, or the older XML.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("inbound_bad_sender.json", Inbound, &["inbound id=none from=foobar to=2020 at=2026-05-01T10:15:30.855Z: Hello there"]),
    ("inbound_basic.json", Inbound, &["inbound id=none from=260960000001 to=2020 at=2026-05-01T10:15:30.855Z: Hello there"]),
    ("inbound_empty_message.json", Inbound, &[NOTHING]),
    ("inbound_repeated.json", Inbound, &["inbound id=none from=260960000001 to=2020 at=2026-05-01T10:15:30.855Z: Hello there"]),
    ("v2_flat_dlr_deliveredtoterminal.json", Reports, &["DeliveredToTerminal means delivered id=rrt-58503 ref=msg-0001"]),
    ("v2_flat_dlr_delivrd.json", Reports, &["DELIVRD means delivered id=rrt-58503 ref=msg-0001"]),
    ("v2_flat_dlr_messagewaiting.json", Reports, &["MessageWaiting means sent id=rrt-58503 ref=msg-0001"]),
    ("v2_nested_dlr_single.json", Reports, &["DeliveredToTerminal means delivered id=req445454 ref=msg-0001 to=260960000001"]),
    ("v3_dlr_acceptd.json", Reports, &["ACCEPTD means sent id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:00.000Z"]),
    ("v3_dlr_delivered.json", Reports, &["DELIVERED means delivered id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z"]),
    ("v3_dlr_delivered_repeated.json", Reports, &["DELIVERED means delivered id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z"]),
    ("v3_dlr_enroute.json", Reports, &["ENROUTE means sent id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:00.000Z"]),
    ("v3_dlr_expired.json", Reports, &["EXPIRED means expired id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z"]),
    ("v3_dlr_minimal.json", Reports, &["DELIVERED means delivered id=msg-0001 ref=msg-0001"]),
    ("v3_dlr_rejected.json", Reports, &["REJECTED means rejected id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z"]),
    ("v3_dlr_undelivered.json", Reports, &["UNDELIVERED means failed id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z reason=Absent subscriber class=unknown"]),
    ("v3_dlr_unknown.json", Reports, &["UNKNOWN means unknown id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z"]),
    ("v3_dlr_unlisted_status.json", Reports, &["blabla means nothing id=msg-0001 ref=msg-0001 to=260960000001 at=2026-05-01T10:15:30.000Z"]),
    ("_request_headers.txt", Reports, &["unsupported media type"]),
    ("legacy_parlayx_dlr.txt", Reports, &["unsupported media type"]),
    ("token_200.json", Reports, &[NOTHING]),
    ("v1_query_status_200.json", Reports, &["unrecognised: the body is JSON, but not an object"]),
    ("v2_query_deliverystatus_200.json", Reports, &[NOTHING]),
    ("v2_send_200_migrated_country.json", Reports, &[NOTHING]),
    ("v2_send_201.json", Reports, &[NOTHING]),
    ("v3_error_403_servicecode_taken.json", Reports, &[NOTHING]),
    ("v3_send_200.json", Reports, &[NOTHING]),
    ("v3_subscription_200.json", Reports, &[NOTHING]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("mtn", TABLE);
}

#[test]
fn the_payload_decides_between_reports_and_inbound_on_either_url() {
    let swapped: Vec<Line> = TABLE
        .iter()
        .map(|(file, kind, expected)| {
            let other = if *kind == Reports { Inbound } else { Reports };
            (*file, other, *expected)
        })
        .collect();
    check("mtn", &swapped);
}

#[test]
fn only_a_message_with_a_text_is_from_a_phone() {
    for message in ["\"\"", "null", "{}", "[\"Hello\"]", "true"] {
        let body = format!(
            r#"{{"message":{message},"clientCorrelatorId":"1","deliveryStatus":"ENROUTE"}}"#
        );
        assert_eq!(said(&body), ["ENROUTE means sent id=1 ref=1"], "{message}");
    }
    let body = r#"{"MESSAGE":" ","senderAddress":260960000001,"receiverAddress":2020,
        "deliveryStatus":null,"deliveryInfo":null}"#;
    assert_eq!(
        said(body),
        ["inbound id=none from=260960000001 to=2020 at=none:  "]
    );
    let both = r#"{"message":"Hi","senderAddress":"1","receiverAddress":"2",
        "clientCorrelatorId":"1","deliveryStatus":"ENROUTE"}"#;
    assert_eq!(said(both), ["inbound id=none from=1 to=2 at=none: Hi"]);
    let no_sender = r#"{"message":"Hi","receiverAddress":"2","deliveryStatus":"ENROUTE"}"#;
    assert_eq!(
        said(no_sender),
        ["unrecognised: the field \"senderAddress\" is missing or empty"]
    );
}

#[test]
fn names_are_read_in_any_case_at_every_depth() {
    let flat =
        |id: &str| format!(r#"{{"{id}":"t","CLIENTCORRELATOR":"c","DeliveryStatus":"DELIVRD"}}"#);
    for id in ["TransactionID", "transactionId", "TRANSACTIONID"] {
        assert_eq!(
            said(&flat(id)),
            ["DELIVRD means delivered id=t ref=c"],
            "{id}"
        );
    }
    let nested = r#"{"DeliveryInfoNotification":{"DELIVERYINFO":{"RequestID":"r",
        "deliverystatus":[{"ReceiverAddress":"260960000001","STATUS":"DELIVRD"}]}}}"#;
    assert_eq!(
        said(nested),
        ["DELIVRD means delivered id=r to=260960000001"]
    );
}

#[test]
fn a_name_repeated_in_another_case_is_a_repeated_name() {
    for body in [
        r#"{"TransactionID":"1","transactionId":"1","deliveryStatus":"DELIVRD"}"#,
        r#"{"message":"STOP","Message":"","senderAddress":"1","receiverAddress":"2"}"#,
        r#"{"deliveryInfo":{"requestId":"1","deliveryStatus":[],"DeliveryStatus":"x"}}"#,
        r#"{"deliveryInfo":{"requestId":"1","deliveryStatus":[{"status":"x","Status":"y"}]}}"#,
        r#"{"clientCorrelatorId":"1","deliveryStatus":"ENROUTE","deliveryStatus":"ENROUTE"}"#,
    ] {
        assert!(said(body)[0].starts_with("malformed_json: "), "{body}");
    }
    // What is not read is not compared.
    let unread = r#"{"clientCorrelatorId":"1","deliveryStatus":"ENROUTE","x":{"a":1,"A":2}}"#;
    assert_eq!(said(unread), ["ENROUTE means sent id=1 ref=1"]);
}

#[test]
fn without_an_id_of_mtn_the_correlator_stands_for_both() {
    for (ids, expected) in [
        (
            r#""TransactionID":null,"clientCorrelator":"c""#,
            "id=c ref=c",
        ),
        (r#""TransactionID":"","clientCorrelator":"c""#, "id=c ref=c"),
        (r#""TransactionID":"t","clientCorrelator":null"#, "id=t"),
        (
            r#""requestId":"r","transactionId":"t","clientCorrelator":"c""#,
            "id=r ref=c",
        ),
        (
            r#""transactionId":"t","clientCorrelatorId":"c","id":1001"#,
            "id=c ref=c",
        ),
        (
            r#""clientCorrelatorId":null,"clientCorrelator":"c","id":1001"#,
            "id=c ref=c",
        ),
        (r#""clientCorrelatorId":12.50"#, "id=12.50 ref=12.50"),
        (
            r#""clientCorrelatorId":12345678901234567890123"#,
            "id=12345678901234567890123 ref=12345678901234567890123",
        ),
        (r#""clientCorrelatorId":"007""#, "id=007 ref=007"),
        (
            r#""requestId":"10c0d78cd4bf77ee@138a3d02644""#,
            "id=10c0d78cd4bf77ee@138a3d02644",
        ),
    ] {
        assert_eq!(
            said(&format!(r#"{{{ids},"deliveryStatus":"EXPIRED"}}"#)),
            [format!("EXPIRED means expired {expected}")],
            "{ids}"
        );
    }
}

#[test]
fn a_report_without_any_id_is_unrecognised() {
    for ids in [
        r#""id":1001"#,
        r#""clientCorrelatorId":null,"TransactionID":null,"requestId":null,"clientCorrelator":"""#,
        r#""clientCorrelatorId":{},"requestId":["r"],"transactionId":true"#,
        r#""receiverAddress":"260960000001""#,
    ] {
        assert_eq!(
            said(&format!(r#"{{{ids},"deliveryStatus":"EXPIRED"}}"#)),
            [NO_ID],
            "{ids}"
        );
    }
    let traced = r#"{"deliveryInfoNotification":{"transactionId":"trace","deliveryInfo":
        {"deliveryStatus":[{"receiverAddress":"260960000001","status":"DELIVRD"}]}}}"#;
    assert_eq!(
        said(traced),
        [format!(
            "unrecognised: deliveryInfo[0]: {}",
            &NO_ID["unrecognised: ".len()..]
        )]
    );
}

#[test]
fn the_nested_shape_may_be_wrapped_and_may_be_a_batch() {
    let info = r#""deliveryInfo":{"requestId":"r","clientCorrelator":"c","deliveryStatus":[
        {"receiverAddress":"260960000001","status":"DeliveredToTerminal"},
        {"receiverAddress":260960000002,"status":"DeliveryImpossible","z":[]},
        {"status":"Teleported"}]}"#;
    let expected = [
        "DeliveredToTerminal means delivered id=r ref=c to=260960000001",
        "DeliveryImpossible means failed id=r ref=c to=260960000002",
        "Teleported means nothing id=r ref=c",
    ];
    assert_eq!(said(&format!("{{{info}}}")), expected);
    let wrapped = format!(
        r#"{{"deliveryInfoNotification":{{"resourceURL":"x","transactionId":"trace",{info}}}}}"#
    );
    assert_eq!(said(&wrapped), expected);
}

#[test]
fn one_stands_for_an_array_of_one_and_a_word_for_an_entry() {
    for info in [
        r#"{"requestId":"r","deliveryStatus":{"receiverAddress":"2609","status":"DELIVRD"}}"#,
        r#"[{"requestId":"r","deliveryStatus":[{"receiverAddress":"2609","status":"DELIVRD"}]}]"#,
        r#"{"requestId":"r","receiverAddress":"2609","deliveryStatus":"DELIVRD"}"#,
    ] {
        let body = format!(r#"{{"deliveryInfo":{info}}}"#);
        assert_eq!(
            said(&body),
            ["DELIVRD means delivered id=r to=2609"],
            "{info}"
        );
    }
}

#[test]
fn an_empty_batch_says_nothing() {
    for body in [
        r#"{"deliveryInfo":[]}"#,
        r#"{"deliveryInfo":{"requestId":"r","deliveryStatus":[]}}"#,
        r#"{"deliveryInfoNotification":{"deliveryInfo":{"deliveryStatus":[]}}}"#,
    ] {
        assert!(said(body).is_empty(), "{body}");
    }
}

#[test]
fn a_batch_with_one_unreadable_entry_is_refused_as_a_whole() {
    let body = r#"{"deliveryInfo":{"requestId":"r","deliveryStatus":[{"status":"DELIVRD"},{"deliveryStatus":"x"}]}}"#;
    assert_eq!(
        said(body),
        [
            "unrecognised: deliveryInfo[0]: deliveryStatus[1]: the field \"status\" is missing or empty"
        ]
    );
}

#[test]
fn more_entries_than_any_batch_has_are_unrecognised() {
    let info = |count| {
        let entries = vec![r#"{"status":"DELIVRD"}"#; count].join(",");
        format!(r#"{{"requestId":"r","deliveryStatus":[{entries}]}}"#)
    };
    let body = |infos: &[String]| format!(r#"{{"deliveryInfo":[{}]}}"#, infos.join(","));
    assert_eq!(said(&body(&[info(2_500), info(2_500)])).len(), 5_000);
    assert_eq!(
        said(&body(&[info(2_500), info(2_501)])),
        ["unrecognised: \"deliveryInfo\" has more than 5000 entries in all"]
    );
    assert_eq!(
        said(&body(&[info(5_001)])),
        ["unrecognised: deliveryInfo[0]: \"deliveryStatus\" has more than 5000 entries"]
    );
}

#[test]
fn a_body_of_another_shape_is_unrecognised() {
    for body in [
        "{}",
        "[]",
        "null",
        r#"{"deliveryInfoNotification":{}}"#,
        r#"{"deliveryInfoNotification":[]}"#,
        r#"{"deliveryInfoNotification":"x"}"#,
        r#"{"deliveryInfo":"x"}"#,
        r#"{"deliveryInfo":{}}"#,
        r#"{"deliveryInfo":[null]}"#,
        r#"{"deliveryInfo":{"requestId":"r","deliveryStatus":null}}"#,
        r#"{"deliveryInfo":{"requestId":"r","deliveryStatus":["DELIVRD"]}}"#,
        r#"{"deliveryInfo":{"requestId":"r","deliveryStatus":[{"status":{}}]}}"#,
        r#"{"clientCorrelatorId":"1","deliveryStatus":true}"#,
        r#"{"clientCorrelatorId":"1","deliveryStatus":""}"#,
        r#"{"clientCorrelatorId":"1","deliveryStatus":null}"#,
    ] {
        assert!(said(body)[0].starts_with("unrecognised: "), "{body}");
    }
}

#[test]
fn a_reason_is_its_text_else_its_code_and_only_of_what_did_not_go_well() {
    for (fields, expected) in [
        (
            r#""deliveryStatus":"REJECTED","details":"Barred","error":"011""#,
            "REJECTED means rejected id=1 ref=1 reason=Barred class=unknown",
        ),
        (
            r#""deliveryStatus":"REJECTED","details":"","error":"011""#,
            "REJECTED means rejected id=1 ref=1 reason=011 class=unknown",
        ),
        (
            r#""deliveryStatus":"REJECTED","details":null,"error":11"#,
            "REJECTED means rejected id=1 ref=1 reason=11 class=unknown",
        ),
        (
            r#""deliveryStatus":"REJECTED","error":"000""#,
            "REJECTED means rejected id=1 ref=1",
        ),
        (
            r#""deliveryStatus":"REJECTED","details":{},"error":[]"#,
            "REJECTED means rejected id=1 ref=1",
        ),
        (
            r#""deliveryStatus":"Refused","details":"Barred""#,
            "Refused means nothing id=1 ref=1 reason=Barred class=unknown",
        ),
        (
            r#""deliveryStatus":"DELIVERED","details":"Delivered to handset","error":"001""#,
            "DELIVERED means delivered id=1 ref=1",
        ),
        (
            r#""deliveryStatus":"ACCEPTD","details":"Accepted""#,
            "ACCEPTD means sent id=1 ref=1",
        ),
    ] {
        assert_eq!(
            said(&format!(r#"{{"clientCorrelatorId":"1",{fields}}}"#)),
            [expected]
        );
    }
}

#[test]
fn dates_are_read_leniently_and_the_time_of_submission_is_not_that_of_a_failure() {
    for date in [
        "\"2026-05-01T10:15:30\"",
        "\"2026-05-01T10:15:30Z\"",
        "\"2026-05-01 10:15:30.000\"",
        "\"2026-05-01T12:15:30+02:00\"",
        "\"2026-05-01T12:15:30.000+0200\"",
        "1777630530000",
        "\"1777630530000\"",
    ] {
        let body = format!(
            r#"{{"clientCorrelatorId":"1","deliveryStatus":"EXPIRED","completedDate":{date}}}"#
        );
        assert_eq!(
            said(&body),
            ["EXPIRED means expired id=1 ref=1 at=2026-05-01T10:15:30.000Z"],
            "{date}"
        );
    }
    for date in [
        "null",
        "\"\"",
        "0",
        "1777630530",
        "20260501101530",
        "9223372036854775807",
        "\"soon\"",
        "{}",
    ] {
        let body = format!(
            r#"{{"clientCorrelatorId":"1","deliveryStatus":"EXPIRED","completedDate":{date},"submittedDate":"2026-05-01T10:15:00"}}"#
        );
        assert_eq!(said(&body), ["EXPIRED means expired id=1 ref=1"], "{date}");
    }
}

#[test]
fn an_inbound_message_has_an_id_and_a_time_where_they_are_told() {
    let body = |facts: &str| {
        format!(r#"{{"senderAddress":"1","receiverAddress":"2","message":"Hi",{facts}}}"#)
    };
    for (facts, id, time) in [
        (
            r#""id":"mo-1","created":"1777630530855""#,
            "mo-1",
            "2026-05-01T10:15:30.855Z",
        ),
        (
            r#""id":7,"created":null,"submittedDate":"2026-05-01T10:15:00""#,
            "7",
            "2026-05-01T10:15:00.000Z",
        ),
        (
            r#""id":"","created":"2026-05-01T10:15:30Z""#,
            "none",
            "2026-05-01T10:15:30.000Z",
        ),
        (r#""id":{},"created":-1"#, "none", "none"),
        (r#""created":99999999999999999999"#, "none", "none"),
    ] {
        assert_eq!(
            said(&body(facts)),
            [format!("inbound id={id} from=1 to=2 at={time}: Hi")],
            "{facts}"
        );
    }
}

#[test]
fn nesting_is_bounded_and_a_long_id_is_no_id_of_mtn() {
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"clientCorrelatorId":"1","deliveryStatus":"ENROUTE","x":{open}{close}}}"#)
    };
    assert_eq!(said(&deep(32)), ["ENROUTE means sent id=1 ref=1"]);
    assert!(said(&deep(33))[0].starts_with("malformed_json: "));
    let long = format!(
        r#"{{"clientCorrelatorId":"{}","deliveryStatus":"ENROUTE"}}"#,
        "z".repeat(513)
    );
    assert_eq!(
        said(&long),
        ["unrecognised: the id in \"clientCorrelatorId\" is longer than 512 bytes"]
    );
}

#[test]
fn a_nul_is_replaced_in_every_derived_text() {
    let report = r#"{"clientCorrelatorId":"a\u0000","deliveryStatus":"\u0000","receiverAddress":"\u0000","details":"\u0000"}"#;
    assert_eq!(
        said(report),
        [
            "\u{fffd} means nothing id=a\u{fffd} ref=a\u{fffd} to=\u{fffd} reason=\u{fffd} class=unknown"
        ]
    );
    let inbound =
        r#"{"senderAddress":"1\u0000","receiverAddress":"2","message":"\u0000","id":"\u0000"}"#;
    assert_eq!(
        said(inbound),
        ["inbound id=\u{fffd} from=1\u{fffd} to=2 at=none: \u{fffd}"]
    );
}

#[test]
fn mtn_sends_json_and_is_told_what_everybody_is_told() {
    let mtn = find("mtn");
    assert_eq!(mtn.media_type(None), Some(MediaType::Json));
    for other in [
        "text/xml",
        "application/x-www-form-urlencoded",
        "text/plain",
    ] {
        assert_eq!(mtn.media_type(Some(other)), None, "{other}");
    }
    assert_eq!(mtn.kinds(), [Reports, Inbound]);
    assert_eq!(mtn.answer(Reports), Answer::Standard);
}

/// What it says, which must be the same on either URL.
fn said(body: &str) -> Vec<String> {
    let parse = |kind: Kind| {
        let body = Body {
            media_type: MediaType::Json,
            bytes: body.as_bytes(),
        };
        outcome(find("mtn").parse(kind, body))
    };
    let outcome = parse(Reports);
    assert_eq!(parse(Inbound), outcome);
    outcome
}
