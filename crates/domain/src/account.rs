//! Provider accounts: their names in callback URLs.

use crate::described::{described, text};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The providers whose names only the platform may take as a slug.
pub const RESERVED_SLUGS: [&str; 11] = [
    "africastalking",
    "orange",
    "mtn",
    "airtel",
    "zamtel",
    "kannel",
    "jasmin",
    "twilio",
    "infobip",
    "vonage",
    "stub",
];

/// The name of a provider account in its callback URLs: `[a-z0-9][a-z0-9-]{0,62}`, unique in the
/// installation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a slug is 1 to 63 characters of a-z, 0-9 and -, and does not begin with -")]
pub struct InvalidSlug;

impl Slug {
    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a provider's own name.
    pub fn is_reserved(&self) -> bool {
        RESERVED_SLUGS.contains(&self.as_str())
    }
}

described!(
    Slug,
    text(
        "The name of a provider account in its callback URLs, unique in the installation",
        "^[a-z0-9][a-z0-9-]{0,62}$",
        "clinic-ke",
    )
);

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, InvalidSlug> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=63).contains(&text.len()) && !text.starts_with('-');
        (fits && text.bytes().all(allowed))
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidSlug)
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where messages, events and subscriptions belong, so that tests never reach production
/// endpoints: `[a-z0-9][a-z0-9_-]{0,31}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Environment(String);

/// The text is no environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an environment is 1 to 32 characters of a-z, 0-9, - and _, and begins with a letter or digit"
)]
pub struct InvalidEnvironment;

impl Environment {
    /// The environment as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self("production".to_owned())
    }
}

described!(
    Environment,
    text(
        "Where messages, events and webhooks belong, so that tests never reach production endpoints",
        "^[a-z0-9][a-z0-9_-]{0,31}$",
        "production",
    )
);

impl FromStr for Environment {
    type Err = InvalidEnvironment;

    fn from_str(text: &str) -> Result<Self, InvalidEnvironment> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=32).contains(&text.len()) && text.bytes().next().is_some_and(plain);
        let allowed = |byte: u8| plain(byte) || byte == b'-' || byte == b'_';
        (fits && text.bytes().all(allowed))
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidEnvironment)
    }
}

impl TryFrom<String> for Environment {
    type Error = InvalidEnvironment;

    fn try_from(text: String) -> Result<Self, InvalidEnvironment> {
        text.parse()
    }
}

impl From<Environment> for String {
    fn from(environment: Environment) -> Self {
        environment.0
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_short_and_plain() {
        for text in ["a", "0", "clinic-at", &"a".repeat(63)] {
            assert!(text.parse::<Slug>().is_ok(), "{text}");
        }
        for text in ["", "-a", "A", "a_b", "a b", "é", &"a".repeat(64)] {
            assert!(text.parse::<Slug>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_providers_own_name_is_reserved() {
        assert!("orange".parse::<Slug>().unwrap().is_reserved());
        assert!(!"orange-2".parse::<Slug>().unwrap().is_reserved());
    }
}
