//! Vonage's signature, against values computed elsewhere (Python's `hashlib` and `hmac`).

use crate::{Request, accepted};
use serde_json::json;
use tidings_signing::checks::{Checks, Parameters, Refusal};

const SECRET: &str = "my-signature-secret";

/// The parameters of one callback, as a form without its signature.
const FORM: &str = "err-code=0&message-timestamp=2026-05-01+10%3A15%3A31\
    &messageId=0B00000127FDBC63&msisdn=260970000001&network-code=64501&price=0.03330000\
    &scts=2605011015&status=delivered&to=MYCLINIC&api-key=abcd1234&client-ref=msg-0001\
    &timestamp=1777630531&nonce=ec11dd3e-1e7f-4db5-9467-82b02cd223b9";

/// Its signature in every method.
const SIGNATURES: [(&str, &str); 5] = [
    ("md5hash", "f8f981d28755c3d2b1908deba5584bc7"),
    ("md5", "08af3d6b18994299d5b8caf05c8ad0b5"),
    ("sha1", "ac2e2aa873ca6a92fb0afe796c71a54974d3c60f"),
    (
        "sha256",
        "7CCC15F4642E172DB5996731BDB3E179A1BDD791E2C2F37BCBB225CECAE07813",
    ),
    (
        "sha512",
        "e842ce1bf5cdfa1ad9ed3dbfca253e8b76781e6dadb41e4b5abfbf235ee112b6\
         7e0c5fd5deb2b9f2bcad9e8287906a399726950885e08af3a42839cd180bd063",
    ),
];
const SHA256: &str = SIGNATURES[3].1;

fn checks(method: &str) -> Checks {
    accepted(&json!([{"type": "vonage", "secret": SECRET, "method": method}]))
}

fn form(body: &str) -> Request {
    Request::new(body.as_bytes())
}

fn json(body: &str) -> Request {
    Request {
        parameters: Some(Parameters::Json),
        ..form(body)
    }
}

/// A GET with this query.
fn query(query: &str) -> Request {
    Request {
        target: Box::leak(format!("/v1/callbacks/clinic/reports?{query}").into_boxed_str()),
        parameters: Some(Parameters::Query),
        ..form("")
    }
}

