//! Infobip: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, OptOuts, Reports, Subscriptions};
use tidings_providers::{Body, MediaType};

const DELIVERED: &str = "DELIVERED_TO_HANDSET means delivered id=ib-0001 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:30.232Z network=64501";

// The last two are no callbacks: the headers of one, and the answer to a query, which has the shape
// of a batch of reports and, posted as one, is one.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("dlr_empty_results.json", Reports, &[]),
    ("dlr_minimal.json", Reports, &["DELIVERED means delivered id=ib-0001"]),
    ("dlr_unknown_group.json", Reports, &["UNEXPECTED means nothing id=ib-0001"]),
    ("dlr_v3_batch_mixed.json", Reports, &[
        DELIVERED,
        "UNDELIVERABLE_NOT_DELIVERED means failed id=ib-0002 ref=msg-0001 to=260970000002 at=2026-05-01T10:15:30.232Z reason=EC_UNKNOWN_SUBSCRIBER class=permanent_number network=64501",
        "EXPIRED_EXPIRED means expired id=ib-0003 ref=msg-0001 to=260970000003 at=2026-05-01T10:15:30.232Z reason=EC_ABSENT_SUBSCRIBER class=temporary network=64501",
        "REJECTED_NOT_ENOUGH_CREDITS means rejected id=ib-0004 ref=msg-0001 to=260970000004 at=2026-05-01T10:15:30.232Z network=64501",
        DELIVERED,
    ]),
    ("dlr_v3_delivered.json", Reports, &[DELIVERED]),
    ("dlr_v3_delivered_repeated.json", Reports, &[DELIVERED]),
    ("dlr_v3_multipart.json", Reports, &[DELIVERED]),
    ("dlr_v3_pending.json", Reports, &["PENDING_WAITING_DELIVERY means sent id=ib-0001 ref=msg-0001 to=260970000001 at=2026-05-01T10:15:30.232Z network=64501"]),
    ("inbound_basic.json", Inbound, &["inbound id=ib-mo-1 from=260970000001 to=4455 at=2026-05-01T10:28:39.220Z: QUIZ Correct answer is Paris"]),
    ("inbound_none.json", Inbound, &[]),
    ("_request_headers.txt", Reports, &["unsupported media type"]),
    ("reports_query_200.json", Reports, &[DELIVERED]),
];

