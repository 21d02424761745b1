//! What holds for every body.

use crate::table::{escaped, find};
use domain::callback::{self, Kind, Statement};
use domain::id::AccountId;
use domain::report::{MAX_ID_BYTES, MAX_TEXT_BYTES};
use proptest::prelude::*;
use tidings_providers::{Body, MediaType, registry, samples};

const MEDIA_TYPES: [MediaType; 2] = [MediaType::Form, MediaType::Json];

type Pairs = Vec<(String, String)>;

fn account() -> AccountId {
    "acc_00000000000000000000000001".parse().unwrap()
}

/// Gives the bytes to every provider in every way, and checks what comes out.
fn survives(bytes: &[u8]) {
    for provider in registry::all() {
        for kind in Kind::ALL {
            for media_type in MEDIA_TYPES {
                match provider.parse(kind, Body { media_type, bytes }) {
                    Ok(statements) => statements.iter().for_each(is_bounded),
                    Err(refusal) => assert!((1..600).contains(&refusal.detail().len())),
                }
            }
        }
    }
}

fn is_bounded(statement: &Statement) {
    let (ids, texts) = match statement.clone() {
        Statement::Report(it) => (
            vec![it.provider_message_id, it.client_reference],
            vec![
                Some(it.word),
                it.recipient,
                it.failure_reason,
                it.network_code,
                it.provider_response,
            ],
        ),
        Statement::Inbound(it) => (
            vec![it.provider_message_id],
            vec![Some(it.from), Some(it.to)],
        ),
        Statement::OptOut(it) => (vec![], vec![Some(it.phone), Some(it.sender)]),
        Statement::CarrierSubscription(it) => (
            vec![],
            [it.phone, it.short_code, it.keyword, it.update]
                .map(Some)
                .to_vec(),
        ),
    };
    for id in ids.into_iter().flatten() {
        assert!(
            (1..=MAX_ID_BYTES).contains(&id.len()) && !id.contains('\0'),
            "{id:?}"
        );
    }
    // A NUL becomes three bytes after the cut.
    for text in texts.into_iter().flatten() {
        assert!(
            (1..=3 * MAX_TEXT_BYTES).contains(&text.len()) && !text.contains('\0'),
            "{text:?}"
        );
    }
}

fn form(pairs: &[(String, String)]) -> Vec<u8> {
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join("&")
        .into()
}

fn json(pairs: &[(String, String)]) -> Vec<u8> {
    let members: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!(r#""{key}":"{value}""#))
        .collect();
    format!("{{{}}}", members.join(",")).into()
}

/// The fields of a report of the provider, with values that need no escaping, and the same
/// shuffled.
fn shuffled(names: &'static [&'static str]) -> impl Strategy<Value = (Pairs, Pairs)> {
    proptest::collection::vec("[A-Za-z1-9_.:-]{1,12}", names.len())
        .prop_map(|values| {
            names
                .iter()
                .map(ToString::to_string)
                .zip(values)
                .collect::<Vec<_>>()
        })
        .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle()))
}

