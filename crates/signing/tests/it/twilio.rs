//! Twilio's signature, against values computed elsewhere (Python's `hmac`).

use crate::{Request, accepted};
use serde_json::{Value, json};
use tidings_signing::checks::{Checks, Parameters, Refusal};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const BODY: &[u8] = b"MessageSid=SM1&MessageStatus=delivered&To=%2B260970000001&Body=a+b%26c";
const TARGET: &str = "/v1/callbacks/clinic/reports?x=1";
/// Over the installation's URL and [`TARGET`].
const SIGNATURE: &str = "saEfxTf/+juvtKUr125lBPso/CU=";

fn checks(public_url: &Value) -> Checks {
    accepted(&json!([{"type": "twilio", "auth_token": TOKEN, "public_url": public_url}]))
}

fn signed(body: &[u8], signature: &str) -> Request {
    let request = Request {
        target: TARGET,
        ..Request::new(body)
    };
    request.with("x-twilio-signature", signature)
}

#[test]
fn a_genuine_signature_passes_wherever_the_form_begins() {
    let checks = checks(&Value::Null);
    assert_eq!(signed(BODY, SIGNATURE).verified_by(&checks), Ok(()));
    let shuffled = b"To=%2B260970000001&Body=a%20b%26c&&MessageStatus=delivered&MessageSid=SM%31";
    assert_eq!(signed(shuffled, SIGNATURE).verified_by(&checks), Ok(()));
    assert_eq!(
        signed(b"", "77c2bZcnrp95C12AkE7FY3Ald3A=").verified_by(&checks),
        Ok(())
    );
    let no_query = Request {
        target: "/v1/callbacks/clinic/reports",
        ..signed(BODY, "itjY6mAIGA9pYHxeE4xoN+QprVE=")
    };
    assert_eq!(no_query.verified_by(&checks), Ok(()));
}

#[test]
fn the_form_is_signed_however_it_will_be_read() {
    for parameters in [None, Some(Parameters::Json), Some(Parameters::Query)] {
        let request = Request {
            parameters,
            ..signed(BODY, SIGNATURE)
        };
        assert_eq!(request.verified_by(&checks(&Value::Null)), Ok(()));
    }
}

#[test]
fn a_configured_url_is_all_of_what_is_called_or_its_beginning() {
    let (prefixed, whole) = (
        "4JjkZkIcgxQCfU0JsC0m8tcSm3A=",
        "BXu1xAgfVgJc1IlzzYsrfwUb1ZY=",
    );
    let refused = Err(Refusal::InvalidSignature);
    for (url, signature, expected) in [
        ("https://hooks.example.org/sms", prefixed, Ok(())),
        ("https://hooks.example.org/sms/", prefixed, Ok(())),
        (
            "https://hooks.example.org/twilio/status?tenant=abc",
            whole,
            Ok(()),
        ),
        // The installation's own URL does not count beside it.
        ("https://hooks.example.org/sms", SIGNATURE, refused),
        ("https://hooks.example.org", prefixed, refused),
        ("http://hooks.example.org/sms", prefixed, refused),
        ("https://hooks.example.org/twilio/status", whole, refused),
    ] {
        let judged = signed(BODY, signature).verified_by(&checks(&json!(url)));
        assert_eq!(judged, expected, "{url}");
    }
}

#[test]
fn a_repeated_field_is_signed_with_all_its_values() {
    let body = b"MessageSid=SM1&MessageSid=SM0&MessageStatus=sent";
    let request = signed(body, "0v+ZqFvW2FRqMVgEH6eAZbGq+AE=");
    assert_eq!(request.verified_by(&checks(&Value::Null)), Ok(()));
}

#[test]
fn anything_else_than_what_was_signed_is_refused() {
    let genuine = signed(BODY, SIGNATURE);
    let with_body = |body: &[u8]| Request {
        body: body.to_vec(),
        ..genuine.clone()
    };
    let more = [BODY, b"&New=1"].concat();
    let not_a_form = [0xff, b'%', b'&', b'='];
    let bodies: [&[u8]; 6] = [&BODY[1..], &more, &BODY[..40], b"", b"{}", &not_a_form];
    for body in bodies {
        let refused = with_body(body).verified_by(&checks(&Value::Null));
        assert_eq!(refused, Err(Refusal::InvalidSignature));
    }
    for target in [
        "/v1/callbacks/clinic/reports",
        "/v1/callbacks/clinic/reports?x=2",
        "/v1/callbacks/clinic/reports?x=1&",
        "/v1/callbacks/clinic/inbound?x=1",
        "",
    ] {
        let elsewhere = Request {
            target,
            ..genuine.clone()
        };
        let refused = elsewhere.verified_by(&checks(&Value::Null));
        assert_eq!(refused, Err(Refusal::InvalidSignature), "{target}");
    }
    let other = accepted(&json!([{"type": "twilio", "auth_token": TOKEN.replace('0', "1")}]));
    assert_eq!(genuine.verified_by(&other), Err(Refusal::InvalidSignature));
}

#[test]
fn a_missing_repeated_or_misspelt_signature_is_refused_like_a_wrong_one() {
    let list = format!("{SIGNATURE},{SIGNATURE}");
    let hex = "b1a11fc537fffa3bafb4a52bd76e6504fb28fc25";
    for values in [
        vec![],
        vec![""],
        vec![SIGNATURE, SIGNATURE],
        vec![SIGNATURE, ""],
        vec![list.as_str()],
        vec![SIGNATURE.trim_end_matches('=')],
        vec!["saEfxTf_-juvtKUr125lBPso_CU="],
        vec![" saEfxTf/+juvtKUr125lBPso/CU="],
        vec![hex],
        vec!["AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
        vec!["AA=="],
    ] {
        let mut request = Request {
            target: TARGET,
            ..Request::new(BODY)
        };
        for value in &values {
            request = request.with("x-twilio-signature", value);
        }
        let refused = request.verified_by(&checks(&Value::Null));
        assert_eq!(refused, Err(Refusal::InvalidSignature), "{values:?}");
    }
}
