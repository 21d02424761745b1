//! A request, read from bytes so that the seeds of a corpus look like one.

use super::account::KNOWN_SOURCE;
use super::line;
use signing::checks::{Checks, Parameters, Presented, Refusal};
use std::net::IpAddr;

/// The most headers that are read; the HTTP library takes no more either.
const MAX_HEADERS: usize = 96;

const NOW_MS: i64 = 1_700_000_000_000;

/// What a caller sends.
#[derive(Clone)]
pub(super) struct Request<'a> {
    headers: Vec<(String, &'a [u8])>,
    target: String,
    has_token: bool,
    parameters: Option<Parameters>,
    source: IpAddr,
    pub(super) now_ms: i64,
    pub(super) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A byte of choices, the request's target to the end of the line, a line `name: value` for each
    /// header, an empty line, the body. The choices are bits, and `@` is none of them: 0 and 1 say
    /// where the parameters are (nowhere, form, JSON, query), 2 whether the end of the path is
    /// presented as the token, 3 whether the source is unknown, 4 whether it is IPv6, 5 and 6 the time
    /// (usual, 1970, the last, the first).
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let (choices, bytes) = bytes.split_first().unwrap_or((&b'@', &[]));
        let choices = choices ^ b'@';
        let (target, mut rest) = line(bytes);
        let mut headers = Vec::new();
        while headers.len() < MAX_HEADERS {
            let (header, after) = line(rest);
            rest = after;
            if header.is_empty() {
                break;
            }
            headers.push(header_of(header));
        }
        Self {
            headers,
            target: String::from_utf8_lossy(target).into_owned(),
            has_token: choices & 4 != 0,
            parameters: match choices & 3 {
                1 => Some(Parameters::Form),
                2 => Some(Parameters::Json),
                3 => Some(Parameters::Query),
                _ => None,
            },
            source: source(choices & 8 == 0, choices & 16 != 0),
            now_ms: match choices >> 5 & 3 {
                1 => 0,
                2 => i64::MAX,
                3 => i64::MIN,
                _ => NOW_MS,
            },
            body: rest,
        }
    }

    pub(super) fn verified_by(&self, checks: &Checks) -> Result<(), Refusal> {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        let path = self.target.split('?').next().unwrap_or_default();
        let token = path.rsplit('/').next().filter(|_| self.has_token);
        checks.verify(&Presented {
            headers: &headers,
            token,
            body: self.body,
            public_url: "https://sms.example.com",
            target: &self.target,
            parameters: self.parameters,
            source: self.source,
            now_ms: self.now_ms,
        })
    }

    /// The same with these headers and this body, and without a token, which is one too many where
    /// there is no check of it.
    pub(super) fn with<'b>(&self, headers: Vec<(String, &'b [u8])>, body: &'b [u8]) -> Request<'b> {
        Request {
            headers,
            target: self.target.clone(),
            has_token: false,
            body,
            ..*self
        }
    }

    /// The same with its headers in another order, and their names in upper case.
    pub(super) fn turned(&self) -> Self {
        let headers = self.headers.iter().rev();
        Self {
            headers: headers
                .map(|(name, value)| (name.to_ascii_uppercase(), *value))
                .collect(),
            ..self.clone()
        }
    }
}

/// A name in lower case, as the HTTP library gives it, and a value without the spaces before it.
fn header_of(line: &[u8]) -> (String, &[u8]) {
    let mut halves = line.splitn(2, |byte| *byte == b':');
    let name = halves.next().unwrap_or_default();
    let value = halves.next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    (name, value.trim_ascii_start())
}

fn source(is_known: bool, is_ipv6: bool) -> IpAddr {
    let source = match (is_known, is_ipv6) {
        (true, false) => KNOWN_SOURCE,
        (true, true) => "::ffff:203.0.113.9",
        (false, false) => "198.51.100.1",
        (false, true) => "2001:db9::1",
    };
    source.parse().expect("it is an address")
}
