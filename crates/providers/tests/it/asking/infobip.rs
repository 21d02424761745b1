use super::*;

const TO: &str = "+260970000001";

fn read(asked: &[Asked], body: &str) -> Vec<String> {
    outcome(api("infobip").read(&access(&[]), asked, reply(200, body)))
}

#[test]
fn the_logs_of_many_messages_are_asked_for_at_once() {
    let access = access(&[("api_key", "k3y")]);
    let all = [asked("a b", TO), asked("c&d", TO)];
    let request = api("infobip").request(&access, None, &all, None);
    assert_eq!(
        written(&request),
        "GET https://api.example/sms/3/logs?messageId=a%20b,c%26d authorization: App k3y accept: \
         application/json "
    );
    assert_eq!(api("infobip").base_url(), None);
    for id in ["", "a,b", &"x".repeat(101)] {
        assert!(!api("infobip").can_ask(&asked(id, TO)), "{id}");
    }
    // The documented length of the parameter holds all of the longest.
    assert!(api("infobip").batch() * 101 <= 2_048);
}

#[test]
fn logs_are_read_as_the_callbacks_are() {
    let delivered = "DELIVERED_TO_HANDSET means delivered id=ib-0001 ref=msg-0001 to=260970000001 \
        at=2026-05-01T10:15:30.232Z network=64501 cost=0.01 EUR said=DELIVERED_TO_HANDSET";
    let one = [asked("ib-0001", TO)];
    assert_eq!(
        read(&one, &fixture("infobip/reports_query_200.json")),
        [delivered]
    );
    let two = [asked("ib-0001", TO), asked("ib-0002", "+260970000002")];
    let mixed = read(&two, &fixture("infobip/dlr_v3_batch_mixed.json"));
    assert_eq!(mixed.len(), 4, "{mixed:?}");
    assert_eq!(mixed[0], delivered);
    assert!(mixed[1].starts_with("UNDELIVERABLE_NOT_DELIVERED means failed id=ib-0002"));
    assert_eq!(mixed[3], "foreign 2");
}

#[test]
fn an_entry_that_cannot_be_read_holds_up_no_other() {
    let good = r#"{"messageId":"1","to":"260970000001","status":{"groupId":3,"name":"N"}}"#;
    let body = format!(
        r#"{{"results":[{{"messageId":"1","to":"260970000001"}},{good},{{"to":"260970000001","status":{{"groupId":3}}}},{{"messageId":"1","status":{{"groupId":3}}}}]}}"#
    );
    assert_eq!(
        read(&[asked("1", TO)], &body),
        ["N means delivered id=1 to=260970000001", "foreign 3"]
    );
}

#[test]
fn what_is_no_logs_is_said() {
    let one = [asked("1", TO)];
    for (body, expected) in [
        (r#"{"results":[]}"#, "NotFound"),
        (
            r#"{"requestError":{"serviceException":{"messageId":"UNAUTHORIZED","text":"x"}}}"#,
            r#"CredentialsRefused("\"UNAUTHORIZED\" was answered")"#,
        ),
        (
            r#"{"requestError":{"serviceException":{"messageId":"TOO_MANY_REQUESTS"}}}"#,
            "SlowDown { retry_after: Some(7s) }",
        ),
        (
            r#"{"requestError":{"serviceException":{"messageId":"BAD_REQUEST"}},"results":[]}"#,
            r#"Unreadable("an error, \"BAD_REQUEST\", as if all were well")"#,
        ),
        (
            r#"{"requestError":[]}"#,
            r#"Unreadable("\"requestError\" is not an object")"#,
        ),
        (
            "{}",
            r#"Unreadable("the field \"results\" is missing or empty")"#,
        ),
    ] {
        assert_eq!(read(&one, body), [expected], "{body}");
    }
}
