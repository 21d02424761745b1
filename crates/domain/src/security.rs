//! What the door refuses and notices: security events, and activity that looks like an attack.

use crate::clock::Timestamp;
use crate::id::{SecurityEventId, TenantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use utoipa::ToSchema;

/// The type of a security event: why a callback was refused, or what was odd about one that was not.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = SecurityEventType)]
pub enum Reason {
    /// The source address is in none of the account's networks.
    UnauthorizedIp,
    /// The signature is missing or wrong.
    InvalidSignature,
    /// The API key, or the user name and the password, are missing or wrong.
    InvalidApiKey,
    /// The token is missing or wrong.
    InvalidToken,
    /// A request with a signed time came a second time within its window. It is taken as the duplicate
    /// that it is.
    Replayed,
    /// The signature is genuine and too old, or too far ahead.
    StaleTimestamp,
    /// The source failed too often, and was not listened to.
    RateLimited,
    /// An authenticated body that cannot be read.
    Malformed,
    /// An authenticated body that can be read and says nothing we know.
    Unrecognised,
    /// There is no such account, or it has no such callbacks.
    UnknownAccount,
}

impl Reason {
    /// Every type.
    pub const ALL: [Self; 10] = [
        Self::UnauthorizedIp,
        Self::InvalidSignature,
        Self::InvalidApiKey,
        Self::InvalidToken,
        Self::Replayed,
        Self::StaleTimestamp,
        Self::RateLimited,
        Self::Malformed,
        Self::Unrecognised,
        Self::UnknownAccount,
    ];

    /// Its name in the API, in metrics and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnauthorizedIp => "unauthorized_ip",
            Self::InvalidSignature => "invalid_signature",
            Self::InvalidApiKey => "invalid_api_key",
            Self::InvalidToken => "invalid_token",
            Self::Replayed => "replayed",
            Self::StaleTimestamp => "stale_timestamp",
            Self::RateLimited => "rate_limited",
            Self::Malformed => "malformed",
            Self::Unrecognised => "unrecognised",
            Self::UnknownAccount => "unknown_account",
        }
    }

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether the caller did not show that it is the provider.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Replayed | Self::Malformed | Self::Unrecognised)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often one source did one thing to one account within a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// Its id. Told again with a greater count, it is the same event.
    pub id: SecurityEventId,
    /// Whose account; the platform's where there is none.
    pub tenant_id: TenantId,
    /// What was done.
    pub reason: Reason,
    /// The slug that was called; none for those that were too many to be told apart.
    pub provider_account: Option<String>,
    /// Who called; none for those that were too many to be told apart.
    pub source_ip: Option<IpAddr>,
    /// The first of them.
    pub at: Timestamp,
    /// So many.
    pub count: u32,
    /// What was wrong with the first, for people.
    pub detail: Option<String>,
}

/// Why activity looks like an attack, or like something that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// One source failed often.
    FailuresOfSource,
    /// One account was failed at often.
    FailuresOfAccount,
    /// One source failed at many accounts.
    AccountsOfSource,
    /// A source that was never seen at this account passed all its checks.
    NewSource,
    /// Genuine signatures with a time that is off: a clock is wrong, or old requests are sent again.
    SkewedClock,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 5] = [
        Self::FailuresOfSource,
        Self::FailuresOfAccount,
        Self::AccountsOfSource,
        Self::NewSource,
        Self::SkewedClock,
    ];

    /// Its name in the event and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailuresOfSource => "failures_of_source",
            Self::FailuresOfAccount => "failures_of_account",
            Self::AccountsOfSource => "accounts_of_source",
            Self::NewSource => "new_source",
            Self::SkewedClock => "skewed_clock",
        }
    }
}

/// Activity that looks suspicious.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// In which way.
    pub signal: Signal,
    /// At which account, by its slug, if at one.
    pub provider_account: Option<String>,
    /// By whom, if by one.
    pub source_ip: Option<IpAddr>,
    /// How many were counted.
    pub count: u32,
    /// In how many seconds.
    pub window_seconds: u64,
    /// When it was noticed.
    pub at: Timestamp,
}

impl Suspicion {
    /// The same for suspicions of the same thing within an hour of the clock, whoever noticed: it is
    /// told once.
    pub fn key(&self) -> [u8; 16] {
        let hour = self.at.as_millis().div_euclid(3_600_000);
        let source = self.source_ip.map(|ip| ip.to_string());
        let mut hash = Sha256::new();
        for part in [
            Some(self.signal.as_str()),
            self.provider_account.as_deref(),
            source.as_deref(),
        ] {
            hash.update([u8::from(part.is_some())]);
            hash.update(part.unwrap_or_default());
            hash.update([0]);
        }
        hash.update(hour.to_le_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspicion(source: &str, minute: i64) -> Suspicion {
        Suspicion {
            signal: Signal::FailuresOfSource,
            provider_account: None,
            source_ip: source.parse().ok(),
            count: 5,
            window_seconds: 300,
            at: Timestamp::from_millis(minute * 60_000),
        }
    }

    #[test]
    fn the_same_suspicion_has_one_key_within_an_hour() {
        let first = suspicion("203.0.113.1", 1).key();
        let again = Suspicion {
            count: 99,
            ..suspicion("203.0.113.1", 59)
        };
        assert_eq!(again.key(), first);
        assert_ne!(suspicion("203.0.113.1", 60).key(), first);
        assert_ne!(suspicion("203.0.113.2", 1).key(), first);
    }

    #[test]
    fn every_type_is_found_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert_eq!(
                serde_json::to_value(reason).unwrap(),
                serde_json::json!(reason.as_str())
            );
        }
    }
}
