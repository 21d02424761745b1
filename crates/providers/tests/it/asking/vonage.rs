use super::*;

const ID: &str = "0B00000127FDBC63";
const TO: &str = "+260970000001";

fn read(body: &str) -> Vec<String> {
    let access = access(&[("api_key", "abcd1234"), ("api_secret", "s")]);
    let all = [asked(ID, TO), asked("0B00000127FDBC64", TO)];
    outcome(api("vonage").read(&access, &all, reply(200, body)))
}

fn record(changes: &[(&str, serde_json::Value)]) -> String {
    let mut answer: serde_json::Value =
        serde_json::from_str(&fixture("vonage/reports_records_200.json")).unwrap();
    for (name, value) in changes {
        answer["records"][0][name] = value.clone();
    }
    answer.to_string()
}

#[test]
fn records_of_many_messages_are_asked_for_at_once() {
    let access = access(&[("api_key", "abcd1234"), ("api_secret", "s")]);
    let all = [asked(ID, TO), asked("b", TO)];
    let request = api("vonage").request(&access, None, &all, None);
    assert_eq!(
        written(&request),
        format!(
            "GET https://api.example/v2/reports/records?account_id=abcd1234&product=SMS\
             &direction=outbound&id={ID},b authorization: Basic YWJjZDEyMzQ6cw== accept: \
             application/json "
        )
    );
    assert_eq!(api("vonage").batch(), 20);
    assert!(!api("vonage").can_ask(&asked("a,b", TO)));
}

#[test]
fn a_record_says_the_word_the_end_and_the_price() {
    assert_eq!(
        read(&fixture("vonage/reports_records_200.json")),
        [format!(
            "delivered means delivered id={ID} to=260970000001 at=2026-05-01T10:15:30.000Z \
             network=64501 cost=0.03330000 EUR"
        )]
    );
    let failed = [
        ("status", "failed".into()),
        ("error_code", "6".into()),
        ("error_code_description", "Anti-Spam Rejection".into()),
        ("client_ref", "msg-1".into()),
        ("currency", "euros".into()),
    ];
    assert_eq!(
        read(&record(&failed)),
        [format!(
            "failed means failed id={ID} ref=msg-1 to=260970000001 at=2026-05-01T10:15:30.000Z \
             reason=6 class=content network=64501 said=6 Anti-Spam Rejection"
        )]
    );
    // The end's time is no other word's.
    let changes = [("status", "accepted".into()), ("total_price", "-1".into())];
    assert_eq!(
        read(&record(&changes)),
        [format!(
            "accepted means sent id={ID} to=260970000001 network=64501"
        )]
    );
}

#[test]
fn another_account_message_or_recipient_is_foreign() {
    for (name, value) in [
        ("account_id", "other"),
        ("message_id", "0B00000127FDBC65"),
        ("message_id", ""),
        ("to", "260970000002"),
        ("status", ""),
    ] {
        assert_eq!(
            read(&record(&[(name, value.into())])),
            ["foreign 1"],
            "{name}"
        );
    }
}

#[test]
fn what_is_no_report_is_said() {
    for (body, expected) in [
        (r#"{"records":[],"ids_not_found":"a,b"}"#, "NotFound"),
        (
            "{}",
            r#"Unreadable("the field \"records\" is missing or empty")"#,
        ),
        (
            r#"{"request_status":"ABORTED","records":[]}"#,
            r#"Unreadable("an error, \"ABORTED\", as if all were well")"#,
        ),
        (
            r#"{"records":"none"}"#,
            r#"Unreadable("\"records\" is neither an object nor an array of objects")"#,
        ),
    ] {
        assert_eq!(read(body), [expected], "{body}");
    }
}
