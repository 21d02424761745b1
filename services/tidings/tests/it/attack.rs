//! Attacks by name, in a table for each family: what is sent, what it is answered, as what it is
//! counted, and that nothing came of any of them.
//!
//! An attack is a request that would be believed, or read, but for the one thing that its name
//! says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod authentication;
mod flood;
mod identity;
mod parser;
mod protocol;
mod replay;
mod scene;
mod seen;

use scene::{Known, genuine, provider_of};
use std::collections::BTreeSet;

/// A request that must come to nothing.
struct Attack {
    /// What is wrong with it.
    name: &'static str,
    /// The account it aims at, under whose slug it is noticed.
    account: &'static str,
    sent: Sent,
    answer: Answer,
    /// By provider and outcome; nothing where the door does not get to see a callback at all: an
    /// address that is none, or what the HTTP library refuses by itself.
    counted: Option<(&'static str, &'static str)>,
    /// The type of the security event that it is, if it is one.
    noticed: Option<&'static str>,
}

enum Sent {
    Request(Request),
    /// Bytes, as they are.
    Raw(Vec<u8>),
}

/// A proper request, however odd what is in it.
struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What an attack is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// A problem with this status and code.
    Problem(u16, &'static str),
    /// An empty answer of the HTTP library with this status.
    Bare(u16),
    /// None: the connection is closed.
    Closed,
}

/// The provider's own report that the account's message was delivered, without credentials.
fn attack(name: &'static str, account: &'static str) -> Attack {
    let (content_type, body) = genuine(provider_of(account));
    Attack {
        name,
        account,
        sent: Sent::Request(Request {
            method: "POST",
            target: format!("/v1/callbacks/{account}/reports"),
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }),
        answer: Answer::Closed,
        counted: None,
        noticed: None,
    }
}

/// What it says in place of that report.
impl Attack {
    fn method(mut self, method: &'static str) -> Self {
        self.request().method = method;
        self
    }

    fn to(mut self, target: impl Into<String>) -> Self {
        self.request().target = target.into();
        self
    }

    /// One more header.
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.request().headers.push((name, value.into()));
        self
    }

    fn content_type(mut self, value: &str) -> Self {
        self.request()
            .headers
            .retain(|(name, _)| *name != "content-type");
        self.with("content-type", value)
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request().body = body.into();
        self
    }

    /// These bytes in place of the request.
    fn raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.sent = Sent::Raw(bytes.into());
        self
    }

    fn request(&mut self) -> &mut Request {
        match &mut self.sent {
            Sent::Request(request) => request,
            Sent::Raw(_) => panic!("{}: the bytes are given", self.name),
        }
    }
}

/// What it comes to.
impl Attack {
    /// The caller did not show that it is the provider.
    fn refused(self, reason: &'static str) -> Self {
        let provider = provider_of(self.account);
        self.answered(401, "unauthorized", provider).noticed(reason)
    }

    /// The caller is the provider, and what it says cannot be read.
    fn malformed(self, code: &'static str) -> Self {
        let provider = provider_of(self.account);
        self.answered(400, code, provider).noticed("malformed")
    }

    /// The caller is the provider, and what it says is no callback.
    fn unrecognised(self) -> Self {
        let provider = provider_of(self.account);
        self.answered(422, "unrecognised", provider)
            .noticed("unrecognised")
    }

    /// The caller is the provider, which does not call so.
    fn not_taken(self, status: u16, code: &'static str) -> Self {
        let provider = provider_of(self.account);
        self.answered(status, code, provider)
    }

    /// Refused before the account is looked at, and so for whichever it is.
    fn early(self, status: u16, code: &'static str) -> Self {
        self.answered(status, code, "unknown")
    }

    /// The source failed too often.
    fn limited(self) -> Self {
        self.early(429, "rate_limited").noticed("rate_limited")
    }

    /// There is no such address: nothing is counted.
    fn nowhere(mut self) -> Self {
        self.answer = Answer::Problem(404, "not_found");
        self
    }

    /// The HTTP library refuses it by itself: nothing is counted.
    fn no_http(mut self, status: u16) -> Self {
        self.answer = Answer::Bare(status);
        self
    }

    fn answered(mut self, status: u16, code: &'static str, provider: &'static str) -> Self {
        self.answer = Answer::Problem(status, code);
        self.counted = Some((provider, code));
        self
    }

    fn noticed(mut self, reason: &'static str) -> Self {
        self.noticed = Some(reason);
        self
    }
}

impl Attack {
    fn bytes(&self) -> Vec<u8> {
        let request = match &self.sent {
            Sent::Raw(bytes) => return bytes.clone(),
            Sent::Request(request) => request,
        };
        let Request {
            method,
            target,
            headers,
            body,
        } = request;
        let headers = headers
            .iter()
            .map(|(name, value)| [name, ": ", value, "\r\n"].concat());
        let headers = headers.collect::<Vec<_>>().concat();
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }
}

#[test]
fn there_are_at_least_sixty_attacks_each_with_a_name_of_its_own() {
    let known = Known::nothing();
    let tables = [
        authentication::table(&known),
        identity::table(&known),
        protocol::table(),
        parser::table(),
        replay::table(&known),
        flood::table(),
    ];
    let sizes = tables.each_ref().map(Vec::len);
    let attacks: Vec<_> = tables.into_iter().flatten().collect();
    let names: BTreeSet<_> = attacks.iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), attacks.len(), "two attacks have one name");
    assert!(attacks.len() >= 60, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size >= 5), "{sizes:?}");
}
