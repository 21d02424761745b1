//! What the API accepts as a list of checks.

use crate::{accepted, refused};
use serde_json::{Value, json};
use tidings_signing::checks::{CheckSpec, Checks};

const SECRET: &str = "a secret of more than sixteen";

fn hmac(change: impl FnOnce(&mut Value)) -> Value {
    let mut check = json!({
        "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
        "header": "X-Signature",
    });
    change(&mut check);
    json!([check])
}

fn timed(change: impl FnOnce(&mut Value)) -> Value {
    hmac(|check| {
        check["signed"] = json!("timestamp.body");
        check["timestamp_header"] = json!("X-Timestamp");
        change(check);
    })
}

fn key(change: impl FnOnce(&mut Value)) -> Value {
    let mut check = json!({"type": "api_key", "header": "X-Api-Key", "key": SECRET});
    change(&mut check);
    json!([check])
}

fn basic(change: impl FnOnce(&mut Value)) -> Value {
    let mut check = json!({"type": "basic", "username": "provider", "password": SECRET});
    change(&mut check);
    json!([check])
}

fn twilio(change: impl FnOnce(&mut Value)) -> Value {
    let mut check = json!({"type": "twilio", "auth_token": SECRET});
    change(&mut check);
    json!([check])
}

fn vonage(change: impl FnOnce(&mut Value)) -> Value {
    let mut check = json!({"type": "vonage", "secret": SECRET, "method": "sha256"});
    change(&mut check);
    json!([check])
}

fn networks(cidrs: &Value) -> Value {
    json!([{"type": "ip_allowlist", "cidrs": cidrs}])
}

/// Removes a field.
fn without(name: &'static str) -> impl FnOnce(&mut Value) {
    move |check| {
        check.as_object_mut().unwrap().remove(name);
    }
}

