//! What callbacks say of the price, and the provider's own answer about a message.

use crate::table::find;
use domain::callback::{Kind, Statement};
use domain::report::Report;
use tidings_providers::{Body, MediaType};

fn said(provider: &str, media_type: MediaType, body: &str) -> (Option<String>, Option<String>) {
    let bytes = body.as_bytes();
    let statements = find(provider)
        .parse(Kind::Reports, Body { media_type, bytes })
        .unwrap();
    let [
        Statement::Report(Report {
            cost,
            provider_response,
            ..
        }),
    ] = &statements[..]
    else {
        panic!("{statements:?}")
    };
    (
        cost.as_ref().map(ToString::to_string),
        provider_response.clone(),
    )
}

#[test]
fn infobip_tells_the_price_of_a_message_and_describes_its_status() {
    let entry = |rest: &str| {
        format!(
            r#"{{"results":[{{"messageId":"1","status":{{"groupId":2,"name":"N","description":"No route"}},{rest}}}]}}"#
        )
    };
    for (rest, cost, response) in [
        (
            r#""price":{"pricePerMessage":0.0100,"currency":"EUR"}"#,
            Some("0.0100 EUR"),
            "No route",
        ),
        (
            r#""price":{"pricePerMessage":"1","currency":"zmw"},"error":{"groupId":1,"name":"EC","description":"Absent"}"#,
            Some("1 ZMW"),
            "No route Absent",
        ),
        (
            r#""price":{"pricePerMessage":1e-2,"currency":"EUR"},"error":{"name":"NO_ERROR","description":"No Error"}"#,
            None,
            "No route",
        ),
        (
            r#""price":{"pricePerMessage":-1,"currency":"EUR"}"#,
            None,
            "No route",
        ),
        (r#""price":{"pricePerMessage":1}"#, None, "No route"),
        (r#""price":"free""#, None, "No route"),
        (
            r#""price":null,"error":{"name":"EC","description":"No route"}"#,
            None,
            "No route",
        ),
    ] {
        let expected = (cost.map(str::to_owned), Some(response.to_owned()));
        assert_eq!(
            said("infobip", MediaType::Json, &entry(rest)),
            expected,
            "{rest}"
        );
    }
}

/// A body, and what the provider says of it besides its word.
const SAID: &[(&str, &str, Option<&str>)] = &[
    // The price has no currency there: it is no cost.
    (
        "vonage",
        r#"{"messageId":"1","status":"failed","err-code":"6","price":"0.03330000"}"#,
        Some("6"),
    ),
    (
        "vonage",
        r#"{"messageId":"1","status":"delivered","err-code":"0"}"#,
        None,
    ),
    (
        "mtn",
        r#"{"clientCorrelatorId":"1","deliveryStatus":"UNDELIVERED","details":"Absent subscriber","error":"001"}"#,
        Some("001 Absent subscriber"),
    ),
    (
        "mtn",
        r#"{"clientCorrelatorId":"1","deliveryStatus":"DELIVERED","details":"Handed over","error":"000"}"#,
        Some("Handed over"),
    ),
    (
        "mtn",
        r#"{"TransactionID":"1","deliveryStatus":"DELIVRD"}"#,
        None,
    ),
    (
        "stub",
        r#"{"messageId":"1","status":"UNDELIV","errorCode":"7"}"#,
        None,
    ),
];

#[test]
fn what_a_provider_says_besides_its_word_is_kept_as_it_came() {
    for (provider, body, expected) in SAID {
        let response = expected.map(str::to_owned);
        assert_eq!(
            said(provider, MediaType::Json, body),
            (None, response),
            "{body}"
        );
    }
    for (body, expected) in [
        ("MessageSid=1&MessageStatus=delivered", None),
        (
            "MessageSid=1&MessageStatus=failed&ErrorCode=30003",
            Some("30003"),
        ),
        (
            "MessageSid=1&MessageStatus=failed&ErrorCode=30003&ErrorMessage=Unreachable",
            Some("30003 Unreachable"),
        ),
    ] {
        let response = expected.map(str::to_owned);
        assert_eq!(
            said("twilio", MediaType::Form, body),
            (None, response),
            "{body}"
        );
    }
}
