//! Deliveries: one event owed to one subscription.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeliveryState)]
pub enum State {
    /// Owed: attempted now or later.
    Pending,
    /// The endpoint answered 2xx.
    Delivered,
    /// The schedule is exhausted.
    Failed,
    /// It was cancelled, or its subscription deleted, before it was delivered.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Delivered,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Why a delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its schedule is exhausted.
    Exhausted,
    /// The endpoint answered 410.
    Gone,
    /// The endpoint asked for it to be given up, with `webhook-delivery`.
    Aborted,
    /// Its subscription was disabled for too long.
    HeldTooLong,
}

impl Cause {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Gone => "gone",
            Self::Aborted => "aborted",
            Self::HeldTooLong => "held_too_long",
        }
    }
}

/// What an endpoint may ask for beside its answer (the header `webhook-delivery`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Give this delivery up.
    Abort,
    /// Send nothing any more.
    Disable,
}

impl Wish {
    /// The header.
    pub const HEADER: &str = "webhook-delivery";

    /// Reads the header. What is not known is not asked for.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let is = |name: &str| value.eq_ignore_ascii_case(name);
        if is("abort-message") {
            Some(Self::Abort)
        } else if is("disable") {
            Some(Self::Disable)
        } else {
            None
        }
    }
}

/// Which deliveries are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Those in this state.
    In(State),
    /// Those that are pending and were attempted already.
    Retrying,
}

impl Wanted {
    /// Every one there is.
    pub const ALL: [Self; 5] = [
        Self::In(State::Pending),
        Self::Retrying,
        Self::In(State::Delivered),
        Self::In(State::Failed),
        Self::In(State::Cancelled),
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In(state) => state.as_str(),
            Self::Retrying => "retrying",
        }
    }

    /// Those of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wanted| wanted.as_str() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an HTTP status says about an attempt: none for success, else the stable name of the error.
pub const fn status_error(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => None,
        300..=399 => Some("redirect"),
        400..=499 => Some("status_4xx"),
        500..=599 => Some("status_5xx"),
        _ => Some("invalid_response"),
    }
}

/// Whether `Retry-After` counts with this status.
pub const fn may_ask_for_time(status: u16) -> bool {
    matches!(status, 429 | 503)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_one_of_two_words() {
        assert_eq!(Wish::parse(" Abort-Message "), Some(Wish::Abort));
        assert_eq!(Wish::parse("disable"), Some(Wish::Disable));
        for other in ["", "disabled", "abort", "disable, abort-message"] {
            assert_eq!(Wish::parse(other), None, "{other}");
        }
    }

    #[test]
    fn only_2xx_is_success() {
        assert_eq!(status_error(200), None);
        assert_eq!(status_error(299), None);
        assert_eq!(status_error(302), Some("redirect"));
        assert_eq!(status_error(404), Some("status_4xx"));
        assert_eq!(status_error(503), Some("status_5xx"));
        assert_eq!(status_error(101), Some("invalid_response"));
        assert_eq!(status_error(999), Some("invalid_response"));
    }
}
