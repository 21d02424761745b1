//! A request that was refused, as it is kept sealed in quarantine: whole, so that it can be checked and
//! read again.

use crate::request::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::callback::Kind;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The largest body that is kept, in bytes.
pub const MAX_KEPT_BYTES: usize = 64 * 1024;

/// A refused request. Only ever stored sealed: it holds secrets and phone numbers.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    is_get: bool,
    kind: Kind,
    token: Option<String>,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    source: IpAddr,
    received_at: Timestamp,
}

impl Kept {
    /// The request, as it is sealed; none when its body is over [`MAX_KEPT_BYTES`].
    pub fn of(request: &Request<'_>) -> Option<Vec<u8>> {
        if request.body.len() > MAX_KEPT_BYTES {
            return None;
        }
        let kept = Self {
            is_get: request.method == Method::Get,
            kind: request.kind,
            token: request.token.map(str::to_owned),
            target: request.target.to_owned(),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), STANDARD.encode(value)))
                .collect(),
            body: STANDARD.encode(request.body),
            source: request.source,
            received_at: request.received_at,
        };
        serde_json::to_vec(&kept).ok()
    }

    /// Does something with the request that [`Kept::of`] wrote down; none when it did not.
    pub fn with<T>(opened: &[u8], then: impl FnOnce(&Request<'_>) -> T) -> Option<T> {
        let kept: Self = serde_json::from_slice(opened).ok()?;
        let body = STANDARD.decode(&kept.body).ok()?;
        let values = kept.headers.iter().map(|(_, value)| STANDARD.decode(value));
        let values: Vec<Vec<u8>> = values.collect::<Result<_, _>>().ok()?;
        let names = kept.headers.iter().map(|(name, _)| name.as_str());
        let headers: Vec<(&str, &[u8])> = names.zip(values.iter().map(Vec::as_slice)).collect();
        Some(then(&Request {
            method: if kept.is_get {
                Method::Get
            } else {
                Method::Post
            },
            kind: kept.kind,
            token: kept.token.as_deref(),
            target: &kept.target,
            headers: &headers,
            body: &body,
            source: kept.source,
            received_at: kept.received_at,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &'a [(&'a str, &'a [u8])], body: &'a [u8]) -> Request<'a> {
        Request {
            method: Method::Post,
            kind: Kind::Inbound,
            token: Some("secret"),
            target: "/v1/callbacks/clinic/secret/inbound?a=b",
            headers,
            body,
            source: "2001:db8::1".parse().unwrap(),
            received_at: Timestamp::from_millis(1_700_000_000_123),
        }
    }

    #[test]
    fn a_request_comes_out_of_quarantine_as_it_went_in() {
        let headers: &[(&str, &[u8])] = &[("x-a", b"1"), ("x-a", b"\xff\x00")];
        let sealed = Kept::of(&request(headers, b"\x00\xff{}")).unwrap();
        let same = Kept::with(&sealed, |again| {
            assert_eq!(again.headers, headers);
            assert_eq!(again.body, b"\x00\xff{}");
            assert_eq!(again.target, "/v1/callbacks/clinic/secret/inbound?a=b");
            (again.method, again.kind, again.token.map(str::to_owned))
        });
        let expected = (Method::Post, Kind::Inbound, Some("secret".to_owned()));
        assert_eq!(same, Some(expected));
    }

    #[test]
    fn a_body_is_kept_whole_or_not_at_all() {
        assert!(Kept::of(&request(&[], &vec![0; MAX_KEPT_BYTES])).is_some());
        assert!(Kept::of(&request(&[], &vec![0; MAX_KEPT_BYTES + 1])).is_none());
        assert!(Kept::with(b"{}", |_| ()).is_none());
    }
}
