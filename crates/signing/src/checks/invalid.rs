use super::MAX_CHECKS;

/// The most problems that are told at once.
const MAX_PROBLEMS: usize = 32;

/// One thing that is wrong with a list of checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where, as an RFC 6901 pointer relative to the list: `/0/cidrs/1`; empty for the list itself.
    pub pointer: String,
    /// What is wrong and what is allowed. Never shows a secret.
    pub detail: String,
}

/// The problems found so far.
#[derive(Default)]
pub(super) struct Problems(Vec<Invalid>);

impl Problems {
    pub(super) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(Invalid {
                pointer: pointer.into(),
                detail: detail.into(),
            });
        }
    }

    /// Whether an account may have this many checks.
    pub(super) fn accept_count(&mut self, count: usize) -> bool {
        match count {
            0 => self.add("", "must have at least one check"),
            1..=MAX_CHECKS => return true,
            _ => self.add("", format!("must have at most {MAX_CHECKS} checks")),
        }
        false
    }

    pub(super) fn into_list(self) -> Vec<Invalid> {
        self.0
    }

    /// `value` if nothing is wrong.
    pub(super) fn unless_any<T>(self, value: T) -> Result<T, Vec<Invalid>> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.0)
        }
    }
}

/// A list of problems as one sentence, for where there is no room for pointers.
pub(super) fn sentence(problems: &[Invalid]) -> String {
    let told: Vec<String> = problems
        .iter()
        .map(|Invalid { pointer, detail }| match pointer.as_str() {
            "" => detail.clone(),
            pointer => format!("{pointer}: {detail}"),
        })
        .collect();
    told.join("; ")
}
