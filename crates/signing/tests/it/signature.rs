//! Signatures in every algorithm, encoding and content, against values computed elsewhere (Python's
//! `hmac`).

use crate::{NOW_MS, Request, accepted};
use serde_json::{Value, json};
use tidings_signing::checks::{Checks, Refusal};

const SECRET: &str = "0123456789abcdef-provider";
const BODY: &[u8] = br#"{"id":"ATXid_1","status":"Success"}"#;

/// Algorithm; the MAC of the body in hex and base64; that of `1700000000.` and the body.
const VECTORS: [(&str, [&str; 2], [&str; 2]); 4] = [
    (
        "sha256",
        [
            "eb181f60d6409c1460f7cc139ab29fd64939309618b299a90c8dc2c57e3c06d2",
            "6xgfYNZAnBRg98wTmrKf1kk5MJYYspmpDI3CxX48BtI=",
        ],
        [
            "9258d543766eaf3fbad0b063aa99d990924c3722caea75ab5870c8aff2b0fdb3",
            "kljVQ3Zurz+60LBjqpnZkJJMNyLK6nWrWHDIr/Kw/bM=",
        ],
    ),
    (
        "sha512",
        [
            "1f0d3a3053a2d3441aee7baeb385e187ece9e97fd6cec7d48f9e7387665d7c23\
             5e8e9fd347a02b8c61eaeaf1b7b9a024c256142f6cb8e3ee8eecd2e505e3cc72",
            "Hw06MFOi00Qa7nuus4Xhh+zp6X/WzsfUj55zh2ZdfCNejp/TR6ArjGHq6vG3uaAkwlYUL2y44+6O7NLlBePMcg==",
        ],
        [
            "517c0a93fc643be7331822f8f3f39eb0d68aa6f367e9050107aa98df84149f25\
             442331bfc6580a2899fb5211af4ad68fc3b6168b5f88c6c5e32bcf42c5e3c8e6",
            "UXwKk/xkO+czGCL48/OesNaKpvNn6QUBB6qY34QUnyVEIzG/xlgKKJn7UhGvStaPw7YWi1+IxsXjK89CxePI5g==",
        ],
    ),
    (
        "sha1",
        [
            "1eafac29fd62e9fc9849d749df4b18fd7a8ccac7",
            "Hq+sKf1i6fyYSddJ30sY/XqMysc=",
        ],
        [
            "3e2add71c864cace5ee754bf6d18714ca60495e2",
            "Pirdcchkys5e51S/bRhxTKYEleI=",
        ],
    ),
    (
        "md5",
        [
            "02024a44cc2bac3ed13ebd81dfb67fa6",
            "AgJKRMwrrD7RPr2B37Z/pg==",
        ],
        [
            "2495d61b4bc1b275e4b6f873279c62aa",
            "JJXWG0vBsnXktvhzJ5xiqg==",
        ],
    ),
];

fn rule(algorithm: &str, encoding: &str) -> Value {
    json!({
        "type": "hmac", "secret": SECRET, "algorithm": algorithm, "encoding": encoding,
        "header": "X-Signature",
    })
}

fn timed(mut rule: Value) -> Value {
    rule["signed"] = json!("timestamp.body");
    rule["timestamp_header"] = json!("X-Timestamp");
    rule
}

fn checks(rule: Value) -> Checks {
    accepted(&Value::Array(vec![rule]))
}

#[test]
fn a_genuine_signature_passes_in_every_algorithm_and_encoding() {
    for (algorithm, of_body, of_timed) in VECTORS {
        for (encoding, index) in [("hex", 0), ("base64", 1)] {
            let body_only = checks(rule(algorithm, encoding));
            let request = Request::new(BODY).with("x-signature", of_body[index]);
            assert_eq!(
                request.verified_by(&body_only),
                Ok(()),
                "{algorithm} {encoding}"
            );

            let with_time = checks(timed(rule(algorithm, encoding)));
            let request = Request::new(BODY)
                .with("x-timestamp", "1700000000")
                .with("x-signature", of_timed[index]);
            assert_eq!(
                request.verified_by(&with_time),
                Ok(()),
                "{algorithm} {encoding}"
            );
        }
    }
}

