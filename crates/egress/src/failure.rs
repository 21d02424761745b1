use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::iter;
use std::time::Duration;

use crate::target::Target;

/// All that is said of a target that is not allowed.
const NOT_ALLOWED: &str =
    "the address of the host, or the port, is not one that webhooks may reach";
/// The longest detail kept, in characters: parts of it are written by the other side.
const MAX_DETAIL_LENGTH: usize = 200;

/// Why an attempt brought no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {detail}")]
pub struct Failure {
    /// The stable class.
    pub class: FailureClass,
    /// A sentence for the tenant: it may name the host and the port, never a path, a query or an
    /// address it stands for.
    pub detail: String,
}

/// The classes of failures of an attempt without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The name could not be resolved.
    Dns,
    /// No TCP connection came about.
    Connect,
    /// No TLS session came about, or it broke.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The other side ended the connection before its answer was complete.
    Reset,
    /// What was answered is not HTTP within our limits.
    InvalidResponse,
    /// The policy forbids the target.
    TargetNotAllowed,
}

impl FailureClass {
    /// The stable name, such as `invalid_response`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::InvalidResponse => "invalid_response",
            Self::TargetNotAllowed => "target_not_allowed",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Failure {
    pub(crate) fn new(class: FailureClass, detail: &str) -> Self {
        let visible = detail.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self {
            class,
            detail: visible.take(MAX_DETAIL_LENGTH).collect(),
        }
    }

    /// Says the same of every target: why it is this one would map our network for the tenant.
    pub(crate) fn target_not_allowed() -> Self {
        Self::new(FailureClass::TargetNotAllowed, NOT_ALLOWED)
    }

    pub(crate) fn timeout(after: Duration) -> Self {
        let detail = format!("no complete answer within {} ms", after.as_millis());
        Self::new(FailureClass::Timeout, &detail)
    }

    pub(crate) fn connect(target: &Target, error: &io::Error) -> Self {
        let (host, port) = (target.host_name(), target.port());
        Self::new(
            FailureClass::Connect,
            &format!("cannot connect to {host} port {port}: {error}"),
        )
    }

    pub(crate) fn tls(target: &Target, error: &dyn fmt::Display) -> Self {
        let host = target.host_name();
        Self::new(
            FailureClass::Tls,
            &format!("no TLS session with {host}: {error}"),
        )
    }

    pub(crate) fn invalid_response(target: &Target, error: &dyn fmt::Display) -> Self {
        let host = target.host_name();
        Self::new(
            FailureClass::InvalidResponse,
            &format!("{host} did not answer in HTTP: {error}"),
        )
    }

    pub(crate) fn reset(target: &Target) -> Self {
        let host = target.host_name();
        let detail = format!("{host} ended the connection before its answer was complete");
        Self::new(FailureClass::Reset, &detail)
    }

    /// Finds out what an error of the HTTP client was about: our connector's own failure, TLS, the
    /// connection or HTTP.
    pub(crate) fn from_http(error: &(dyn StdError + 'static), target: &Target) -> Self {
        if let Some(failure) = causes(error).find_map(|cause| cause.downcast_ref::<Self>()) {
            return failure.clone();
        }
        if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()) {
            return Self::from_io(error, target);
        }
        if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()) {
            return Self::from_http2(error, target);
        }
        match causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
            Some(error) if is_lost_connection(error) => Self::reset(target),
            Some(error) => Self::invalid_response(target, error),
            None => Self::reset(target),
        }
    }

    /// A stream that the other side ended, or that went down with its connection, is one like any
    /// connection; everything else is not HTTP.
    fn from_http2(error: &h2::Error, target: &Target) -> Self {
        let is_theirs = error.is_remote() && (error.is_reset() || error.is_go_away());
        match error.get_io() {
            Some(error) => Self::from_io(error, target),
            None if is_theirs => Self::reset(target),
            // The ping that nobody answered.
            None if error.reason().is_none() => Self::reset(target),
            None => Self::invalid_response(target, error),
        }
    }

    fn from_io(error: &io::Error, target: &Target) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (inner, error.kind()) {
            (Some(error), _) => Self::tls(target, error),
            // This is how hyper tells that the framing of a body makes no sense.
            (None, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Self::invalid_response(target, error)
            }
            _ => Self::reset(target),
        }
    }
}

fn is_lost_connection(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || error.is_user()
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |cause: &&'a (dyn StdError + 'static)| {
        (*cause).source()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_one_short_line() {
        let failure = Failure::new(FailureClass::Tls, &"a\r\n\u{1b}[31m".repeat(100));
        assert_eq!(failure.detail.chars().count(), MAX_DETAIL_LENGTH);
        assert!(!failure.detail.chars().any(char::is_control));
    }

    #[test]
    fn a_refused_target_says_nothing_more() {
        assert_eq!(Failure::target_not_allowed().detail, NOT_ALLOWED);
    }
}
