//! All checks must pass, and what is told about those that do not.

use crate::{NOW_MS, Request, TOKEN, accepted};
use serde_json::{Value, json};
use tidings_signing::checks::Refusal;

const KEY: &str = "the key of the provider";
const SECRET: &str = "0123456789abcdef-provider";
/// HMAC-SHA256 of `body` under [`SECRET`], by Python's `hmac`.
const MAC: &str = "41932715dc154e51d1cca482c8d49837ff54a9025c031484ff68fa4ba4552472";

fn every_check() -> Value {
    json!([
        {"type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
         "header": "x-signature"},
        {"type": "token"},
        {"type": "api_key", "header": "x-api-key", "key": KEY},
        {"type": "ip_allowlist", "cidrs": ["203.0.113.0/24"]},
    ])
}

fn good_request() -> Request {
    let mut request = Request::new(b"body")
        .with("x-signature", MAC)
        .with("x-api-key", KEY);
    request.token = Some(TOKEN);
    request
}

/// The request with another value in one header.
fn altered(mut request: Request, name: &str, value: &str) -> Request {
    for header in request
        .headers
        .iter_mut()
        .filter(|(known, _)| *known == name)
    {
        header.1 = value.into();
    }
    request
}

#[test]
fn all_checks_must_pass() {
    let checks = accepted(&every_check());
    let good = good_request();
    assert_eq!(good.verified_by(&checks), Ok(()));

    let elsewhere = Request {
        source: "198.51.100.9",
        ..good.clone()
    };
    let no_token = Request {
        token: None,
        ..good.clone()
    };
    let wrong_token = Request {
        token: Some("0123456789abcdefghijkm"),
        ..good.clone()
    };
    for (request, refusal) in [
        (elsewhere.clone(), Refusal::UnauthorizedIp),
        (no_token, Refusal::InvalidToken),
        (wrong_token.clone(), Refusal::InvalidToken),
        (
            altered(good.clone(), "x-api-key", "not the key of it"),
            Refusal::InvalidApiKey,
        ),
        (
            altered(good, "x-signature", &"0".repeat(64)),
            Refusal::InvalidSignature,
        ),
        // Several at once: always the same one is told.
        (
            altered(elsewhere, "x-api-key", "x"),
            Refusal::UnauthorizedIp,
        ),
        (
            altered(wrong_token, "x-api-key", "x"),
            Refusal::InvalidApiKey,
        ),
    ] {
        assert_eq!(request.verified_by(&checks), Err(refusal));
    }
}

#[test]
fn a_token_is_wanted_exactly_where_there_is_one() {
    let with_token = accepted(&json!([{"type": "token"}]));
    let without = accepted(&json!([{"type": "api_key", "header": "x-api-key", "key": KEY}]));
    let request = |token| Request {
        token,
        ..Request::new(b"").with("x-api-key", KEY)
    };
    for (checks, token, expected) in [
        (&with_token, Some(TOKEN), Ok(())),
        (&with_token, None, Err(Refusal::InvalidToken)),
        (&with_token, Some(""), Err(Refusal::InvalidToken)),
        (
            &with_token,
            Some("0123456789ABCDEFGHIJKL"),
            Err(Refusal::InvalidToken),
        ),
        (
            &with_token,
            Some("0123456789abcdefghijk"),
            Err(Refusal::InvalidToken),
        ),
        (
            &with_token,
            Some("0123456789abcdefghijkl0"),
            Err(Refusal::InvalidToken),
        ),
        (&without, None, Ok(())),
        (&without, Some(TOKEN), Err(Refusal::InvalidToken)),
        (&without, Some(""), Err(Refusal::InvalidToken)),
    ] {
        assert_eq!(request(token).verified_by(checks), expected, "{token:?}");
    }
}