fn callback_id(provider: &str, kind: Kind, media_type: MediaType, bytes: &[u8]) -> String {
    let statements = find(provider)
        .parse(kind, Body { media_type, bytes })
        .unwrap();
    assert_eq!(statements.len(), 1);
    callback::id(account(), kind, &statements).to_string()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn arbitrary_text_of_the_right_look_never_panics(
        text in r#"([{}\[\]",:&=%+\\u0-9a-f\x00é ]|status|messageId|id|deliveryInfo|null|1e9){0,60}"#,
    ) {
        survives(text.as_bytes());
    }

    #[test]
    fn arbitrary_values_of_known_fields_never_panic(
        values in proptest::collection::vec(any::<String>(), 5),
    ) {
        let [a, b, c, d, e] = &values[..] else { panic!("five values") };
        let quote = |text: &String| serde_json::to_string(text).unwrap();
        let (a, b, c, d, e) = (quote(a), quote(b), quote(c), quote(d), quote(e));
        survives(format!(
            r#"{{"messageId":{a},"status":{b},"to":{c},"from":{d},"text":{e},"doneAt":{d},"part":{e}}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"deliveryInfoNotification":{{"callbackData":{a},"deliveryInfo":[{{"address":{b},"deliveryStatus":{c}}}]}}}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"results":[{{"messageId":{a},"to":{b},"callbackData":{c},"status":{{"name":{d},"groupName":{e}}},"error":{{"name":{a},"permanent":true}},"from":{b},"text":{c}}}]}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"inboundSMSMessageNotification":{{"inboundSMSMessage":{{"senderAddress":{a},"destinationAddress":{b},"message":{c},"dateTime":{d},"messageId":{e}}}}}}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"messageId":{a},"status":{b},"msisdn":{c},"client-ref":{d},"err-code":{e},"network-code":{a},"message-timestamp":{b},"text":{c},"to":{d}}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"clientCorrelatorId":{a},"deliveryStatus":{b},"receiverAddress":{c},"completedDate":{d},"details":{e}}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"DeliveryInfo":[{{"requestId":{a},"clientCorrelator":{b},"deliveryStatus":[{{"receiverAddress":{c},"status":{d}}}]}}]}}"#
        ).as_bytes());
        survives(format!(
            r#"{{"senderAddress":{a},"receiverAddress":{b},"message":{c},"created":{d},"id":{e}}}"#
        ).as_bytes());
    }

    #[test]
    fn arbitrary_values_of_the_fields_of_gateways_never_panic(
        values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 6),
    ) {
        let escaped: Vec<String> = values.iter().map(|value| escaped(value)).collect();
        let [a, b, c, d, e, f] = &escaped[..] else { panic!("six values") };
        for text in ["text", "unused"] {
            survives(format!(
                "id=0{a}&uuid={b}&status={c}&ts={d}&message_status={c}&dlvrd={d}&err={e}\
                    &from={b}&to={c}&{text}={f}&content={f}&coding={d}&binary={e}"
            ).as_bytes());
            survives(format!("id=0{a}&from=1&to=2&{text}=x&content={f}&coding={d}").as_bytes());
        }
    }

    #[test]
    fn a_damaged_callback_never_panics(
        which in 0usize..8, at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let sample = [
            samples::AFRICASTALKING_FAILED_USER_DOES_NOT_EXIST,
            samples::ORANGE_DELIVERED_TO_TERMINAL,
            samples::TWILIO_DELIVERED,
            samples::INFOBIP_DELIVERED,
            samples::MTN_DELIVERED,
            "id=0042&from=%2B1&to=2&coding=8&content=%06%27%06J%06B%06%27%06A&message_status=DELIVRD&status=1&ts=1777630530",
            r#"{"messageId":"1","msisdn":"260970000001","status":"failed","err-code":"9","client-ref":"a","message-timestamp":"2026-05-01 10:15:31"}"#,
            r#"{"messageId":"1","to":"+260950000001","status":"DELIVRD","part":1,"doneAt":"2026-05-01T10:15:30Z"}"#,
        ][which];
        let mut bytes = sample.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        survives(&bytes);
    }

    #[test]
    fn the_order_of_form_fields_does_not_matter(
        (pairs, other) in shuffled(&["id", "status", "phoneNumber", "networkCode", "failureReason"]),
    ) {
        let id = |pairs| callback_id("africastalking", Kind::Reports, MediaType::Form, &form(pairs));
        prop_assert_eq!(id(&pairs), id(&other));
    }

    #[test]
    fn the_order_of_inbound_fields_does_not_matter(
        (pairs, other) in shuffled(&["id", "from", "to", "text", "date", "linkId"]),
    ) {
        let id = |pairs| callback_id("africastalking", Kind::Inbound, MediaType::Form, &form(pairs));
        prop_assert_eq!(id(&pairs), id(&other));
    }

    #[test]
    fn the_order_of_json_members_and_the_media_type_do_not_matter(
        (pairs, other) in shuffled(&["messageId", "clientRef", "status", "to", "errorCode"]),
    ) {
        let id = |media_type, bytes: Vec<u8>| callback_id("stub", Kind::Reports, media_type, &bytes);
        let expected = id(MediaType::Json, json(&pairs));
        prop_assert_eq!(&id(MediaType::Json, json(&other)), &expected);
        prop_assert_eq!(&id(MediaType::Form, form(&other)), &expected);
    }

    #[test]
    fn the_order_and_the_case_of_mtns_members_do_not_matter(
        (pairs, other) in shuffled(&[
            "clientCorrelator", "TransactionID", "deliveryStatus", "receiverAddress", "details",
        ]),
    ) {
        let id = |pairs: &[(String, String)]| {
            callback_id("mtn", Kind::Reports, MediaType::Json, &json(pairs))
        };
        let shouted: Pairs = other
            .into_iter()
            .map(|(name, value)| (name.to_ascii_uppercase(), value))
            .collect();
        prop_assert_eq!(id(&pairs), id(&shouted));
    }

    #[test]
    fn the_order_of_the_fields_of_a_gateway_does_not_matter(
        (kannel, other_kannel) in shuffled(&["id", "uuid", "status", "to", "ts"]),
        (jasmin, other_jasmin) in shuffled(&["id", "message_status", "dlvrd", "err", "level"]),
        (vonage, other_vonage) in shuffled(&["messageId", "status", "msisdn", "client-ref", "err-code"]),
    ) {
        let id = |name, pairs: &[(String, String)]| {
            callback_id(name, Kind::Reports, MediaType::Form, &form(pairs))
        };
        prop_assert_eq!(id("kannel", &kannel), id("kannel", &other_kannel));
        prop_assert_eq!(id("jasmin", &jasmin), id("jasmin", &other_jasmin));
        let expected = id("vonage", &vonage);
        prop_assert_eq!(id("vonage", &other_vonage), expected.clone());
        let vonage_json = callback_id("vonage", Kind::Reports, MediaType::Json, &json(&other_vonage));
        prop_assert_eq!(vonage_json, expected);
    }

    #[test]
    fn the_order_of_a_batch_does_not_matter(order in Just(vec![1, 2, 3, 4, 5]).prop_shuffle()) {
        let id = |order: &[u32]| {
            let entries: Vec<_> = order.iter().map(|n| {
                format!(r#"{{"deliveryStatus":"MessageWaiting","address":"tel:+22507000000{n:02}"}}"#)
            }).collect();
            let body = format!(
                r#"{{"deliveryInfoNotification":{{"callbackData":"1","deliveryInfo":[{}]}}}}"#,
                entries.join(",")
            );
            let body = Body { media_type: MediaType::Json, bytes: body.as_bytes() };
            callback::id(account(), Kind::Reports, &find("orange").parse(Kind::Reports, body).unwrap())
        };
        prop_assert_eq!(id(&order), id(&[1, 2, 3, 4, 5]));
    }
}
