//! A set of scopes.

use super::Scope;
use std::fmt;

/// A set of scopes, as one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u64);

impl Scopes {
    /// Whether this one is among them.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u32) != 0
    }

    /// Whether all of these are among them.
    pub const fn contain(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those that are not among `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// Reads what [`fmt::Display`] wrote. A scope that this release does not know gives nothing.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter_map(Scope::parse).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let add = |set: u64, scope: Scope| set | (1 << scope as u32);
        Self(scopes.into_iter().fold(0, add))
    }
}

/// Their names with spaces between them (RFC 6749 §3.3).
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_as_it_was_written_and_what_is_unknown_gives_nothing() {
        let some: Scopes = [Scope::KeysRead, Scope::AuditRead, Scope::WebhooksRead]
            .into_iter()
            .collect();
        assert_eq!(some.to_string(), "webhooks:read keys:read audit:read");
        assert_eq!(Scopes::parse(&some.to_string()), some);
        assert_eq!(Scopes::parse("audit:read everything:write "), {
            let audit: Scopes = [Scope::AuditRead].into_iter().collect();
            audit
        });
        assert!(Scopes::parse("").is_empty());
        assert_eq!(Scopes::default().to_string(), "");
    }

    #[test]
    fn sets_contain_one_another_or_not() {
        let all: Scopes = Scope::ALL.into_iter().collect();
        let one: Scopes = [Scope::AuditRead].into_iter().collect();
        assert!(all.contain(one) && !one.contain(all));
        assert_eq!(all.and(one), one);
        assert!(one.without(all).is_empty());
        assert_eq!(all.iter().count(), Scope::ALL.len());
    }
}
