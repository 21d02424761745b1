//! The list of all keys: what files and variables are held against, and what errors explain.

mod list;

pub use list::KEYS;

use crate::error::Error;
use crate::nearest::nearest;

/// One key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its dotted name in a file: `ingress.rate_limit.failures_per_minute`.
    pub name: &'static str,
    /// Its name in the environment: `TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE`.
    pub variable: &'static str,
    /// Whether it has a twin ending in `_file` (`_FILE`) that names a file to read the value from.
    pub from_file: bool,
    /// Whether the value is a secret or a URL that may contain one: never in an error, redacted when shown.
    pub secret: bool,
    /// What it means, in one line.
    pub description: &'static str,
    /// What it takes; reads on after "it must be".
    pub allowed: &'static str,
}

impl Key {
    /// The error that the value from `origin` is not one this key takes. `problem` must not quote a secret.
    pub(crate) fn invalid(&self, origin: &str, problem: String) -> Error {
        Error::Invalid {
            key: self.name,
            origin: origin.to_owned(),
            problem,
            allowed: self.allowed,
        }
    }
}

/// How a key was named: itself, or the twin that names a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) key: &'static Key,
    pub(crate) is_file: bool,
}

impl Named {
    /// The dotted name used.
    pub(crate) fn name(self) -> String {
        if self.is_file {
            format!("{}_file", self.key.name)
        } else {
            self.key.name.to_owned()
        }
    }

    /// The variable used.
    fn variable(self) -> String {
        if self.is_file {
            format!("{}_FILE", self.key.variable)
        } else {
            self.key.variable.to_owned()
        }
    }

    /// The other way to name the same key.
    pub(crate) fn twin(self) -> Option<Self> {
        self.key.from_file.then_some(Self {
            is_file: !self.is_file,
            ..self
        })
    }
}

/// The key of a dotted name.
pub(crate) fn by_name(name: &str) -> Option<Named> {
    all().find(|named| named.name() == name)
}

/// The key of a variable.
pub(crate) fn by_variable(variable: &str) -> Option<Named> {
    all().find(|named| named.variable() == variable)
}

/// Whether there are keys below `name`.
pub(crate) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The dotted name that was probably meant.
pub(crate) fn nearest_name(name: &str) -> Option<String> {
    nearest(name, all().map(Named::name))
}

/// The variable that was probably meant.
pub(crate) fn nearest_variable(variable: &str) -> Option<String> {
    nearest(variable, all().map(Named::variable))
}

/// What to say after an unknown name.
pub(crate) fn hint(nearest: Option<String>, quote: &str) -> String {
    nearest.map_or_else(String::new, |name| {
        format!("; did you mean {quote}{name}{quote}?")
    })
}

fn all() -> impl Iterator<Item = Named> {
    KEYS.iter().flat_map(|key| {
        let itself = Named {
            key,
            is_file: false,
        };
        std::iter::once(itself).chain(itself.twin())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_the_name_in_capitals_with_two_underscores_between_levels() {
        for key in KEYS {
            let variable = format!("TIDINGS_{}", key.name.replace('.', "__").to_uppercase());
            assert_eq!(key.variable, variable);
        }
    }

    #[test]
    fn every_secret_may_come_from_a_file() {
        assert!(KEYS.iter().all(|key| key.from_file || !key.secret));
    }

    #[test]
    fn no_name_is_ambiguous() {
        let mut names: Vec<_> = all().map(Named::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all().count());
    }
}
