use super::{Problems, Refusal, Secret};
use crate::equal;
use serde_json::{Value, json};

/// What a token must be; 22 characters of 64 kinds are 132 bits.
const ALLOWED: &str = "the token must be 22 to 128 characters of A-Z, a-z, 0-9, - and _";

/// The secret part of an account's callback URLs.
#[derive(Debug, Clone)]
pub(super) struct Token(Secret);

impl Token {
    /// The token that `make` makes; `make` is gone when the list already has a token check.
    pub(super) fn from_spec(
        make: Option<impl FnOnce() -> String>,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let Some(make) = make else {
            problems.add(at, "an account has at most one token check");
            return None;
        };
        let token = Self::new(make());
        if token.is_none() {
            problems.add(at, ALLOWED);
        }
        token
    }

    pub(super) fn new(text: String) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let text = Secret::from(text);
        let fits = (22..=128).contains(&text.reveal().len());
        (fits && text.reveal().bytes().all(is_allowed)).then_some(Self(text))
    }

    pub(super) fn reveal(&self) -> &str {
        self.0.reveal()
    }

    pub(super) fn verify(&self, presented: Option<&str>) -> Result<(), Refusal> {
        let token = presented.ok_or(Refusal::InvalidToken)?;
        if equal(token.as_bytes(), self.reveal().as_bytes()) {
            Ok(())
        } else {
            Err(Refusal::InvalidToken)
        }
    }

    pub(super) fn shape() -> Value {
        json!({"type": "token"})
    }
}
