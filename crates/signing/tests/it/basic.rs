//! A user name and a password.

use crate::{Request, accepted};
use serde_json::json;
use tidings_signing::checks::{Checks, Refusal};

/// `provider:a password of 16+`, in base64 by another program.
const CREDENTIALS: &str = "cHJvdmlkZXI6YSBwYXNzd29yZCBvZiAxNis=";

fn checks() -> Checks {
    accepted(&json!([
        {"type": "basic", "username": "provider", "password": "a password of 16+"},
    ]))
}

fn judged(values: &[String]) -> Result<(), Refusal> {
    let mut request = Request::new(b"");
    for value in values {
        request = request.with("authorization", value);
    }
    request.verified_by(&checks())
}

#[test]
fn the_right_credentials_pass_whatever_the_case_of_the_scheme() {
    for scheme in ["Basic", "basic", "BASIC", "Basic "] {
        assert_eq!(
            judged(&[format!("{scheme} {CREDENTIALS}")]),
            Ok(()),
            "{scheme}"
        );
    }
}

#[test]
fn missing_repeated_and_wrong_credentials_are_refused_alike() {
    let good = format!("Basic {CREDENTIALS}");
    let wrong = |credentials: &str| vec![format!("Basic {credentials}")];
    for values in [
        vec![],
        vec![String::new()],
        vec!["Basic".to_owned()],
        vec!["Basic ".to_owned()],
        vec![good.clone(), good.clone()],
        vec![good.clone(), "Bearer x".to_owned()],
        vec![format!("{good}, {good}")],
        vec![format!("{good} ")],
        vec![format!(" {good}")],
        vec![format!("Basic\t{CREDENTIALS}")],
        vec![format!("Basic{CREDENTIALS}")],
        vec![format!("Bearer {CREDENTIALS}")],
        vec![CREDENTIALS.to_owned()],
        vec!["é".repeat(3)],
        // Without padding, in another case, and as it is before it is encoded.
        wrong(CREDENTIALS.trim_end_matches('=')),
        wrong(&CREDENTIALS.to_lowercase()),
        wrong("provider:a password of 16+"),
        // Another user, another password, one that is longer, none.
        wrong("UHJvdmlkZXI6YSBwYXNzd29yZCBvZiAxNis="),
        wrong("cHJvdmlkZXI6YSBwYXNzd29yZCBvZiAxNi0="),
        wrong("cHJvdmlkZXI6YSBwYXNzd29yZCBvZiAxNisr"),
        wrong("cHJvdmlkZXI6"),
        wrong("cHJvdmlkZXI="),
    ] {
        assert_eq!(judged(&values), Err(Refusal::InvalidApiKey), "{values:?}");
    }
}

#[test]
fn a_password_may_have_a_colon() {
    let checks = accepted(&json!([
        {"type": "basic", "username": "a", "password": "b:0123456789abcdef"},
    ]));
    let request = Request::new(b"").with("authorization", "Basic YTpiOjAxMjM0NTY3ODlhYmNkZWY=");
    assert_eq!(request.verified_by(&checks), Ok(()));
}