/// A `status` and what is to be read in it.
#[rustfmt::skip]
const STATUSES: &[(&str, &str)] = &[
    // The group decides, whatever the name.
    (r#"{"groupId":0,"name":"MESSAGE_ACCEPTED"}"#, "MESSAGE_ACCEPTED means sent"),
    (r#"{"groupId":1,"name":"PENDING_ENROUTE"}"#, "PENDING_ENROUTE means sent"),
    (r#"{"groupId":2,"name":"UNDELIVERABLE_REJECTED_OPERATOR"}"#, "UNDELIVERABLE_REJECTED_OPERATOR means failed"),
    (r#"{"groupId":3,"name":"DELIVERED_TO_HANDSET"}"#, "DELIVERED_TO_HANDSET means delivered"),
    (r#"{"groupId":4,"name":"EXPIRED_DLR_UNKNOWN"}"#, "EXPIRED_DLR_UNKNOWN means expired"),
    (r#"{"groupId":5,"name":"REJECTED_NETWORK"}"#, "REJECTED_NETWORK means rejected"),
    (r#"{"groupId":"3","name":"SOMETHING_NEW"}"#, "SOMETHING_NEW means delivered"),
    (r#"{"groupId":2,"name":"DELIVERED"}"#, "DELIVERED means failed"),
    // The one that is not as its group, by its name or by its id.
    (r#"{"groupId":3,"groupName":"DELIVERED","id":2,"name":"DELIVERED_TO_OPERATOR"}"#, "DELIVERED_TO_OPERATOR means sent"),
    (r#"{"groupId":3,"name":"DELIVERED_TO_OPERATOR"}"#, "DELIVERED_TO_OPERATOR means sent"),
    (r#"{"name":"DELIVERED_TO_OPERATOR"}"#, "DELIVERED_TO_OPERATOR means sent"),
    (r#"{"groupId":3,"groupName":"DELIVERED","id":2}"#, "DELIVERED means sent"),
    // The name of the group, where it has no id.
    (r#"{"groupName":"OK"}"#, "OK means sent"),
    (r#"{"groupName":"ACCEPTED"}"#, "ACCEPTED means sent"),
    (r#"{"groupName":"PENDING","name":"PENDING_ACCEPTED"}"#, "PENDING_ACCEPTED means sent"),
    (r#"{"groupName":"UNDELIVERABLE"}"#, "UNDELIVERABLE means failed"),
    (r#"{"groupName":"EXPIRED"}"#, "EXPIRED means expired"),
    (r#"{"groupName":"REJECTED"}"#, "REJECTED means rejected"),
    (r#"{"groupId":3}"#, "3 means delivered"),
    // A group that nobody knows means nothing, and so does a name without a group.
    (r#"{"groupId":6,"groupName":"DELIVERED"}"#, "DELIVERED means nothing"),
    (r#"{"groupId":3.0,"name":"DELIVERED_TO_HANDSET"}"#, "DELIVERED_TO_HANDSET means nothing"),
    (r#"{"groupName":"Delivered"}"#, "Delivered means nothing"),
    (r#"{"name":"DELIVERED_TO_HANDSET"}"#, "DELIVERED_TO_HANDSET means nothing"),
    (r#"{"groupId":null,"groupName":[],"name":"X"}"#, "X means nothing"),
];

/// An `error` and what is to be read in it.
#[rustfmt::skip]
const ERRORS: &[(&str, &str)] = &[
    (r#"{"groupId":1,"id":1,"name":"EC_UNKNOWN_SUBSCRIBER","permanent":true}"#, " reason=EC_UNKNOWN_SUBSCRIBER class=permanent_number"),
    (r#"{"groupName":"HANDSET_ERRORS","name":"EC_X","permanent":true}"#, " reason=EC_X class=permanent_number"),
    (r#"{"groupId":1,"name":"EC_ABSENT_SUBSCRIBER","permanent":false}"#, " reason=EC_ABSENT_SUBSCRIBER class=temporary"),
    (r#"{"groupId":2,"name":"EC_MESSAGE_TOO_LONG","permanent":true}"#, " reason=EC_MESSAGE_TOO_LONG class=unknown"),
    (r#"{"groupId":1,"name":"EC_X"}"#, " reason=EC_X class=unknown"),
    (r#"{"groupId":1,"name":"EC_X","permanent":"true"}"#, " reason=EC_X class=unknown"),
    (r#"{"groupId":3,"groupName":"OPERATOR_ERRORS","id":5000}"#, " reason=OPERATOR_ERRORS class=unknown"),
    (r#"{"id":5000,"permanent":false}"#, " reason=5000 class=temporary"),
    (r#"{"groupId":0,"groupName":"OK","id":0,"name":"NO_ERROR","permanent":false}"#, ""),
    (r#"{"name":"NO_ERROR"}"#, ""),
    (r#"{"id":0}"#, ""),
    (r#"{"permanent":true}"#, ""),
    ("{}", ""),
    ("null", ""),
    ("\"EC_X\"", ""),
    ("[]", ""),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("infobip", TABLE);
}

#[test]
fn the_word_is_the_name_and_the_state_that_of_the_group() {
    for (status, expected) in STATUSES {
        let entry = format!(r#"{{"messageId":"1","status":{status}}}"#);
        assert_eq!(reports(&entry), [format!("{expected} id=1")], "{status}");
    }
}

#[test]
fn an_error_is_the_reason_and_says_whether_trying_again_can_help() {
    for (error, expected) in ERRORS {
        let entry =
            format!(r#"{{"messageId":"1","status":{{"groupId":2,"name":"N"}},"error":{error}}}"#);
        assert_eq!(
            reports(&entry),
            [format!("N means failed id=1{expected}")],
            "{error}"
        );
    }
}

#[test]
fn the_time_of_sending_is_only_that_of_what_is_on_its_way() {
    let entry = |group: u8, times: &str| {
        format!(r#"{{"messageId":"1","status":{{"groupId":{group},"name":"N"}},{times}}}"#)
    };
    let sent = r#""sentAt":"2026-05-01T12:15:00.221+0200""#;
    let done = r#""sentAt":"2026-05-01T10:15:00.221+0000","doneAt":"2026-05-01T10:15:30.232Z""#;
    for (group, times, expected) in [
        (1, sent, "N means sent id=1 at=2026-05-01T10:15:00.221Z"),
        (1, done, "N means sent id=1 at=2026-05-01T10:15:30.232Z"),
        (2, sent, "N means failed id=1"),
        (
            3,
            done,
            "N means delivered id=1 at=2026-05-01T10:15:30.232Z",
        ),
        (3, r#""doneAt":"yesterday""#, "N means delivered id=1"),
        (3, r#""doneAt":1777630530"#, "N means delivered id=1"),
    ] {
        assert_eq!(reports(&entry(group, times)), [expected], "{group} {times}");
    }
}

#[test]
fn the_deprecated_names_and_unknown_fields_are_fine() {
    let entry = r#"{"messageId":"1","from":"MYCLINIC","smsCount":2,"to":260970000001,"x":[{}],
        "status":{"groupId":3,"name":"DELIVERED_TO_HANDSET","y":{"z":1}}}"#;
    assert_eq!(
        reports(entry),
        ["DELIVERED_TO_HANDSET means delivered id=1 to=260970000001"]
    );
}

#[test]
fn callback_data_that_is_no_reference_is_left_out() {
    let entry = |data: &str| {
        format!(r#"{{"messageId":"1","callbackData":{data},"status":{{"groupName":"OK"}}}}"#)
    };
    let (fits, long) = ("x".repeat(512), "x".repeat(513));
    assert_eq!(
        reports(&entry(&format!("{fits:?}"))),
        [format!("OK means sent id=1 ref={fits}")]
    );
    for data in [&format!("{long:?}"), "\"\"", "null", "{}", "[]", "true"] {
        assert_eq!(reports(&entry(data)), ["OK means sent id=1"], "{data}");
    }
}

#[test]
fn a_batch_is_taken_as_a_whole_or_refused_as_a_whole() {
    let good = r#"{"messageId":"1","status":{"groupId":3,"name":"N"}}"#;
    for (bad, detail) in [
        (
            r#"{"status":{"groupId":3}}"#,
            "the field \"messageId\" is missing or empty",
        ),
        (
            r#"{"messageId":"","status":{"groupId":3}}"#,
            "the field \"messageId\" is missing or empty",
        ),
        (
            r#"{"messageId":"1"}"#,
            "the field \"status\" is missing or empty",
        ),
        (
            r#"{"messageId":"1","status":null}"#,
            "the field \"status\" is missing or empty",
        ),
        (
            r#"{"messageId":"1","status":"DELIVERED"}"#,
            "\"status\" is not an object",
        ),
        (
            r#"{"messageId":"1","status":{}}"#,
            "status: the field \"name\" is missing or empty",
        ),
        (
            r#"{"messageId":"1","status":{"id":5}}"#,
            "status: the field \"name\" is missing or empty",
        ),
    ] {
        let expected = format!("unrecognised: results[1]: {detail}");
        assert_eq!(
            reports(&format!("{good},{bad},{good}")),
            [expected],
            "{bad}"
        );
    }
}

#[test]
fn a_body_of_another_shape_is_unrecognised() {
    for body in [
        "{}",
        "[]",
        r#"{"results":null}"#,
        r#"{"results":"x"}"#,
        r#"{"results":[1]}"#,
        r#"{"results":[[]]}"#,
        r#"{"Results":[]}"#,
        r#"[{"messageId":"1","status":{"groupId":3}}]"#,
        r#"{"messageId":"1","status":{"groupId":3}}"#,
    ] {
        let outcome = said(Reports, body);
        assert!(
            outcome[0].starts_with("unrecognised: "),
            "{body} {outcome:?}"
        );
    }
    let entry = r#"{"messageId":"1","status":{"groupId":3},"text":"x","from":"1","to":"2"}"#;
    for kind in [OptOuts, Subscriptions] {
        let outcome = said(kind, &format!(r#"{{"results":[{entry}]}}"#));
        assert!(outcome[0].starts_with("unrecognised: "), "{outcome:?}");
    }
}

#[test]
fn a_repeated_member_anywhere_in_a_batch_is_malformed() {
    for body in [
        r#"{"results":[],"results":[]}"#,
        r#"{"results":[{"messageId":"1","status":{"groupId":2,"groupId":3}}]}"#,
        r#"{"results":[{"messageId":"1","status":{"groupId":3},"x":{"a":1,"a":1}}]}"#,
    ] {
        assert!(
            said(Reports, body)[0].starts_with("malformed_json: "),
            "{body}"
        );
    }
}

#[test]
fn more_entries_than_any_batch_has_are_unrecognised() {
    let entry = r#"{"messageId":"1","status":{"groupId":1}}"#;
    assert_eq!(reports(&vec![entry; 5_000].join(",")).len(), 5_000);
    assert_eq!(
        reports(&vec![entry; 5_001].join(",")),
        ["unrecognised: \"results\" has more than 5000 entries"]
    );
}

#[test]
fn the_text_of_a_person_is_the_one_with_the_keyword() {
    let entry = |fields: &str| format!(r#"{{"results":[{{"to":"4455",{fields}}}]}}"#);
    let stop = r#""from":"260970000001","text":"STOP","cleanText":"","keyword":"STOP""#;
    assert_eq!(
        said(Inbound, &entry(stop)),
        ["inbound id=none from=260970000001 to=4455 at=none: STOP"]
    );
    for fields in [
        r#""from":"260970000001","cleanText":"x""#,
        r#""text":"x""#,
        r#""from":"MYCLINIC","messageId":"1","status":{"groupId":3}"#,
    ] {
        let outcome = said(Inbound, &entry(fields));
        assert!(
            outcome[0].starts_with("unrecognised: results[0]: "),
            "{outcome:?}"
        );
    }
}

fn reports(entries: &str) -> Vec<String> {
    said(Reports, &format!(r#"{{"results":[{entries}]}}"#))
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Json,
        bytes: body.as_bytes(),
    };
    outcome(find("infobip").parse(kind, body))
}
