//! Webhooks as a receiver reads them: the secret and the three headers.

use crate::signature::line;
use signing::WebhookSecret;
use signing::webhook::{self, VerifyError};

const NOW_S: i64 = 1_700_000_000;

/// Secrets that no input has.
const SECRETS: [[u8; 32]; 2] = [
    *b"a secret that no input has: new!",
    *b"a secret that no input has: old!",
];

/// The bytes as the lines `webhook-id`, `webhook-timestamp` and `webhook-signature`, and the body
/// after them. No such request is believed, unless it is signed.
pub(crate) fn survives(bytes: &[u8]) {
    let (id, rest) = line(bytes);
    let (timestamp, rest) = line(rest);
    let (signature, body) = line(rest);
    let [id, timestamp, signature] = [id, timestamp, signature].map(String::from_utf8_lossy);
    let secrets: Vec<_> = SECRETS
        .iter()
        .flat_map(|it| WebhookSecret::from_bytes(it))
        .collect();

    for tolerance_s in [300, u64::MAX] {
        let verified = webhook::verify(
            &secrets,
            &id,
            &timestamp,
            &signature,
            body,
            NOW_S,
            tolerance_s,
        );
        assert!(
            verified.is_err(),
            "a request was believed that nobody signed"
        );
    }
    if let Ok(secret) = WebhookSecret::parse(&signature) {
        assert!(
            secret.reveal() == signature,
            "there is one way to write a secret"
        );
    }
    if !id.is_empty() && !id.contains('.') {
        is_believed_when_signed(&secrets, &id, body);
    }
}

fn is_believed_when_signed(secrets: &[WebhookSecret], id: &str, body: &[u8]) {
    let verify = |signature: &str, body: &[u8]| {
        webhook::verify(secrets, id, &NOW_S.to_string(), signature, body, NOW_S, 0)
    };
    for secret in secrets {
        let signature = webhook::sign(std::slice::from_ref(secret), id, NOW_S, body);
        assert_eq!(verify(&signature, body), Ok(()));
        let longer = [body, b"\n"].concat();
        assert_eq!(verify(&signature, &longer), Err(VerifyError::NoMatch));
    }
}
