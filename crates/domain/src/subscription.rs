//! Subscriptions: which events a tenant wants, and where.

pub mod header;
mod settings;

pub use settings::{
    DEFAULT_HEADER_PREFIX, DEFAULT_MAX_IN_FLIGHT, DEFAULT_MAX_PAYLOAD_BYTES, DisabledReason,
    EndpointAuth, MAX_TIMEOUT_SECONDS, Method, RateLimit, Retry, Scheme, Settings, Signing, Usual,
};

use crate::account::Environment;
use crate::catalog;
use crate::id::{SubscriptionId, TenantId};
use std::fmt;

/// The most patterns one subscription may have.
pub const MAX_PATTERNS: usize = 100;

/// Which event types a subscription wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: every type.
    All,
    /// `sms.*`: every type that begins with `sms.`.
    Prefix(String),
    /// Exactly this type.
    Exact(String),
}

/// Why a list of patterns is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPatterns {
    /// Nothing is wanted.
    #[error("name at least one event type, a pattern like \"sms.*\", or \"*\" alone")]
    Empty,
    /// More than [`MAX_PATTERNS`].
    #[error("at most {MAX_PATTERNS} event types and patterns")]
    TooMany,
    /// `*` beside others.
    #[error("\"*\" means every type and stands alone")]
    AllBesideOthers,
    /// No type of the catalog fits the pattern at this index.
    #[error("{1:?} is not an event type of the catalog, nor a pattern that fits one")]
    Unknown(usize, String),
}

impl Pattern {
    /// Reads a whole list that somebody asks for. Besides the types that ship, those of these names
    /// count.
    pub fn parse_list(texts: &[String], own: &[String]) -> Result<Vec<Self>, InvalidPatterns> {
        let read = Self::read_list(texts)?;
        let is_unknown = |pattern: &Self| !pattern.fits_any(own);
        match read.iter().position(is_unknown) {
            None => Ok(read),
            Some(index) => {
                let text = texts.get(index).map_or("", String::as_str);
                let text = crate::text::cut(text, 128).to_owned();
                Err(InvalidPatterns::Unknown(index, text))
            }
        }
    }

    /// Reads a whole list, as a subscription carries it, whatever types there are.
    pub fn read_list(texts: &[String]) -> Result<Vec<Self>, InvalidPatterns> {
        match texts {
            [] => return Err(InvalidPatterns::Empty),
            [only] if only == "*" => return Ok(vec![Self::All]),
            _ if texts.len() > MAX_PATTERNS => return Err(InvalidPatterns::TooMany),
            _ if texts.iter().any(|text| text == "*") => {
                return Err(InvalidPatterns::AllBesideOthers);
            }
            _ => {}
        }
        texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                Self::read(text).ok_or_else(|| {
                    InvalidPatterns::Unknown(index, crate::text::cut(text, 128).to_owned())
                })
            })
            .collect()
    }

    fn read(text: &str) -> Option<Self> {
        let is_plain = |text: &str| {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b == b'_' || b == b'.';
            (1..=catalog::MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_plain)
        };
        match text.strip_suffix('*') {
            Some(prefix) => {
                let fits = prefix.ends_with('.') && is_plain(prefix);
                fits.then(|| Self::Prefix(prefix.to_owned()))
            }
            None => is_plain(text).then(|| Self::Exact(text.to_owned())),
        }
    }

    fn fits_any(&self, own: &[String]) -> bool {
        let shipped = catalog::TYPES.iter().map(|known| known.name);
        let mut names = shipped.chain(own.iter().map(String::as_str));
        names.any(|name| self.matches(name))
    }

    /// All patterns that match this type, as they are written.
    pub fn all_matching(event_type: &str) -> Vec<String> {
        let prefixes = event_type
            .match_indices('.')
            .filter_map(|(at, _)| event_type.get(..=at));
        let mut all = vec!["*".to_owned()];
        all.extend(prefixes.map(|prefix| format!("{prefix}*")));
        all.push(event_type.to_owned());
        all
    }

    /// Whether an event of this type is wanted.
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => event_type.starts_with(prefix),
            Self::Exact(name) => name == event_type,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

/// How a subscription stands, in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Deliveries leave for it.
    Active,
    /// They do not.
    Disabled,
    /// They do not yet: its endpoint has not shown that it wants them. None is, before endpoints are
    /// asked to.
    Unverified,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Disabled, Self::Unverified];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Unverified => "unverified",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// What the fan-out needs to know of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which environment.
    pub environment: Environment,
    /// Of which types.
    pub patterns: Vec<Pattern>,
    /// Only events written after this position: those that were there before the subscription are
    /// reached by replay.
    pub since_position: i64,
}

impl Interest {
    /// Whether an event is owed to this subscription.
    pub fn wants(&self, event_type: &str, environment: &Environment, position: i64) -> bool {
        position > self.since_position && self.matches(event_type, environment)
    }

    /// Whether it wants events of this type and environment, whenever they were written.
    pub fn matches(&self, event_type: &str, environment: &Environment) -> bool {
        let fits = |pattern: &Pattern| pattern.matches(event_type);
        *environment == self.environment && self.patterns.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Vec<Pattern>, InvalidPatterns> {
        Pattern::parse_list(
            &texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>(),
            &["acme.order_placed".to_owned()],
        )
    }

    #[test]
    fn own_types_count_besides_those_that_ship() {
        let patterns = parse(&["acme.order_placed", "acme.*", "job.*"]).unwrap();
        assert_eq!(patterns.len(), 3);
        assert!(parse(&["acme.order_lost"]).is_err());
        assert!(parse(&["acme.order_placed.*"]).is_err());
    }

    #[test]
    fn a_prefix_matches_whole_segments_only() {
        let patterns = parse(&["sms.*", "call.recording.*", "job.created"]).unwrap();
        let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        for name in [
            "sms.delivered",
            "sms.status.conflict",
            "call.recording.started",
            "job.created",
        ] {
            assert!(matches(name), "{name}");
        }
        for name in ["smsx.delivered", "call.failed", "job.failed", "mms.sent"] {
            assert!(!matches(name), "{name}");
        }
    }

    #[test]
    fn the_patterns_that_match_a_type_are_those_that_say_so() {
        let all = Pattern::all_matching("sms.status.conflict");
        assert_eq!(all, ["*", "sms.*", "sms.status.*", "sms.status.conflict"]);
        for text in all {
            let pattern = &parse(&[&text]).unwrap()[0];
            assert!(pattern.matches("sms.status.conflict"), "{text}");
        }
    }

    #[test]
    fn what_fits_no_type_of_the_catalog_is_refused() {
        assert_eq!(parse(&[]), Err(InvalidPatterns::Empty));
        assert_eq!(
            parse(&["*", "sms.sent"]),
            Err(InvalidPatterns::AllBesideOthers)
        );
        for text in [
            "sms",
            "sms.",
            "sms*",
            "sm*",
            "fax.*",
            "SMS.sent",
            "",
            "sms.sent ",
            "*.sent",
        ] {
            let expected = Err(InvalidPatterns::Unknown(1, text.to_owned()));
            assert_eq!(parse(&["sms.sent", text]), expected, "{text}");
        }
        assert_eq!(parse(&vec!["sms.sent"; 101]), Err(InvalidPatterns::TooMany));
    }

    #[test]
    fn patterns_are_written_as_they_were_read() {
        for list in [vec!["*"], vec!["sms.*", "job.created"]] {
            let texts: Vec<_> = parse(&list)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(texts, list);
        }
    }
}