#[test]
fn a_signature_of_anything_else_is_refused_in_every_algorithm_and_encoding() {
    let refused = Err(Refusal::InvalidSignature);
    for (algorithm, of_body, of_timed) in VECTORS {
        for (encoding, index) in [("hex", 0), ("base64", 1)] {
            let body_only = checks(rule(algorithm, encoding));
            let with_time = checks(timed(rule(algorithm, encoding)));
            let other = format!("{algorithm} {encoding}");

            let altered = [BODY, b" "].concat();
            let request = Request::new(&altered).with("x-signature", of_body[index]);
            assert_eq!(
                request.verified_by(&body_only),
                refused,
                "{other}: another body"
            );

            let request = Request::new(BODY).with("x-signature", of_body[1 - index]);
            assert_eq!(
                request.verified_by(&body_only),
                refused,
                "{other}: another encoding"
            );

            let request = Request::new(BODY).with("x-signature", of_timed[index]);
            assert_eq!(
                request.verified_by(&body_only),
                refused,
                "{other}: other content"
            );

            let request = Request::new(BODY)
                .with("x-timestamp", "1700000001")
                .with("x-signature", of_timed[index]);
            assert_eq!(
                request.verified_by(&with_time),
                refused,
                "{other}: another time"
            );

            let mut rule = rule(algorithm, encoding);
            rule["secret"] = json!("0123456789abcdef-stranger");
            let request = Request::new(BODY).with("x-signature", of_body[index]);
            assert_eq!(
                request.verified_by(&checks(rule)),
                refused,
                "{other}: another secret"
            );
        }
    }
}

#[test]
fn a_mac_of_another_algorithm_is_refused() {
    for (algorithm, _, _) in VECTORS {
        for (other, of_body, _) in VECTORS
            .into_iter()
            .filter(|(other, ..)| *other != algorithm)
        {
            let request = Request::new(BODY).with("x-signature", of_body[0]);
            let refused = request.verified_by(&checks(rule(algorithm, "hex")));
            assert_eq!(
                refused,
                Err(Refusal::InvalidSignature),
                "{other} for {algorithm}"
            );
        }
    }
}

#[test]
fn the_form_of_a_signature_is_strict() {
    let (_, [hex, base64], _) = VECTORS[0];
    let cases: [(&str, Vec<String>, bool); 15] = [
        ("hex", vec![hex.to_uppercase()], true),
        ("hex", vec![], false),
        ("hex", vec![String::new()], false),
        ("hex", vec![hex.to_owned(), hex.to_owned()], false),
        ("hex", vec![format!("{hex},{hex}")], false),
        ("hex", vec![format!("{hex}, ")], false),
        ("hex", vec![format!(" {hex}")], false),
        ("hex", vec![format!("sha256={hex}")], false),
        ("hex", vec![format!("{hex}00")], false),
        ("hex", vec![hex[..62].to_owned()], false),
        (
            "base64",
            vec![base64.trim_end_matches('=').to_owned()],
            false,
        ),
        ("base64", vec![base64.replace('I', "J")], false),
        ("base64", vec![base64.to_lowercase()], false),
        ("base64", vec![format!("{base64}=")], false),
        ("base64", vec![format!("{base64} {base64}")], false),
    ];
    for (encoding, values, passes) in cases {
        let mut request = Request::new(BODY);
        for value in &values {
            request = request.with("x-signature", value);
        }
        let expected = if passes {
            Ok(())
        } else {
            Err(Refusal::InvalidSignature)
        };
        assert_eq!(
            request.verified_by(&checks(rule("sha256", encoding))),
            expected,
            "{values:?}"
        );
    }
    let url_safe = VECTORS[2].1[1].replace('+', "-").replace('/', "_");
    let request = Request::new(BODY).with("x-signature", url_safe);
    let refused = request.verified_by(&checks(rule("sha1", "base64")));
    assert_eq!(refused, Err(Refusal::InvalidSignature));
}

#[test]
fn a_prefix_must_be_there_exactly_when_it_is_configured() {
    let (_, [hex, _], _) = VECTORS[0];
    let mut with_prefix = rule("sha256", "hex");
    with_prefix["prefix"] = json!("sha256=");
    let with_prefix = checks(with_prefix);
    for (value, passes) in [
        (format!("sha256={hex}"), true),
        (hex.to_owned(), false),
        (format!("SHA256={hex}"), false),
        (format!("sha256={hex},sha256={hex}"), false),
        (format!("sha256=sha256={hex}"), false),
        (format!("sha256= {hex}"), false),
        ("sha256=".to_owned(), false),
    ] {
        let request = Request::new(BODY).with("x-signature", &value);
        let expected = if passes {
            Ok(())
        } else {
            Err(Refusal::InvalidSignature)
        };
        assert_eq!(request.verified_by(&with_prefix), expected, "{value}");
    }
}

