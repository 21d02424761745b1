//! The stub, and with it the plain delivery report: every fixture, and what they do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, Reports};
use tidings_providers::ask::{Access, Asked, Reply, StatusApi, Unanswered};
use tidings_providers::{Body, MediaType};

#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("dlr_acceptd.json", Reports, &["ACCEPTD means sent id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:00.000Z"]),
    ("dlr_clientref_only.json", Reports, &["DELIVRD means delivered ref=msg-0001"]),
    ("dlr_deleted.json", Reports, &["DELETED means failed id=stub-000002"]),
    ("dlr_delivrd.json", Reports, &["DELIVRD means delivered id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("dlr_enroute.json", Reports, &["ENROUTE means sent id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:00.000Z"]),
    ("dlr_expired.json", Reports, &["EXPIRED means expired id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("dlr_form.txt", Reports, &["DELIVRD means delivered id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("dlr_form_repeated_key.txt", Reports, &["malformed_form: the key \"status\" is repeated"]),
    ("dlr_form_unencoded_plus.txt", Reports, &["EXPIRED means expired id=stub-000001 to=+260950000001"]),
    ("dlr_local_number.json", Reports, &["DELIVRD means delivered id=stub-000001 ref=msg-0001 to=0950000001 at=2026-05-01T10:15:30.000Z"]),
    ("dlr_minimal.json", Reports, &["DELIVRD means delivered id=stub-000001"]),
    ("dlr_missing_ids.json", Reports, &["unrecognised: one of the fields \"messageId\" and \"clientRef\" is required"]),
    ("dlr_missing_status.json", Reports, &["unrecognised: the field \"status\" is missing or empty"]),
    ("dlr_numbers_as_numbers.json", Reports, &["UNDELIV means failed id=12345678901234567890123 to=260950000001 part=1 reason=27 class=unknown"]),
    ("dlr_part1of2.json", Reports, &["DELIVRD means delivered id=stub-000001 ref=msg-0001 to=+260950000001 part=1 at=2026-05-01T10:15:30.000Z"]),
    ("dlr_part2of2_undeliv.json", Reports, &["UNDELIV means failed id=stub-000001 ref=msg-0001 to=+260950000001 part=2 at=2026-05-01T10:15:30.000Z reason=027 class=unknown"]),
    ("dlr_rejectd.json", Reports, &["REJECTD means rejected id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z reason=011 class=unknown"]),
    ("dlr_repeated_member.json", Reports, &["malformed_json: the member \"status\" is repeated at line 1 column 54"]),
    ("dlr_undeliv.json", Reports, &["UNDELIV means failed id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z reason=027 class=unknown"]),
    ("dlr_unknown.json", Reports, &["UNKNOWN means unknown id=stub-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("dlr_unlisted_status.json", Reports, &["TELEPORTED means nothing id=stub-000001"]),
    ("inbound.json", Inbound, &["inbound id=stub-mo-1 from=+260950000001 to=4455 at=2026-05-01T10:20:00.000Z: LEKA"]),
    ("inbound_form.txt", Inbound, &["inbound id=stub-mo-2 from=+260950000001 to=4455 at=2026-05-01T10:20:00.000Z: LEKA lelo"]),
    ("inbound_missing_text.json", Inbound, &["unrecognised: the field \"text\" is missing or empty"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("stub", TABLE);
}

#[test]
fn an_error_code_of_zeros_is_no_failure_reason() {
    for code in ["\"000\"", "\"0\"", "0", "\"\"", "null"] {
        let body = format!(r#"{{"messageId":"1","status":"UNDELIV","errorCode":{code}}}"#);
        assert_eq!(
            said(Reports, &body),
            ["UNDELIV means failed id=1"],
            "{code}"
        );
    }
}

#[test]
fn a_part_is_a_whole_number_from_one_or_is_left_out() {
    for part in ["null", "\"\""] {
        let body = format!(r#"{{"messageId":"1","status":"DELIVRD","part":{part}}}"#);
        assert_eq!(
            said(Reports, &body),
            ["DELIVRD means delivered id=1"],
            "{part}"
        );
    }
    for part in ["0", "-1", "1.5", "\"first\"", "4294967296"] {
        let body = format!(r#"{{"messageId":"1","status":"DELIVRD","part":{part}}}"#);
        assert!(
            said(Reports, &body)[0].starts_with("unrecognised: the field \"part\""),
            "{part}"
        );
    }
}

#[test]
fn the_time_of_submission_is_not_that_of_a_failure() {
    let body = r#"{"messageId":"1","status":"UNDELIV","submittedAt":"2026-05-01T10:15:00Z"}"#;
    assert_eq!(said(Reports, body), ["UNDELIV means failed id=1"]);
}

#[test]
fn json_and_a_form_say_the_same() {
    let json = br#"{"messageId":"1","to":"+260950000001","status":"DELIVRD","part":2}"#;
    let form = b"part=2&status=DELIVRD&to=%2B260950000001&messageId=1";
    let parse = |media_type, bytes| {
        find("stub")
            .parse(Reports, Body { media_type, bytes })
            .unwrap()
    };
    assert_eq!(parse(MediaType::Json, json), parse(MediaType::Form, form));
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Json,
        bytes: body.as_bytes(),
    };
    outcome(find("stub").parse(kind, body))
}

fn asked(id: &str) -> Asked {
    Asked {
        provider_message_id: Some(id.to_owned()),
        client_reference: None,
        to: "+260950000001".to_owned(),
        from: None,
        since: domain::Timestamp::from_millis(0),
    }
}

fn api() -> (&'static dyn StatusApi, Access) {
    let stub = tidings_providers::registry::find("stub").unwrap();
    let values = [("key".to_owned(), "s3cret".to_owned())];
    let access = Access {
        base_url: "https://sms.example.org/api".to_owned(),
        values: values.into_iter().collect(),
    };
    (stub.status_api().unwrap(), access)
}

#[test]
fn it_is_asked_about_many_by_their_ids_with_its_key() {
    let (api, access) = api();
    let both = [asked("a&b,c"), asked("d")];
    let request = api.request(&access, None, &both, Some("p 2"));
    let url = "https://sms.example.org/api/status?ids=a%26b%2Cc,d&page=p%202";
    assert_eq!((request.method, request.url.as_str()), ("GET", url));
    let bearer = ("authorization", "Bearer s3cret".to_owned());
    assert_eq!(request.headers, [bearer]);
    assert!(!format!("{request:?}").contains("s3cret"));
    assert!(api.token_request(&access).is_none());
    let nameless = Asked {
        provider_message_id: None,
        client_reference: Some("r-1".to_owned()),
        ..asked("a")
    };
    assert!(api.can_ask(&both[0]) && !api.can_ask(&nameless));
}

#[test]
fn its_answer_is_taken_of_what_was_asked_about_and_goes_on_where_it_says_so() {
    let (api, access) = api();
    let answer = |status: u16, body: &str| {
        let reply = Reply {
            status,
            content_type: None,
            retry_after: Some("7"),
            body: body.as_bytes(),
        };
        api.read(&access, &[asked("a")], reply)
    };
    let body = r#"{"messages":[{"messageId":"a","status":"DELIVRD","to":"+260950000001"},
        {"messageId":"a","status":"ENROUTE"},{"messageId":"b","status":"DELIVRD"},
        {"messageId":"a","status":"DELIVRD","to":"+260950000002"},{"status":"DELIVRD"},7],
        "next":"2"}"#;
    let answered = answer(200, body).unwrap();
    let words: Vec<_> = answered.reports.iter().map(|it| it.word.as_str()).collect();
    assert_eq!(words, ["DELIVRD", "ENROUTE"]);
    assert_eq!(
        (answered.foreign, answered.next_page.as_deref()),
        (4, Some("2"))
    );
    assert_eq!(answer(200, r#"{"messages":[]}"#).unwrap().next_page, None);
    for unreadable in [
        "<html>",
        "{}",
        "[]",
        r#"{"messages":{}}"#,
        r#"{"messages":[],"messages":[]}"#,
    ] {
        let told = answer(200, unreadable);
        assert!(
            matches!(told, Err(Unanswered::Unreadable(_))),
            "{unreadable}"
        );
    }
    let many = format!(r#"{{"messages":[{}1]}}"#, "1,".repeat(500));
    assert!(matches!(answer(200, &many), Err(Unanswered::Unreadable(_))));
    assert!(matches!(
        answer(401, ""),
        Err(Unanswered::CredentialsRefused(_))
    ));
    assert!(matches!(answer(503, ""), Err(Unanswered::Unavailable(_))));
    assert!(matches!(answer(302, ""), Err(Unanswered::Unreadable(_))));
    assert_eq!(answer(404, ""), Err(Unanswered::NotFound));
    let retry_after = Some(std::time::Duration::from_secs(7));
    assert_eq!(answer(429, ""), Err(Unanswered::SlowDown { retry_after }));
}
