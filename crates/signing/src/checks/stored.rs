//! The stored form of checks: JSON with the secrets in it, for the vault to seal.

use super::invalid::sentence;
use super::{Check, Checks, Invalid};
use crate::Error;
use serde::Deserialize;
use serde_json::{Value, json};

const VERSION: u64 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u64,
    token: Option<String>,
    checks: Value,
}

impl Checks {
    /// The stored form, **with the secrets**: to be sealed before it is written anywhere.
    pub fn to_json(&self) -> Vec<u8> {
        let checks: Value = self.list.iter().map(Check::revealed).collect();
        let stored = json!({"version": VERSION, "token": self.token(), "checks": checks});
        stored.to_string().into_bytes()
    }

    /// Reads the stored form and verifies it as if it were new.
    ///
    /// # Errors
    /// [`Error::StoredChecks`]: then the account must refuse everything.
    pub fn from_json(stored: &[u8]) -> Result<Self, Error> {
        // What serde says may quote a secret; where it happened does not.
        let stored: Stored = serde_json::from_slice(stored).map_err(|error| {
            unreadable(format!(
                "not as expected at line {} column {}",
                error.line(),
                error.column()
            ))
        })?;
        if stored.version != VERSION {
            return Err(unreadable(format!("unknown version {}", stored.version)));
        }
        let has_token = stored.token.is_some();
        let specs = Self::parse_specs(&stored.checks).map_err(|found| problems(&found))?;
        let checks = Self::from_specs(specs, || stored.token.unwrap_or_default())
            .map_err(|found| problems(&found))?;
        if checks.token().is_some() != has_token {
            return Err(unreadable("a token without a token check".to_owned()));
        }
        Ok(checks)
    }
}

fn problems(found: &[Invalid]) -> Error {
    unreadable(sentence(found))
}

fn unreadable(detail: String) -> Error {
    Error::StoredChecks { detail }
}
