//! The id of a request, told in `x-request-id`.

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use rand::Rng;
use std::convert::Infallible;
use std::future::{Ready, ready};

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_BYTES: usize = 128;

/// The request's id: the caller's own where it is 1 to 128 of `A-Z a-z 0-9 . _ : -`, else 128 fresh random bits
/// as hexadecimal. The same id is on the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn of(headers: &HeaderMap, random: &mut impl Rng) -> Self {
        match headers.get(&HEADER) {
            Some(given) if is_valid(given.as_bytes()) => Self(given.clone()),
            _ => Self::fresh(random),
        }
    }

    pub(super) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    fn fresh(random: &mut impl Rng) -> Self {
        let bits = (u128::from(random.next_u64()) << 64) | u128::from(random.next_u64());
        let text = format!("{bits:032x}");
        Self(
            HeaderValue::from_maybe_shared(text).unwrap_or(const { HeaderValue::from_static("-") }),
        )
    }
}

/// Inside a handler. Outside a listener of ours, where nothing gave the request an id, it is `-`.
impl FromRequest for RequestId {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.extensions().get::<Self>().cloned();
        ready(Ok(id.unwrap_or(Self(HeaderValue::from_static("-")))))
    }
}

fn is_valid(id: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_ids_of_plain_characters_are_taken_over() {
        for valid in ["a", "0af7651916cd43dd", "svc:req_1.2-3", &"x".repeat(128)] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        for invalid in ["", "a b", "a\"b", "<script>", "é", &"x".repeat(129)] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