#[test]
fn an_api_key_is_the_whole_value_of_one_header() {
    let checks = accepted(&json!([{"type": "api_key", "header": "X-Api-Key", "key": KEY}]));
    let list = format!("{KEY}, {KEY}");
    let spaced = format!("{KEY} ");
    let louder = KEY.to_uppercase();
    for (values, passes) in [
        (vec![KEY], true),
        (vec![], false),
        (vec![""], false),
        (vec![KEY, KEY], false),
        (vec![KEY, "x"], false),
        (vec![list.as_str()], false),
        (vec![spaced.as_str()], false),
        (vec![louder.as_str()], false),
        (vec![&KEY[1..]], false),
    ] {
        let mut request = Request::new(b"");
        for value in &values {
            request = request.with("x-api-key", value);
        }
        let expected = if passes {
            Ok(())
        } else {
            Err(Refusal::InvalidApiKey)
        };
        assert_eq!(request.verified_by(&checks), expected, "{values:?}");
    }
    let elsewhere = Request::new(b"").with("x-other", KEY);
    assert_eq!(elsewhere.verified_by(&checks), Err(Refusal::InvalidApiKey));
}

#[test]
fn an_address_is_the_same_in_every_spelling() {
    let checks = accepted(&json!([{
        "type": "ip_allowlist",
        "cidrs": ["203.0.113.0/25", "::ffff:198.51.100.7/128", "2001:db8:1::/48"],
    }]));
    for (source, passes) in [
        ("203.0.113.0", true),
        ("203.0.113.127", true),
        ("203.0.113.128", false),
        ("::ffff:203.0.113.9", true),
        ("::ffff:203.0.113.129", false),
        ("198.51.100.7", true),
        ("::ffff:198.51.100.7", true),
        ("198.51.100.8", false),
        ("2001:db8:1:ffff::1", true),
        ("2001:db8:2::1", false),
        // The obsolete IPv4-compatible form and NAT64 are other addresses.
        ("::203.0.113.9", false),
        ("64:ff9b::203.0.113.9", false),
        ("127.0.0.1", false),
    ] {
        let request = Request {
            source,
            ..Request::new(b"")
        };
        let expected = if passes {
            Ok(())
        } else {
            Err(Refusal::UnauthorizedIp)
        };
        assert_eq!(request.verified_by(&checks), expected, "{source}");
    }
}

#[test]
fn any_address_of_a_family_is_let_in_when_that_was_said() {
    let any =
        |cidr| accepted(&json!([{"type": "ip_allowlist", "cidrs": [cidr], "allow_any": true}]));
    let from = |source| Request {
        source,
        ..Request::new(b"")
    };
    assert_eq!(from("198.51.100.9").verified_by(&any("0.0.0.0/0")), Ok(()));
    assert_eq!(
        from("::ffff:198.51.100.9").verified_by(&any("0.0.0.0/0")),
        Ok(())
    );
    assert_eq!(from("2001:db8::1").verified_by(&any("::/0")), Ok(()));
    let refused = Err(Refusal::UnauthorizedIp);
    assert_eq!(from("2001:db8::1").verified_by(&any("0.0.0.0/0")), refused);
    assert_eq!(from("198.51.100.9").verified_by(&any("::/0")), refused);
}

#[test]
fn of_two_signatures_both_must_be_genuine() {
    let stale = json!({
        "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
        "header": "x-timed", "signed": "timestamp.body", "timestamp_header": "x-timestamp",
    });
    let checks = accepted(&json!([stale, every_check()[0]]));
    let genuine = Request::new(b"body")
        .with("x-signature", MAC)
        .with(
            "x-timed",
            "51b215ea130de44efd447f141a401c1e7ea9459e1d9dbb1462b47750b848e137",
        )
        .with("x-timestamp", "1700000000");
    assert_eq!(genuine.verified_by(&checks), Ok(()));
    let late = Request {
        now_ms: NOW_MS + 301_000,
        ..genuine.clone()
    };
    assert_eq!(late.verified_by(&checks), Err(Refusal::StaleTimestamp));
    let forged = altered(late, "x-signature", "00");
    assert_eq!(forged.verified_by(&checks), Err(Refusal::InvalidSignature));
}

#[test]
fn refusals_have_stable_names() {
    let names = [
        (Refusal::UnauthorizedIp, "unauthorized_ip"),
        (Refusal::InvalidSignature, "invalid_signature"),
        (Refusal::InvalidApiKey, "invalid_api_key"),
        (Refusal::InvalidToken, "invalid_token"),
        (Refusal::StaleTimestamp, "stale_timestamp"),
    ];
    assert!(names.iter().all(|(refusal, name)| refusal.name() == *name));
    assert!(
        names
            .iter()
            .all(|(refusal, name)| refusal.to_string() == *name)
    );
}
