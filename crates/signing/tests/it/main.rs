//! The crate through its public face.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod basic;
mod parse;
mod refusal;
mod secrecy;
mod signature;
mod twilio;
mod vault;
mod vonage;
mod webhook;

use serde_json::Value;
use tidings_signing::checks::{CheckSpec, Checks, Invalid, Parameters, Presented, Refusal};

const TOKEN: &str = "0123456789abcdefghijkl";
const NOW_MS: i64 = 1_700_000_000_000;

/// A request that a test alters: owned headers, so that they can be changed one by one.
#[derive(Clone)]
struct Request {
    headers: Vec<(&'static str, Vec<u8>)>,
    token: Option<&'static str>,
    body: Vec<u8>,
    target: &'static str,
    parameters: Option<Parameters>,
    source: &'static str,
    now_ms: i64,
}

impl Request {
    fn new(body: &[u8]) -> Self {
        let body = body.to_vec();
        Self {
            headers: Vec::new(),
            token: None,
            body,
            target: "/v1/callbacks/clinic/reports",
            parameters: Some(Parameters::Form),
            source: "203.0.113.9",
            now_ms: NOW_MS,
        }
    }

    fn with(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    fn verified_by(&self, checks: &Checks) -> Result<(), Refusal> {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_slice()))
            .collect();
        checks.verify(&Presented {
            headers: &headers,
            token: self.token,
            body: &self.body,
            public_url: "https://sms.example.com",
            target: self.target,
            parameters: self.parameters,
            source: self.source.parse().unwrap(),
            now_ms: self.now_ms,
        })
    }
}

/// The checks of the API's JSON.
fn accepted(list: &Value) -> Checks {
    let specs = Checks::parse_specs(list).unwrap();
    Checks::from_specs(specs, || TOKEN.to_owned()).unwrap()
}

/// Everything that is wrong with the API's JSON, in shape or in meaning.
fn refused(list: &Value) -> Vec<Invalid> {
    let found = Checks::parse_specs(list)
        .and_then(|specs: Vec<CheckSpec>| Checks::from_specs(specs, || TOKEN.to_owned()));
    found.expect_err("the list was accepted")
}
