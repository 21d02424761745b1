//! Which providers there are, and what is fixed about each.

use crate::table::find;
use domain::account::RESERVED_SLUGS;
use domain::callback::Kind;
use tidings_providers::{Answer, Body, MediaType, registry, samples};

#[test]
fn every_provider_is_found_by_its_name_and_the_name_is_reserved() {
    for provider in registry::all() {
        assert_eq!(find(provider.name()).name(), provider.name());
        assert!(
            RESERVED_SLUGS.contains(&provider.name()),
            "{}",
            provider.name()
        );
    }
    let names: Vec<_> = registry::all()
        .iter()
        .map(|provider| provider.name())
        .collect();
    assert_eq!(
        names,
        [
            "africastalking",
            "orange",
            "mtn",
            "airtel",
            "zamtel",
            "kannel",
            "jasmin",
            "twilio",
            "infobip",
            "vonage",
            "stub"
        ]
    );
    assert!(registry::find("Orange").is_none());
    assert!(registry::find("").is_none());
}

#[test]
fn a_missing_content_type_is_the_providers_own() {
    for (name, own) in [
        ("africastalking", MediaType::Form),
        ("orange", MediaType::Json),
        ("mtn", MediaType::Json),
        ("airtel", MediaType::Json),
        ("zamtel", MediaType::Json),
        ("kannel", MediaType::Form),
        ("jasmin", MediaType::Form),
        ("twilio", MediaType::Form),
        ("infobip", MediaType::Json),
        ("vonage", MediaType::Json),
        ("stub", MediaType::Json),
    ] {
        let provider = find(name);
        assert_eq!(provider.media_type(None), Some(own), "{name}");
        let all_known = provider
            .content_types()
            .iter()
            .all(|it| MediaType::parse(it).is_some());
        assert!(all_known, "{name}");
    }
}

#[test]
fn a_content_type_that_the_provider_does_not_use_is_not_taken() {
    assert_eq!(
        find("africastalking").media_type(Some("application/json")),
        None
    );
    assert_eq!(
        find("orange").media_type(Some("application/x-www-form-urlencoded")),
        None
    );
    assert_eq!(find("twilio").media_type(Some("application/json")), None);
    assert_eq!(
        find("infobip").media_type(Some("application/x-www-form-urlencoded")),
        None
    );
    for name in ["kannel", "jasmin"] {
        assert_eq!(find(name).media_type(Some("application/json")), None);
    }
    assert_eq!(find("stub").media_type(Some("text/plain")), None);
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(find("vonage").media_type(form), Some(MediaType::Form));
    let form = Some("application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(find("stub").media_type(form), Some(MediaType::Form));
}

#[test]
fn a_kind_or_media_type_a_provider_lacks_is_unrecognised() {
    for (name, kind, media_type, bytes) in [
        (
            "africastalking",
            Kind::Reports,
            MediaType::Json,
            r#"{"id":"1","status":"Sent"}"#,
        ),
        ("orange", Kind::Reports, MediaType::Form, "id=1&status=Sent"),
        (
            "twilio",
            Kind::Reports,
            MediaType::Json,
            r#"{"MessageSid":"1","MessageStatus":"sent"}"#,
        ),
        ("infobip", Kind::Reports, MediaType::Form, "results="),
        (
            "kannel",
            Kind::Reports,
            MediaType::Json,
            r#"{"id":1,"status":1}"#,
        ),
        (
            "jasmin",
            Kind::Reports,
            MediaType::Json,
            r#"{"id":1,"err":1}"#,
        ),
        (
            "vonage",
            Kind::OptOuts,
            MediaType::Form,
            "messageId=1&status=delivered",
        ),
        (
            "mtn",
            Kind::Inbound,
            MediaType::Form,
            "clientCorrelatorId=1&deliveryStatus=DELIVRD",
        ),
        (
            "stub",
            Kind::OptOuts,
            MediaType::Form,
            "messageId=1&status=DELIVRD",
        ),
    ] {
        let refusal = find(name).parse(
            kind,
            Body {
                media_type,
                bytes: bytes.as_bytes(),
            },
        );
        assert_eq!(refusal.unwrap_err().code(), "unrecognised", "{name}");
    }
}

#[test]
fn these_providers_are_told_what_everybody_is_told() {
    for name in [
        "africastalking",
        "orange",
        "mtn",
        "kannel",
        "vonage",
        "stub",
    ] {
        let provider = find(name);
        for kind in provider.kinds() {
            assert_eq!(provider.answer(*kind), Answer::Standard, "{name}");
        }
    }
}

#[test]
fn links_by_private_agreement_are_told_ok() {
    for name in ["airtel", "zamtel"] {
        let provider = find(name);
        for kind in provider.kinds() {
            assert_eq!(provider.answer(*kind), Answer::StandardWithOk, "{name}");
        }
    }
}

#[test]
fn every_sample_is_a_report() {
    for (name, sample) in [
        ("africastalking", samples::AFRICASTALKING_SENT),
        ("africastalking", samples::AFRICASTALKING_SUCCESS),
        (
            "africastalking",
            samples::AFRICASTALKING_FAILED_USER_DOES_NOT_EXIST,
        ),
        ("orange", samples::ORANGE_DELIVERED_TO_NETWORK),
        ("orange", samples::ORANGE_DELIVERED_TO_TERMINAL),
        ("twilio", samples::TWILIO_DELIVERED),
        ("infobip", samples::INFOBIP_DELIVERED),
        ("mtn", samples::MTN_ENROUTE),
        ("mtn", samples::MTN_DELIVERED),
    ] {
        let provider = find(name);
        let media_type = provider.media_type(None).unwrap();
        let body = Body {
            media_type,
            bytes: sample.as_bytes(),
        };
        assert_eq!(
            provider.parse(Kind::Reports, body).unwrap().len(),
            1,
            "{sample}"
        );
    }
}
