use super::*;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SID: &str = "SM00000000000000000000000000000001";
const TO: &str = "+260970000001";

fn read(status: u16, body: &str) -> Vec<String> {
    let access = access(&[("account_sid", ACCOUNT), ("auth_token", "secret")]);
    outcome(api("twilio").read(&access, &[asked(SID, TO)], reply(status, body)))
}

fn resource(changes: &[(&str, serde_json::Value)]) -> String {
    let mut resource: serde_json::Value =
        serde_json::from_str(&fixture("twilio/message_resource_200.json")).unwrap();
    for (name, value) in changes {
        resource[name] = value.clone();
    }
    resource.to_string()
}

#[test]
fn the_resource_is_asked_for_with_the_credentials() {
    let access = access(&[("account_sid", ACCOUNT), ("auth_token", "secret")]);
    let request = api("twilio").request(&access, None, &[asked(SID, TO)], None);
    assert_eq!(
        written(&request),
        format!(
            "GET https://api.example/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json \
             authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzZWNyZXQ= \
             accept: application/json "
        )
    );
    assert!(api("twilio").token_request(&access).is_none());
    for id in ["", "..", "SM1/../../Calls/CA1", "SM1?x", &"S".repeat(65)] {
        assert!(!api("twilio").can_ask(&asked(id, TO)), "{id}");
    }
}

#[test]
fn the_word_the_price_and_the_error_are_read() {
    let base = format!("id={SID} to={TO}");
    assert_eq!(
        read(200, &fixture("twilio/message_resource_200.json")),
        [format!("delivered means delivered {base} cost=0.05000 USD")]
    );
    for (changes, expected) in [
        // Only "sent" happened at `date_sent`.
        (
            vec![
                ("status", "sent".into()),
                ("price", serde_json::Value::Null),
            ],
            format!("sent means sent id={SID} to={TO} at=2026-05-01T10:15:01.000Z"),
        ),
        (
            vec![
                ("status", "queued".into()),
                ("price_unit", serde_json::Value::Null),
            ],
            format!("queued means sent {base}"),
        ),
        (
            vec![
                ("status", "undelivered".into()),
                ("error_code", 30003.into()),
                ("error_message", "Unreachable destination handset".into()),
                ("price", "0".into()),
            ],
            format!(
                "undelivered means failed {base} reason=30003 class=temporary cost=0 USD \
                 said=30003 Unreachable destination handset"
            ),
        ),
        (
            vec![("status", "huh".into()), ("price", "-1e9".into())],
            format!("huh means nothing {base}"),
        ),
    ] {
        assert_eq!(read(200, &resource(&changes)), [expected]);
    }
}

#[test]
fn another_account_message_or_recipient_is_foreign() {
    for (name, value) in [
        ("account_sid", "AC1"),
        ("sid", "SM00000000000000000000000000000002"),
        ("to", "+260970000002"),
        ("to", "whatsapp:+260970000001"),
    ] {
        assert_eq!(
            read(200, &resource(&[(name, value.into())])),
            ["foreign 1"],
            "{name}"
        );
    }
    assert_eq!(
        read(200, &resource(&[("account_sid", serde_json::Value::Null)])),
        ["foreign 1"]
    );
}

#[test]
fn an_error_is_one_whatever_its_status() {
    for status in [200, 404] {
        assert_eq!(read(status, r#"{"code":20404,"status":404}"#), ["NotFound"]);
    }
    assert_eq!(
        read(200, r#"{"code":20003}"#),
        ["CredentialsRefused(\"error 20003 was answered\")"]
    );
    for answer in [
        read(200, r#"{"code":20429}"#),
        read(429, r#"{"code":20429}"#),
    ] {
        assert_eq!(answer, ["SlowDown { retry_after: Some(7s) }"]);
    }
    assert_eq!(
        read(
            200,
            r#"{"code":21211,"message":"Invalid 'To' +260970000001"}"#
        ),
        [r#"Unreadable("an error, \"21211\", as if all were well")"#]
    );
}
