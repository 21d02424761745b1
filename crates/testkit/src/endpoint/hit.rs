//! A request as an endpoint received it.

use crate::server::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use standardwebhooks::Webhook;
use std::fmt;
use std::time::Instant;

/// The headers that Standard Webhooks signs or signs with.
const SIGNED: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
/// How much of a body is shown.
const SHOWN_CHARACTERS: usize = 300;

/// One request to an [`Endpoint`](crate::Endpoint).
#[derive(Debug, Clone)]
pub struct Hit {
    /// When it had been read to its end.
    pub at: Instant,
    /// In capitals.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case, in the order they came; a repeated one is there repeatedly.
    pub headers: Vec<(String, String)>,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

impl Hit {
    pub(crate) fn new(at: Instant, request: Request) -> Self {
        Self {
            at,
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body,
        }
    }

    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// Every header of this name, which is given in lower case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The body read as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(json) => json,
            Err(error) => panic!("the body is not JSON ({error}): {self}"),
        }
    }

    /// The header `webhook-id`.
    ///
    /// # Panics
    ///
    /// Without one.
    #[track_caller]
    pub fn webhook_id(&self) -> &str {
        match self.header("webhook-id") {
            Some(id) => id,
            None => panic!("no webhook-id: {self}"),
        }
    }

    /// The header `webhook-timestamp`, in Unix seconds.
    ///
    /// # Panics
    ///
    /// Without one that is a number.
    #[track_caller]
    pub fn webhook_timestamp(&self) -> i64 {
        match self.header("webhook-timestamp").map(str::parse) {
            Some(Ok(seconds)) => seconds,
            _ => panic!("no webhook-timestamp that is a number: {self}"),
        }
    }

    /// Verifies the signature with the `standardwebhooks` crate, as a tenant would, against the clock
    /// of this machine (5 minutes either way).
    ///
    /// `secret` is the `whsec_…` text. The error says why a tenant would refuse the request.
    pub fn verify(&self, secret: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for name in SIGNED {
            let mut values = self.header_values(name);
            let value = values.next().ok_or_else(|| format!("no {name}"))?;
            if values.next().is_some() {
                return Err(format!("more than one {name}"));
            }
            let value = HeaderValue::from_str(value).map_err(|error| format!("{name}: {error}"))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
        webhook
            .verify(&self.body, &headers)
            .map_err(|error| error.to_string())
    }

    /// The same whenever it was sent: for tests that move the clock of the sender.
    pub fn verify_at_any_time(&self, secret: &str) -> Result<(), String> {
        let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
        let (id, at) = (self.webhook_id(), self.webhook_timestamp());
        let expected = webhook.sign(id, at, &self.body);
        let expected = expected.map_err(|error| error.to_string())?;
        let given = self.header("webhook-signature").unwrap_or_default();
        if given.split(' ').any(|signature| signature == expected) {
            Ok(())
        } else {
            Err(format!("{given} is not {expected}"))
        }
    }
}

/// Enough to recognise the request by, on one line.
impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, .. } = self;
        let id = self.header("webhook-id").unwrap_or("-");
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(SHOWN_CHARACTERS).collect();
        write!(f, "{method} {path} webhook-id: {id} body: {body:?}")
    }
}