#[test]
fn either_of_two_secrets_is_good() {
    let (_, [hex, _], _) = VECTORS[0];
    let request = Request::new(BODY).with("x-signature", hex);
    for (secrets, expected) in [
        (json!([SECRET, "another secret here"]), Ok(())),
        (json!(["another secret here", SECRET]), Ok(())),
        (json!([SECRET, SECRET]), Ok(())),
        (
            json!(["another secret here", "and one more of them"]),
            Err(Refusal::InvalidSignature),
        ),
    ] {
        let mut rule = rule("sha256", "hex");
        rule.as_object_mut().unwrap().remove("secret");
        rule["secrets"] = secrets.clone();
        assert_eq!(request.verified_by(&checks(rule)), expected, "{secrets}");
    }
}

#[test]
fn a_time_that_cannot_be_read_is_no_signature() {
    let (_, _, [hex, _]) = VECTORS[0];
    let with_time = checks(timed(rule("sha256", "hex")));
    let signed = Request::new(BODY).with("x-signature", hex);
    for times in [
        vec![],
        vec![""],
        vec!["1700000000", "1700000000"],
        vec!["1700000000,1700000000"],
        vec![" 1700000000"],
        vec!["+1700000000"],
        vec!["1700000000.0"],
        vec!["1700000000000000"],
        vec!["Tue, 14 Nov 2023 22:13:20 GMT"],
    ] {
        let mut request = signed.clone();
        for time in &times {
            request = request.with("x-timestamp", time);
        }
        assert_eq!(
            request.verified_by(&with_time),
            Err(Refusal::InvalidSignature),
            "{times:?}"
        );
    }
}

#[test]
fn a_genuine_request_is_stale_beyond_the_tolerance_in_both_directions() {
    let (_, _, [hex, _]) = VECTORS[0];
    let genuine = Request::new(BODY)
        .with("x-timestamp", "1700000000")
        .with("x-signature", hex);
    let forged = Request::new(b"x")
        .with("x-timestamp", "1700000000")
        .with("x-signature", hex);
    for (tolerance, late_ms, stale) in [
        (300, 0, false),
        (300, 300_999, false),
        (300, 301_000, true),
        (300, -300_000, false),
        (300, -300_001, true),
        (1, 1_999, false),
        (1, 2_000, true),
        (86_400, 86_400_000, false),
        (86_400, 86_401_000, true),
        (300, i64::MAX - NOW_MS, true),
        (300, i64::MIN, true),
    ] {
        let mut rule = timed(rule("sha256", "hex"));
        rule["tolerance_seconds"] = json!(tolerance);
        let checks = checks(rule);
        let expected = if stale {
            Err(Refusal::StaleTimestamp)
        } else {
            Ok(())
        };
        let at = |request: &Request| Request {
            now_ms: NOW_MS + late_ms,
            ..request.clone()
        };
        assert_eq!(
            at(&genuine).verified_by(&checks),
            expected,
            "{tolerance} {late_ms}"
        );
        // Whoever cannot sign does not learn whether the time would have been right.
        let refused = at(&forged).verified_by(&checks);
        assert_eq!(
            refused,
            Err(Refusal::InvalidSignature),
            "{tolerance} {late_ms}"
        );
    }
}

#[test]
fn the_tolerance_is_five_minutes_unless_said_otherwise() {
    let view = checks(timed(rule("sha256", "hex"))).redacted();
    assert_eq!(view[0]["tolerance_seconds"], json!(300));
}

#[test]
fn any_bytes_can_be_signed() {
    // An empty body and one that is not UTF-8; the MACs are Python's.
    for (body, mac) in [
        (
            b"".as_slice(),
            "2bb5e4a8af60a1d96b946f6a0b4bcdb1ad456f8a495c098e6d676f6fd953e459",
        ),
        (
            &[0xff, 0x00, 0xfe, 0x0a],
            "2dc2507ecccf6a0cc67633c82d6d71642a42775e904ef30ba36d5abc9e739078",
        ),
    ] {
        let request = Request::new(body).with("x-signature", mac);
        assert_eq!(
            request.verified_by(&checks(rule("sha256", "hex"))),
            Ok(()),
            "{body:?}"
        );
    }
}
