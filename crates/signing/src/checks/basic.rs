use super::{BasicSpec, Problems, Refusal, Secret, header, secret};
use crate::equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

const HEADER: &str = "authorization";
const SCHEME: &str = "basic";

/// A user name and a password in `Authorization` (RFC 7617).
#[derive(Debug, Clone)]
pub(super) struct Basic {
    username: String,
    password: Secret,
}

impl Basic {
    pub(super) fn from_spec(spec: BasicSpec, at: &str, problems: &mut Problems) -> Option<Self> {
        let BasicSpec { username, password } = spec;
        let is_good = check_username(&username)
            .map_err(|told| problems.add(format!("{at}/username"), told))
            .is_ok();
        if !password.is_allowed() {
            problems.add(format!("{at}/password"), secret::ALLOWED);
            return None;
        }
        is_good.then_some(Self { username, password })
    }

    /// The credentials are compared as they are encoded: there is one way to write them.
    pub(super) fn verify(&self, headers: &[(&str, &[u8])]) -> Result<(), Refusal> {
        let presented = header::only(HEADER, headers).and_then(credentials);
        let presented = presented.unwrap_or_default();
        if equal(presented, self.encoded().as_bytes()) {
            Ok(())
        } else {
            Err(Refusal::InvalidApiKey)
        }
    }

    fn encoded(&self) -> Zeroizing<String> {
        let (username, password) = (&self.username, self.password.reveal());
        let plain = Zeroizing::new(format!("{username}:{password}"));
        Zeroizing::new(STANDARD.encode(plain.as_bytes()))
    }

    /// The header that holds the password.
    pub(super) const fn header() -> &'static str {
        HEADER
    }

    pub(super) fn shape(&self) -> Value {
        json!({"type": "basic", "username": self.username})
    }

    pub(super) fn revealed(&self) -> Value {
        let mut value = self.shape();
        value["password"] = json!(self.password.reveal());
        value
    }
}

/// A colon ends the user name on the wire: the rest would be read as the password.
fn check_username(username: &str) -> Result<(), &'static str> {
    if !(1..=128).contains(&username.len()) || !secret::is_printable(username) {
        return Err("must be 1 to 128 printable ASCII characters");
    }
    if username.contains(':') {
        return Err("must not contain a colon");
    }
    Ok(())
}

/// What follows the scheme, which may be written in any case, and the spaces after it (RFC 9110,
/// section 11.4).
fn credentials(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let is_basic = spaces > 0 && scheme.eq_ignore_ascii_case(SCHEME.as_bytes());
    rest.get(spaces..).filter(|_| is_basic)
}
