//! What a load asks for.

use crate::http::Request;
use crate::id;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Writes the requests of a load, and reads what was accepted from their answers.
pub trait Script: Send + Sync + 'static {
    /// Appends the request of this number to `request`.
    fn write(&self, number: u64, request: &mut Vec<u8>);

    /// What was accepted by an answer of 2xx, under the key by which its arrival is known. Nothing when
    /// the answer does not say so.
    fn key(&self, number: u64, body: &[u8]) -> Option<u128>;
}

/// Publishes an event with 150 bytes of data.
pub struct Publish(Request);

impl Publish {
    /// For the tenant with this API key.
    pub fn new(api_key: &str) -> Self {
        Self(authorized(Request::post("/v1/events"), api_key))
    }
}

impl Script for Publish {
    fn write(&self, number: u64, request: &mut Vec<u8>) {
        let body = format!(
            r#"{{"type":"job.completed","data":{{"number":{number},"reference":"visit-{number:08}","clinic":"Kijani","language":"sw","text":"The results of your visit are ready to be fetched."}}}}"#
        );
        self.0.write(body.as_bytes(), request);
    }

    fn key(&self, _number: u64, body: &[u8]) -> Option<u128> {
        let at = body.windows(4).position(|four| four == b"evt_")?;
        id::key(&body[at..body.len().min(at + id::LENGTH)])
    }
}

/// Registers a message for each number.
pub struct Register {
    request: Request,
    account: String,
}

impl Register {
    /// Sent through this provider account.
    pub fn new(api_key: &str, account: &str) -> Self {
        Self {
            request: authorized(Request::post("/v1/messages"), api_key),
            account: account.to_owned(),
        }
    }
}

impl Script for Register {
    fn write(&self, number: u64, request: &mut Vec<u8>) {
        let body = format!(
            r#"{{"provider_account":"{}","provider_message_id":"{}","to":"{}"}}"#,
            self.account,
            id::message(number),
            phone(number)
        );
        self.request.write(body.as_bytes(), request);
    }

    fn key(&self, number: u64, _body: &[u8]) -> Option<u128> {
        Some(number.into())
    }
}

/// Reports, signed, that the message of a number was delivered.
pub struct Report {
    path: String,
    secret: String,
}

/// The header of the signature, HMAC with SHA-256 in hexadecimal digits over the body.
pub const SIGNATURE_HEADER: &str = "x-signature";

impl Report {
    /// As the provider of this account, which signs with `secret`.
    pub fn new(account: &str, secret: &str) -> Self {
        Self {
            path: format!("/v1/callbacks/{account}/reports"),
            secret: secret.to_owned(),
        }
    }
}

impl Script for Report {
    fn write(&self, number: u64, request: &mut Vec<u8>) {
        let body = format!(
            r#"{{"messageId":"{}","status":"DELIVRD","to":"{}","doneAt":"2026-01-02T03:04:05Z"}}"#,
            id::message(number),
            phone(number)
        );
        let signature = signature(&self.secret, body.as_bytes());
        Request::post(&self.path)
            .header(SIGNATURE_HEADER, &signature)
            .write(body.as_bytes(), request);
    }

    fn key(&self, number: u64, _body: &[u8]) -> Option<u128> {
        Some(number.into())
    }
}

/// Asks whether messages are delivered.
pub struct Ask {
    api_key: String,
    /// The numbers of the messages.
    pub numbers: Vec<u64>,
}

impl Ask {
    /// About the messages of these numbers.
    pub fn new(api_key: &str, numbers: Vec<u64>) -> Self {
        Self {
            api_key: api_key.to_owned(),
            numbers,
        }
    }

    fn number(&self, index: u64) -> Option<u64> {
        let index = usize::try_from(index).ok()?;
        self.numbers.get(index).copied()
    }
}

impl Script for Ask {
    fn write(&self, index: u64, request: &mut Vec<u8>) {
        let id = id::message(self.number(index).unwrap_or_default());
        let ask = Request::get(format!("/v1/messages?provider_message_id={id}"));
        authorized(ask, &self.api_key).write(b"", request);
    }

    fn key(&self, index: u64, body: &[u8]) -> Option<u128> {
        let delivered = br#""state":"delivered""#;
        let is_delivered = body.windows(delivered.len()).any(|part| part == delivered);
        self.number(index).filter(|_| is_delivered).map(u128::from)
    }
}

/// What costs nothing to answer: the ceiling of everything that goes over HTTP.
pub struct Bare(Request);

impl Bare {
    /// For the receiver of this run.
    pub fn new() -> Self {
        Self(Request::post("/"))
    }
}

impl Script for Bare {
    fn write(&self, number: u64, request: &mut Vec<u8>) {
        let body = format!(r#"{{"number":{number},"text":"{:>300}"}}"#, "");
        self.0.write(body.as_bytes(), request);
    }

    fn key(&self, number: u64, _body: &[u8]) -> Option<u128> {
        Some(number.into())
    }
}

fn authorized(request: Request, api_key: &str) -> Request {
    request.header("authorization", &format!("Bearer {api_key}"))
}

fn phone(number: u64) -> String {
    format!("+2547{:08}", number % 100_000_000)
}

fn signature(secret: &str, body: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_event_is_its_id() {
        let body = br#"{"id":"evt_00000000000000000000000001"}"#;
        assert_eq!(Publish::new("key").key(9, body), Some(1));
        assert_eq!(Publish::new("key").key(9, br#"{"id":"evt_0000"}"#), None);
    }

    #[test]
    fn a_message_is_asked_for_until_it_is_delivered() {
        let ask = Ask::new("key", vec![7]);
        assert_eq!(ask.key(0, br#"{"data":[{"state":"sent"}]}"#), None);
        assert_eq!(ask.key(0, br#"{"data":[{"state":"delivered"}]}"#), Some(7));
    }

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        let digits = signature("Jefe", b"what do ya want for nothing?");
        assert!(digits.starts_with("5bdcc146bf60754e6a042426"), "{digits}");
    }
}
