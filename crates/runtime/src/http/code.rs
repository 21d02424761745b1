//! The stable codes of problems.

use actix_web::http::StatusCode;
use serde::{Serialize, Serializer};

/// What went wrong, as programs read it. Closed: a new one is a change of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON, or has a key twice.
    MalformedJson,
    /// The body is no form.
    MalformedForm,
    /// The cursor is not one of ours, or belongs to another query.
    InvalidCursor,
    /// Nobody authenticated.
    Unauthorized,
    /// Authenticated, and not allowed.
    Forbidden,
    /// There is no such thing, or it is another tenant's.
    NotFound,
    /// The thing does not take this method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// It contradicts what is there.
    Conflict,
    /// The slug belongs to another account.
    SlugTaken,
    /// The slug is a provider's own name.
    SlugReserved,
    /// The same request is being worked on.
    InFlight,
    /// The state would not win over the reports there are.
    WouldLose,
    /// The tenant has as many as its plan allows.
    LimitReached,
    /// It is not as the caller has seen it.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The content type or encoding is not taken.
    UnsupportedMediaType,
    /// It was read, and breaks a rule.
    InvalidRequest,
    /// It was read, and is no callback of this provider.
    Unrecognised,
    /// The event type is not in the catalog.
    UnknownEventType,
    /// The event type is raised by Tidings alone.
    ReservedEventType,
    /// The URL is one that is never dialled.
    UrlNotAllowed,
    /// The idempotency key came with another body before.
    IdempotencyMismatch,
    /// Too many requests.
    RateLimited,
    /// The tenant has used what its plan allows for now.
    QuotaExceeded,
    /// The head of the request is too large.
    HeadersTooLarge,
    /// Our fault.
    InternalError,
    /// Our fault, and it passes.
    Unavailable,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 28] = [
        Self::MalformedJson,
        Self::MalformedForm,
        Self::InvalidCursor,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::SlugTaken,
        Self::SlugReserved,
        Self::InFlight,
        Self::WouldLose,
        Self::LimitReached,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRequest,
        Self::Unrecognised,
        Self::UnknownEventType,
        Self::ReservedEventType,
        Self::UrlNotAllowed,
        Self::IdempotencyMismatch,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::HeadersTooLarge,
        Self::InternalError,
        Self::Unavailable,
    ];

    /// The `code` member.
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The `title` member: the same for every problem of this code.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The `type` member.
    pub fn uri(self) -> String {
        format!("urn:tidings:problem:{}", self.as_str())
    }

    /// The code for an answer made by the HTTP library, which knows only a status.
    pub(super) fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadersTooLarge,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => Self::InvalidRequest,
            _ => Self::InternalError,
        }
    }

    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => (
                S::BAD_REQUEST,
                "malformed_json",
                "The body is not valid JSON",
            ),
            Self::MalformedForm => (
                S::BAD_REQUEST,
                "malformed_form",
                "The body is not a valid form",
            ),
            Self::InvalidCursor => (
                S::BAD_REQUEST,
                "invalid_cursor",
                "The cursor is not valid here",
            ),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "Authentication failed"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "Not allowed"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
            ),
            Self::RequestTimeout => (
                S::REQUEST_TIMEOUT,
                "request_timeout",
                "The request did not arrive in time",
            ),
            Self::Conflict => (S::CONFLICT, "conflict", "It contradicts what is there"),
            Self::SlugTaken => (S::CONFLICT, "slug_taken", "The slug is taken"),
            Self::SlugReserved => (S::CONFLICT, "slug_reserved", "The slug is reserved"),
            Self::InFlight => (
                S::CONFLICT,
                "in_flight",
                "The same request is being worked on",
            ),
            Self::WouldLose => (S::CONFLICT, "would_lose", "The state would not win"),
            Self::LimitReached => (S::CONFLICT, "limit_reached", "The plan allows no more"),
            Self::PreconditionFailed => (
                S::PRECONDITION_FAILED,
                "precondition_failed",
                "It is not as you have seen it",
            ),
            Self::PayloadTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "The body is too large",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Unsupported media type",
            ),
            Self::InvalidRequest => (
                S::UNPROCESSABLE_ENTITY,
                "invalid_request",
                "The request is not valid",
            ),
            Self::Unrecognised => (
                S::UNPROCESSABLE_ENTITY,
                "unrecognised",
                "The body is not a known callback",
            ),
            Self::UnknownEventType => (
                S::UNPROCESSABLE_ENTITY,
                "unknown_event_type",
                "Unknown event type",
            ),
            Self::ReservedEventType => (
                S::UNPROCESSABLE_ENTITY,
                "reserved_event_type",
                "Reserved event type",
            ),
            Self::UrlNotAllowed => (
                S::UNPROCESSABLE_ENTITY,
                "url_not_allowed",
                "The URL is not allowed",
            ),
            Self::IdempotencyMismatch => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "The idempotency key belongs to another request",
            ),
            Self::RateLimited => (S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::QuotaExceeded => (
                S::TOO_MANY_REQUESTS,
                "quota_exceeded",
                "The plan allows no more for now",
            ),
            Self::HeadersTooLarge => (
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "The headers are too large",
            ),
            Self::InternalError => (
                S::INTERNAL_SERVER_ERROR,
                "internal_error",
                "Something went wrong on our side",
            ),
            Self::Unavailable => (
                S::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not available right now",
            ),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_and_titles_are_distinct_and_are_errors() {
        let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let titles: HashSet<_> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(
            (codes.len(), titles.len()),
            (Code::ALL.len(), Code::ALL.len())
        );
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn a_status_finds_its_code() {
        for code in [
            Code::NotFound,
            Code::MethodNotAllowed,
            Code::Unavailable,
            Code::Conflict,
        ] {
            assert_eq!(Code::for_status(code.status()), code);
        }
        assert_eq!(
            Code::for_status(StatusCode::BAD_REQUEST),
            Code::InvalidRequest
        );
        assert_eq!(
            Code::for_status(StatusCode::BAD_GATEWAY),
            Code::InternalError
        );
    }
}