/// The form as a JSON object of strings.
fn as_json(form: &str) -> String {
    let members: Vec<String> = form
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            let value = value.replace('+', " ").replace("%3A", ":");
            format!("{name:?}:{value:?}")
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_genuine_signature_passes_in_every_method_and_place() {
    for (method, signature) in SIGNATURES {
        for signature in [signature.to_lowercase(), signature.to_uppercase()] {
            let signed = format!("sig={signature}&{FORM}");
            for request in [form(&signed), json(&as_json(&signed)), query(&signed)] {
                let judged = request.verified_by(&checks(method));
                assert_eq!(judged, Ok(()), "{method} {:?}", request.parameters);
            }
        }
    }
}

#[test]
fn a_signature_of_another_method_or_secret_is_refused() {
    for (method, _) in SIGNATURES {
        for (_, signature) in SIGNATURES.iter().filter(|(other, _)| *other != method) {
            let request = form(&format!("{FORM}&sig={signature}"));
            let refused = request.verified_by(&checks(method));
            assert_eq!(refused, Err(Refusal::InvalidSignature), "{method}");
        }
    }
    let other = json!([{"type": "vonage", "secret": "My-signature-secret", "method": "sha256"}]);
    let request = form(&format!("{FORM}&sig={SHA256}"));
    let refused = request.verified_by(&accepted(&other));
    assert_eq!(refused, Err(Refusal::InvalidSignature));
}

#[test]
fn a_missing_repeated_or_misspelt_signature_is_refused_like_a_wrong_one() {
    for signature in [
        String::new(),
        "&sig=".to_owned(),
        "&sig".to_owned(),
        format!("&Sig={SHA256}"),
        format!("&sig={SHA256}&sig={SHA256}"),
        format!("&sig={SHA256}&%73ig={SHA256}"),
        format!("&sig={SHA256}00"),
        format!("&sig=+{SHA256}"),
        format!("&sig={}", &SHA256[..62]),
        format!("&sig={}", "0".repeat(64)),
        format!("&sig={}", "z".repeat(64)),
    ] {
        let signed = format!("{FORM}{signature}");
        for request in [form(&signed), query(&signed)] {
            let refused = request.verified_by(&checks("sha256"));
            assert_eq!(refused, Err(Refusal::InvalidSignature), "{signature}");
        }
    }
    for body in ["", "{}", "[]", r#"{"sig":null}"#, r#"{"sig":""}"#] {
        let refused = json(body).verified_by(&checks("sha256"));
        assert_eq!(refused, Err(Refusal::InvalidSignature), "{body}");
    }
}

#[test]
fn a_changed_added_dropped_or_repeated_parameter_is_refused() {
    let signed = format!("{FORM}&sig={SHA256}");
    for changed in [
        signed.replace("delivered", "failed"),
        signed.replace("err-code=0&", ""),
        format!("{signed}&x="),
        format!("{signed}&status=delivered"),
        format!("status=failed&{signed}"),
        signed.replace("status", "Status"),
    ] {
        let form_refused = form(&changed).verified_by(&checks("sha256"));
        assert_eq!(form_refused, Err(Refusal::InvalidSignature), "{changed}");
        let json_refused = json(&as_json(&changed)).verified_by(&checks("sha256"));
        assert_eq!(json_refused, Err(Refusal::InvalidSignature), "{changed}");
    }
    // Signed with a repeated parameter, in the order it came: nobody can tell which one is meant.
    let repeated = "a=1&a=2&sig=7ac5c00b05e63c570fd6be636a2a264a7f45eb5c595978e7aedede6c4a2838b2";
    let refused = form(repeated).verified_by(&checks("sha256"));
    assert_eq!(refused, Err(Refusal::InvalidSignature));
}

#[test]
fn a_separator_in_a_value_is_signed_as_an_underscore_and_in_a_name_is_refused() {
    let signature = "fa4a5257dffab9474ba76e0b305a74f884ef518c44d928a299b6c8d5ee854c04";
    let body = format!("text=a%26b%3Dc+%C3%A9&type=unicode&messageId=1&sig={signature}");
    assert_eq!(form(&body).verified_by(&checks("sha256")), Ok(()));
    let body = format!(
        r#"{{"text":"a&b=c \u00e9","type":"unicode","messageId":"1","sig":"{signature}"}}"#
    );
    assert_eq!(json(&body).verified_by(&checks("sha256")), Ok(()));

    let signature = "c6d32cf5abdeb7dc6eb3acef25f401d94ace34e022278a5392f6682973e89f03";
    let two = form(&format!("b=2&a=1&sig={signature}"));
    assert_eq!(two.verified_by(&checks("sha256")), Ok(()));
    let merged = form(&format!("a%3D1%26b=2&sig={signature}"));
    let refused = merged.verified_by(&checks("sha256"));
    assert_eq!(refused, Err(Refusal::InvalidSignature));
}

#[test]
fn a_number_is_signed_by_its_digits_and_other_json_is_not_signed_at_all() {
    let signature = "26e1c94aade561dba75101bf4085652d4bc35622db3ea929d007417e34b09cea";
    let body = |id: &str| format!(r#"{{"price":0.0330,"messageId":{id},"sig":"{signature}"}}"#);
    let id = "12345678901234567890123";
    assert_eq!(json(&body(id)).verified_by(&checks("sha256")), Ok(()));
    for other in ["null", "true", "[12345678901234567890123]", "{}", "1e3"] {
        let refused = json(&body(other)).verified_by(&checks("sha256"));
        assert_eq!(refused, Err(Refusal::InvalidSignature), "{other}");
    }
}

#[test]
fn a_signature_counts_only_where_the_callback_is_read() {
    let signed = format!("{FORM}&sig={SHA256}");
    let genuine = query(&signed);
    let evil = "status=delivered&messageId=1";
    let refused = Err(Refusal::InvalidSignature);
    // The signature is in the query, and the body is read; and the reverse.
    for parameters in [Some(Parameters::Form), Some(Parameters::Json), None] {
        let request = Request {
            body: evil.into(),
            parameters,
            ..genuine.clone()
        };
        assert_eq!(request.verified_by(&checks("sha256")), refused);
    }
    let request = Request {
        body: signed.clone().into(),
        ..query(evil)
    };
    assert_eq!(request.verified_by(&checks("sha256")), refused);
    // A form is not read as JSON, nor JSON as a form.
    let swapped = Request {
        parameters: Some(Parameters::Json),
        ..form(&signed)
    };
    assert_eq!(swapped.verified_by(&checks("sha256")), refused);
    let swapped = Request {
        parameters: Some(Parameters::Form),
        ..json(&as_json(&signed))
    };
    assert_eq!(swapped.verified_by(&checks("sha256")), refused);
    // The other place may say whatever it likes.
    let request = Request {
        body: evil.into(),
        ..genuine
    };
    assert_eq!(request.verified_by(&checks("sha256")), Ok(()));
}

#[test]
fn no_parameters_at_all_are_no_signature() {
    let of_nothing = "adc3f5996486f5dac904e8171b166d8a68eaac3d8a18798e660bfd410a68b530";
    let no_query = Request {
        parameters: Some(Parameters::Query),
        ..form("")
    };
    for request in [form(""), json("{}"), query(""), no_query] {
        let refused = request.verified_by(&checks("sha256"));
        assert_eq!(refused, Err(Refusal::InvalidSignature));
    }
    // A genuine signature of nothing is genuine, and says nothing.
    let request = form(&format!("sig={of_nothing}"));
    assert_eq!(request.verified_by(&checks("sha256")), Ok(()));
}