#[test]
fn every_form_of_a_check_is_accepted() {
    let long = "k".repeat(512);
    for list in [
        json!([{"type": "token"}]),
        hmac(|_| {}),
        hmac(|check| check["secret"] = json!("sixteen printed!")),
        hmac(|check| check["secret"] = json!(long)),
        hmac(|check| check["prefix"] = json!("sha256=")),
        hmac(|check| check["prefix"] = json!("")),
        hmac(|check| check["prefix"] = Value::Null),
        hmac(|check| check["signed"] = json!("body")),
        hmac(|check| check["tolerance_seconds"] = json!(60)),
        hmac(|check| {
            check["secret"] = Value::Null;
            check["secrets"] = json!([SECRET]);
        }),
        timed(|_| {}),
        timed(|check| check["tolerance_seconds"] = json!(1)),
        timed(|check| check["tolerance_seconds"] = json!(86_400)),
        key(|_| {}),
        key(|check| check["key"] = json!("a key, with a comma in it")),
        basic(|_| {}),
        basic(|check| check["username"] = json!("a")),
        basic(|check| check["username"] = json!("u".repeat(128))),
        basic(|check| check["password"] = json!(" a password: with all: ")),
        twilio(|_| {}),
        twilio(|check| check["public_url"] = Value::Null),
        twilio(|check| check["public_url"] = json!("https://hooks.example.org")),
        twilio(|check| check["public_url"] = json!("http://[2001:db8::1]:8080/a/b?c=d@e")),
        vonage(|_| {}),
        vonage(|check| check["method"] = json!("md5hash")),
        vonage(|check| check["method"] = json!("md5")),
        vonage(|check| check["method"] = json!("sha1")),
        vonage(|check| check["method"] = json!("sha512")),
        networks(&json!([
            "203.0.113.0/24",
            "2001:db8::/32",
            "::ffff:198.51.100.0/120"
        ])),
        json!([{"type": "ip_allowlist", "cidrs": ["0.0.0.0/0", "::/0"], "allow_any": true}]),
        json!([{"type": "token"}, hmac(|_| {})[0], timed(|_| {})[0], key(|_| {})[0]]),
    ] {
        accepted(&list);
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let many: Vec<Value> = (0..9).map(|_| json!({"type": "token"})).collect();
    let crowd: Vec<Value> = (0..257).map(|_| json!("203.0.113.0/24")).collect();
    let long = "k".repeat(513);
    let table: Vec<(Value, &str, &str)> = vec![
        (Value::Null, "", "is required"),
        (json!({"type": "token"}), "", "must be a list"),
        (json!("token"), "", "must be a list"),
        (json!([]), "", "at least one"),
        (json!(many), "", "at most 8"),
        (json!(["token"]), "/0", "must be an object"),
        (
            json!([{}]),
            "/0/type",
            "one of token, hmac, api_key, basic, twilio, vonage, ip_allowlist",
        ),
        (json!([{"type": 7}]), "/0/type", "one of token"),
        (json!([{"type": "Basic"}]), "/0/type", "one of token"),
        (json!([{"type": "Token"}]), "/0/type", "one of token"),
        (
            json!([{"type": "token", "token": "mine"}]),
            "/0/token",
            "unknown field `token`",
        ),
        (
            json!([{"type": "token", "a/b~c": 1}]),
            "/0/a~1b~0c",
            "unknown field `a/b~c`",
        ),
        (
            json!([{"type": "token"}, {"type": "token"}]),
            "/1",
            "at most one token",
        ),
        (
            hmac(|check| check["colour"] = json!("red")),
            "/0/colour",
            "unknown field `colour`",
        ),
        (
            hmac(|check| check["key"] = json!(SECRET)),
            "/0/key",
            "unknown field `key`",
        ),
        (
            hmac(without("algorithm")),
            "/0/algorithm",
            "one of sha256, sha512, sha1, md5",
        ),
        (
            hmac(|check| check["algorithm"] = json!("SHA256")),
            "/0/algorithm",
            "one of sha256",
        ),
        (
            hmac(without("encoding")),
            "/0/encoding",
            "one of hex, base64",
        ),
        (
            hmac(|check| check["encoding"] = json!("base64url")),
            "/0/encoding",
            "one of hex",
        ),
        (hmac(without("header")), "/0/header", "is required"),
        (
            hmac(|check| check["header"] = json!(7)),
            "/0/header",
            "must be a string",
        ),
        (
            hmac(|check| check["header"] = json!("X Signature")),
            "/0/header",
            "header name",
        ),
        (
            hmac(|check| check["header"] = json!("")),
            "/0/header",
            "header name",
        ),
        (hmac(without("secret")), "/0", "must have a `secret`"),
        (
            hmac(|check| check["secrets"] = json!([SECRET])),
            "/0",
            "not both",
        ),
        (
            hmac(|check| check["secret"] = json!(7)),
            "/0/secret",
            "must be a string",
        ),
        (
            hmac(|check| check["secret"] = json!("fifteen letters")),
            "/0/secret",
            "16 to 512",
        ),
        (
            hmac(|check| check["secret"] = json!(long)),
            "/0/secret",
            "16 to 512",
        ),
        (
            hmac(|check| check["secret"] = json!("sixteen letters\n")),
            "/0/secret",
            "printable",
        ),
        (
            hmac(|check| check["secret"] = json!("sixteen lettersé")),
            "/0/secret",
            "printable",
        ),
        (
            hmac(|check| {
                without("secret")(check);
                check["secrets"] = json!([]);
            }),
            "/0/secrets",
            "one or two",
        ),
        (
            hmac(|check| {
                without("secret")(check);
                check["secrets"] = json!([SECRET, SECRET, SECRET]);
            }),
            "/0/secrets",
            "one or two",
        ),
        (
            hmac(|check| {
                without("secret")(check);
                check["secrets"] = json!([SECRET, "short"]);
            }),
            "/0/secrets/1",
            "16 to 512",
        ),
        (
            hmac(|check| {
                without("secret")(check);
                check["secrets"] = json!([SECRET, 7]);
            }),
            "/0/secrets/1",
            "must be a string",
        ),
        (
            hmac(|check| {
                without("secret")(check);
                check["secrets"] = json!(SECRET);
            }),
            "/0/secrets",
            "must be a list",
        ),
        (
            hmac(|check| check["prefix"] = json!(" sha256=")),
            "/0/prefix",
            "space",
        ),
        (
            hmac(|check| check["prefix"] = json!("é")),
            "/0/prefix",
            "printable",
        ),
        (
            hmac(|check| check["prefix"] = json!("p".repeat(65))),
            "/0/prefix",
            "at most 64",
        ),
        (
            hmac(|check| check["signed"] = json!("url")),
            "/0/signed",
            "one of body, timestamp.body",
        ),
        (
            hmac(|check| check["timestamp_header"] = json!("X-Timestamp")),
            "/0/timestamp_header",
            "timestamp.body",
        ),
        (
            timed(without("timestamp_header")),
            "/0/timestamp_header",
            "is required",
        ),
        (
            timed(|check| check["timestamp_header"] = json!("X:T")),
            "/0/timestamp_header",
            "header name",
        ),
        (
            timed(|check| check["timestamp_header"] = json!("x-signature")),
            "/0/timestamp_header",
            "must differ",
        ),
        (
            timed(|check| check["tolerance_seconds"] = json!(0)),
            "/0/tolerance_seconds",
            "1 to 86400",
        ),
        (
            timed(|check| check["tolerance_seconds"] = json!(86_401)),
            "/0/tolerance_seconds",
            "1 to 86400",
        ),
        (
            timed(|check| check["tolerance_seconds"] = json!(-1)),
            "/0/tolerance_seconds",
            "whole",
        ),
        (
            timed(|check| check["tolerance_seconds"] = json!(1.5)),
            "/0/tolerance_seconds",
            "whole",
        ),
        (
            timed(|check| check["tolerance_seconds"] = json!("300")),
            "/0/tolerance_seconds",
            "whole",
        ),
        (key(without("header")), "/0/header", "is required"),
        (
            key(|check| check["header"] = json!("X-Key,Y")),
            "/0/header",
            "header name",
        ),
        (key(without("key")), "/0/key", "is required"),
        (
            key(|check| check["key"] = json!("short")),
            "/0/key",
            "16 to 512",
        ),
        (
            key(|check| check["key"] = json!(" sixteen letters")),
            "/0/key",
            "space",
        ),
        (basic(without("username")), "/0/username", "is required"),
        (basic(without("password")), "/0/password", "is required"),
        (
            basic(|check| check["username"] = json!("")),
            "/0/username",
            "1 to 128",
        ),
        (
            basic(|check| check["username"] = json!("u".repeat(129))),
            "/0/username",
            "1 to 128",
        ),
        (
            basic(|check| check["username"] = json!("usér")),
            "/0/username",
            "printable",
        ),
        (
            basic(|check| check["username"] = json!("a:b")),
            "/0/username",
            "colon",
        ),
        (
            basic(|check| check["password"] = json!("short")),
            "/0/password",
            "16 to 512",
        ),
        (
            basic(|check| check["key"] = json!(SECRET)),
            "/0/key",
            "unknown field `key`",
        ),
        (
            twilio(without("auth_token")),
            "/0/auth_token",
            "is required",
        ),
        (
            twilio(|check| check["auth_token"] = json!("12345")),
            "/0/auth_token",
            "16 to 512",
        ),
        (
            twilio(|check| check["public_url"] = json!(7)),
            "/0/public_url",
            "must be a string",
        ),
        (
            twilio(|check| check["public_url"] = json!("hooks.example.org")),
            "/0/public_url",
            "begin with https://",
        ),
        (
            twilio(|check| check["public_url"] = json!("https:///reports")),
            "/0/public_url",
            "a host",
        ),
        (
            twilio(|check| check["public_url"] = json!("https://a:b@hooks.example.org/")),
            "/0/public_url",
            "a user or a password",
        ),
        (
            twilio(|check| check["public_url"] = json!("https://hooks.example.org/#rc=2")),
            "/0/public_url",
            "fragment",
        ),
        (
            twilio(|check| check["public_url"] = json!("https://hooks.example.org/ x")),
            "/0/public_url",
            "without a space",
        ),
        (
            twilio(|check| check["public_url"] = json!(format!("https://{}", "h".repeat(2_041)))),
            "/0/public_url",
            "at most 2048",
        ),
        (vonage(without("secret")), "/0/secret", "is required"),
        (
            vonage(|check| check["secret"] = json!("short")),
            "/0/secret",
            "16 to 512",
        ),
        (
            vonage(without("method")),
            "/0/method",
            "one of md5hash, md5, sha1, sha256, sha512",
        ),
        (
            vonage(|check| check["method"] = json!("md5hmac")),
            "/0/method",
            "one of md5hash",
        ),
        (
            vonage(|check| check["secrets"] = json!([SECRET])),
            "/0/secrets",
            "unknown field `secrets`",
        ),
        (json!([{"type": "ip_allowlist"}]), "/0/cidrs", "is required"),
        (
            networks(&json!("203.0.113.0/24")),
            "/0/cidrs",
            "must be a list",
        ),
        (networks(&json!([])), "/0/cidrs", "1 to 256"),
        (networks(&json!(crowd)), "/0/cidrs", "at most 256"),
        (
            networks(&json!(["203.0.113.0/24", 7])),
            "/0/cidrs/1",
            "must be a string",
        ),
        (
            networks(&json!(["203.0.113.0/24", "203.0.113.1/24"])),
            "/0/cidrs/1",
            "203.0.113.0/24",
        ),
        (
            networks(&json!(["203.0.113.0/33"])),
            "/0/cidrs/0",
            "0 to 32",
        ),
        (networks(&json!(["0.0.0.0/0"])), "/0/cidrs/0", "allow_any"),
        (
            json!([{"type": "ip_allowlist", "cidrs": ["::/0"], "allow_any": "yes"}]),
            "/0/allow_any",
            "true or false",
        ),
        (
            json!([{"type": "ip_allowlist", "cidrs": ["::/0"], "allow_any": false}]),
            "/0/cidrs/0",
            "allow_any",
        ),
    ];
    for (list, pointer, told) in table {
        let found = refused(&list);
        assert_eq!(found.len(), 1, "{list}: {found:?}");
        assert_eq!(found[0].pointer, pointer, "{list}: {found:?}");
        assert!(found[0].detail.contains(told), "{list}: {found:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_there_is_an_end_to_it() {
    let found = refused(&json!([
        {"type": "hmac", "header": 7},
        {"type": "api_key", "colour": 1},
        {"type": "nothing"},
    ]));
    let pointers: Vec<&str> = found
        .iter()
        .map(|invalid| invalid.pointer.as_str())
        .collect();
    let expected = [
        "/0/algorithm",
        "/0/encoding",
        "/0/header",
        "/1/header",
        "/1/key",
        "/1/colour",
        "/2/type",
    ];
    assert_eq!(pointers, expected);

    let crowd: Vec<u32> = (0..256).collect();
    assert_eq!(refused(&networks(&json!(crowd))).len(), 32);
    let found = refused(&json!([{"type": "token", "x".repeat(100_000): 1}]));
    assert!(
        found[0].pointer == "/0" && found[0].detail.len() < 100,
        "{found:?}"
    );
}

#[test]
fn no_message_quotes_a_secret() {
    let secret = "1234567890123456é";
    for list in [
        hmac(|check| check["secret"] = json!(1_234_567_890_123_456_u64)),
        hmac(|check| check["secret"] = json!(secret)),
        hmac(|check| check["secrets"] = json!([secret])),
        key(|check| check["key"] = json!(secret)),
        key(|check| check["key"] = json!([secret])),
        basic(|check| check["password"] = json!(secret)),
        twilio(|check| check["auth_token"] = json!(secret)),
        twilio(|check| check["public_url"] = json!("https://a:1234567890123456@example.com")),
        vonage(|check| check["secret"] = json!(secret)),
        vonage(|check| check["method"] = json!(secret)),
    ] {
        assert!(!format!("{:?}", refused(&list)).contains("1234"), "{list}");
    }
}

#[test]
fn a_single_check_is_read_from_json_too() {
    let spec: CheckSpec = serde_json::from_value(hmac(|_| {})[0].clone()).unwrap();
    assert!(Checks::from_specs(vec![spec], || unreachable!("no token is wanted")).is_ok());

    let refused =
        serde_json::from_value::<CheckSpec>(json!({"type": "token", "x": 1})).unwrap_err();
    assert_eq!(refused.to_string(), "invalid check: /x: unknown field `x`");
}

#[test]
fn a_weak_token_is_refused() {
    for token in [
        "",
        "short",
        "0123456789abcdefghijk",
        "0123456789/abcdefghijkl",
        &"a".repeat(129),
    ] {
        let found = Checks::from_specs(vec![CheckSpec::Token], || token.to_owned()).unwrap_err();
        assert_eq!(found[0].pointer, "/0", "{token}");
        assert!(
            accepted(&json!([{"type": "token"}]))
                .with_token(token.to_owned())
                .is_none()
        );
    }
}
