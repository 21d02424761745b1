//! A request at a callback address, as it came.

use domain::Timestamp;
use domain::callback::Kind;
use providers::MediaType;
use signing::checks::Parameters;
use std::net::IpAddr;

use crate::Account;

/// The methods by which a callback is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What it says is in its body.
    Post,
    /// What it says is in its query, for providers that call so.
    Get,
}

/// A request at a callback address, as it came.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// Which of the account's URLs it came to.
    pub kind: Kind,
    /// The token in its path.
    pub token: Option<&'a str>,
    /// The path and the query, as they stand in the request line.
    pub target: &'a str,
    /// All headers, names in lower case, repeated ones as often as they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: &'a [u8],
    /// Who called.
    pub source: IpAddr,
    /// When the whole of it was here.
    pub received_at: Timestamp,
}

impl<'a> Request<'a> {
    /// What it says, which is what is signed, read and kept: its body, or the query of a GET of those
    /// who call so, whose body nobody looks at.
    pub fn said(&self, account: &Account) -> &'a [u8] {
        if self.method == Method::Get && account.provider.calls_by_get() {
            self.query().as_bytes()
        } else {
            self.body
        }
    }

    /// How many bytes of it there are: its target, its headers and its body.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        self.target.len() + headers + self.body.len()
    }

    fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// How what it says is to be read; a query is a form.
    pub(crate) fn media_type(&self, account: &Account) -> Option<MediaType> {
        match self.method {
            Method::Get => Some(MediaType::Form),
            Method::Post => account.provider.media_type(self.content_type()),
        }
    }

    /// The place that is read once the callback is believed: a signature over parameters is of those.
    pub(crate) fn parameters(&self, account: &Account) -> Option<Parameters> {
        if self.method == Method::Get {
            return Some(Parameters::Query);
        }
        Some(match self.media_type(account)? {
            MediaType::Form => Parameters::Form,
            MediaType::Json => Parameters::Json,
        })
    }

    /// The content type; no type at all when it cannot be read, or when there are two, of which nobody
    /// can tell which one another program on the way looked at.
    fn content_type(&self) -> Option<&'a str> {
        const NO_TYPE: &str = "unreadable";
        let mut values = self
            .headers
            .iter()
            .filter(|(name, _)| *name == "content-type");
        let (_, first) = values.next()?;
        if values.next().is_some() {
            return Some(NO_TYPE);
        }
        Some(std::str::from_utf8(first).unwrap_or(NO_TYPE))
    }
}
