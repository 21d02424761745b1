//! Answers that nobody should send, to every provider that can be asked.

use super::*;
use proptest::prelude::*;
use tidings_providers::registry;

/// Those whose answers are read by what `crate::asking` has.
fn apis() -> impl Iterator<Item = (&'static str, &'static dyn StatusApi)> {
    ["orange", "mtn", "twilio", "infobip", "vonage"]
        .into_iter()
        .map(|name| (name, api(name)))
}

/// What the fixtures are about.
fn everything() -> Vec<Asked> {
    vec![
        asked("10c0d78cd4bf77ee@138a3d02644", "+260960000001"),
        asked("SM00000000000000000000000000000001", "+260970000001"),
        asked("ib-0001", "+260970000001"),
        asked("0B00000127FDBC63", "+260970000001"),
        asked("9d523078-1d3d-4c90-8984-000000000001", "+2250700000001"),
        asked("1", "+260970000001"),
    ]
}

fn ours() -> Access {
    access(&[
        ("account_sid", "AC00000000000000000000000000000000"),
        ("api_key", "abcd1234"),
    ])
}

/// Whatever is answered, it says nothing but of what was asked: of one message, and of many.
fn survives(status: u16, body: &[u8]) {
    let reply = Reply {
        status,
        content_type: Some("application/json"),
        retry_after: Some("99999999999999999999"),
        body,
    };
    let everything = everything();
    for api in registry::all().iter().filter_map(|it| it.status_api()) {
        let _ = api.read_token(reply);
        says_only_what_was_asked(api, &everything, reply);
        for one in &everything {
            says_only_what_was_asked(api, std::slice::from_ref(one), reply);
        }
    }
    for inbox in registry::all().iter().filter_map(|it| it.inbox_api()) {
        let _ = inbox.read(&ours(), reply);
    }
}

fn says_only_what_was_asked(api: &dyn StatusApi, asked: &[Asked], reply: Reply<'_>) {
    let read = api.read(&ours(), asked, reply);
    assert_eq!(read, api.read(&ours(), asked, reply), "the same again");
    for report in read.map(|it| it.reports).unwrap_or_default() {
        let is_about = |asked: &Asked| {
            let recipient = report.recipient_e164();
            report.provider_message_id == asked.provider_message_id
                && recipient.is_none_or(|recipient| recipient == asked.to)
        };
        assert!(asked.iter().any(is_about), "{report:?}");
    }
}

fn unreadable(name: &str, api: &dyn StatusApi, body: &[u8]) {
    let reply = Reply {
        status: 200,
        content_type: Some("text/html"),
        retry_after: None,
        body,
    };
    let read = api.read(&ours(), &everything()[..1], reply);
    let Err(Unanswered::Unreadable(detail)) = read else {
        panic!("{name} reads {}: {read:?}", body.escape_ascii())
    };
    assert!(detail.len() < 300, "{name}: {detail}");
}

#[test]
fn what_is_no_answer_says_nothing() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(1_000), "}".repeat(1_000));
    for (name, api) in apis() {
        for body in [
            "",
            "<!doctype html><html><body>Maintenance</body></html>",
            "null",
            "[]",
            "1e999",
            "{\"a\":",
            "{\"a\":1,\"a\":2}",
            "{}",
            &deep,
        ] {
            unreadable(name, api, body.as_bytes());
        }
        unreadable(name, api, b"{\"a\":\"\xff\"}");
    }
}

#[test]
fn a_status_says_what_it_says_for_everybody() {
    for (name, api) in apis() {
        for (status, body, expected) in [
            (401, "", "CredentialsRefused"),
            (403, "{}", "CredentialsRefused"),
            (404, "{}", "NotFound"),
            (404, "<html>", "Unreadable"),
            (429, "", "SlowDown { retry_after: Some(7s) }"),
            (500, "{}", "Unavailable"),
            (503, "<html>", "Unavailable"),
            (302, "", "Unreadable"),
            (400, "{}", "Unreadable"),
            (204, "", "Unreadable"),
        ] {
            let read = api.read(&ours(), &everything()[..1], reply(status, body));
            let read = format!("{:?}", read.unwrap_err());
            assert!(read.starts_with(expected), "{name} {status}: {read}");
        }
    }
}

#[test]
fn a_wait_without_end_is_not_believed() {
    let (_, api) = apis().next().unwrap();
    let mut reply = reply(429, "");
    reply.retry_after = Some("18446744073709551615");
    let Err(Unanswered::SlowDown { retry_after }) = api.read(&ours(), &everything(), reply) else {
        panic!("429")
    };
    assert_eq!(retry_after.unwrap().as_secs(), 86_400);
}

const ANSWERS: [&str; 8] = [
    "mtn/v2_query_deliverystatus_200.json",
    "twilio/message_resource_200.json",
    "infobip/reports_query_200.json",
    "infobip/dlr_v3_batch_mixed.json",
    "vonage/reports_records_200.json",
    "orange/UNVERIFIED_oneapi_deliveryinfos_query_200.json",
    "orange/error_service_exception.json",
    "africastalking/fetch_inbox_200.json",
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        status in 100u16..600, bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        survives(status, &bytes);
    }

    #[test]
    fn a_damaged_answer_speaks_only_of_what_was_asked(
        which in 0usize..8, at in any::<proptest::sample::Index>(), byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = fixture(ANSWERS[which]).into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        survives(200, &bytes);
    }

    #[test]
    fn arbitrary_values_of_known_fields_never_panic(
        values in proptest::collection::vec(any::<String>(), 5),
    ) {
        let quoted: Vec<_> = values.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
        let [a, b, c, d, e] = &quoted[..] else { panic!("five values") };
        survives(200, format!(
            r#"{{"statusCode":"0000","data":{{"requestId":{a},"clientCorrelator":{b},"deliveryStatus":[{{"receiverAddress":{c},"status":{d}}}]}}}}"#
        ).as_bytes());
        survives(200, format!(
            r#"{{"sid":"1","account_sid":"AC00000000000000000000000000000000","to":"260970000001","status":{a},"date_sent":{b},"price":{c},"price_unit":{d},"error_code":{e}}}"#
        ).as_bytes());
        survives(200, format!(
            r#"{{"results":[{{"messageId":"1","to":"260970000001","doneAt":{a},"price":{{"pricePerMessage":{b},"currency":{c}}},"status":{{"name":{d},"description":{e},"groupId":3}}}}]}}"#
        ).as_bytes());
        survives(200, format!(
            r#"{{"records":[{{"account_id":"abcd1234","message_id":"1","to":"260970000001","status":{a},"error_code":{b},"total_price":{c},"currency":{d},"date_finalized":{e}}}],"request_status":"SUCCESS"}}"#
        ).as_bytes());
        survives(200, format!(
            r#"{{"deliveryInfoList":{{"resourceURL":{a},"deliveryInfo":{{"address":{b},"deliveryStatus":{c}}}}},"requestError":{{"policyException":{{"messageId":{d}}}}}}}"#
        ).as_bytes());
    }
}
