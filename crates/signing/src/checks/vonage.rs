//! The signature of Vonage
//! (<https://developer.vonage.com/en/getting-started/concepts/signing-messages>).
//!
//! The parameter `sig` is the hex of a hash over all the others, sorted by name and written as
//! `&name=value`, with `_` for each `&` and `=` in a value. The hash is an HMAC under the signature
//! secret, or the MD5 of that string and the secret after it. Vonage signs a `timestamp` among the
//! parameters; it sends a callback for up to 24 hours until it is taken, and does not say that it
//! signs it anew each time, so that time is not judged.

use super::parameter::{self, Parameter};
use super::secret;
use super::{Encoding, Parameters, Presented, Problems, Refusal, Secret, VonageMethod, VonageSpec};
use crate::mac::md5;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

const SIGNATURE: &[u8] = b"sig";

/// A signature over parameters, among them.
#[derive(Debug, Clone)]
pub(super) struct Vonage {
    secret: Secret,
    method: VonageMethod,
}

impl Vonage {
    pub(super) fn from_spec(spec: VonageSpec, at: &str, problems: &mut Problems) -> Option<Self> {
        if !spec.secret.is_allowed() {
            problems.add(format!("{at}/secret"), secret::ALLOWED);
            return None;
        }
        Some(Self {
            secret: spec.secret,
            method: spec.method,
        })
    }

    /// The hash is computed whatever was presented, so that the time taken tells nothing. Nothing
    /// claimed fits none, for it is shorter than any hash.
    pub(super) fn verify(&self, presented: &Presented<'_>) -> Result<(), Refusal> {
        let (claimed, content) = parameters(presented).and_then(signed).unwrap_or_default();
        let expected = self.hash(&content);
        if expected.as_slice().ct_eq(&claimed).into() {
            Ok(())
        } else {
            Err(Refusal::InvalidSignature)
        }
    }

    fn hash(&self, content: &[u8]) -> Vec<u8> {
        let secret = self.secret.reveal().as_bytes();
        match self.method {
            VonageMethod::Md5Hash => md5(&[content, secret]),
            VonageMethod::Hmac(algorithm) => algorithm.mac(secret, &[content]),
        }
    }

    pub(super) fn shape(&self) -> Value {
        json!({"type": "vonage", "method": self.method.as_str()})
    }

    pub(super) fn revealed(&self) -> Value {
        let mut value = self.shape();
        value["secret"] = json!(self.secret.reveal());
        value
    }
}

/// What will be read, and nothing else: a signature elsewhere in the request says nothing about it.
fn parameters(presented: &Presented<'_>) -> Option<Vec<Parameter>> {
    match presented.parameters? {
        Parameters::Form => Some(parameter::of_form(presented.body)),
        Parameters::Json => parameter::of_json(presented.body),
        Parameters::Query => {
            let (_, query) = presented.target.split_once('?')?;
            Some(parameter::of_form(query.as_bytes()))
        }
    }
}

/// The claimed hash, empty where there is none, and what it must be over. None if any name is
/// repeated, or has a character that makes one parameter look like two.
fn signed(mut parameters: Vec<Parameter>) -> Option<(Vec<u8>, Vec<u8>)> {
    parameters.sort();
    let is_repeated = parameters.windows(2).any(|pair| match pair {
        [one, next] => one.name == next.name,
        _ => false,
    });
    let is_ambiguous = |it: &Parameter| it.name.iter().copied().any(is_separator);
    if is_repeated || parameters.iter().any(is_ambiguous) {
        return None;
    }
    let mut claimed = Vec::new();
    let mut content = Vec::new();
    for Parameter { name, value } in parameters {
        if name == SIGNATURE {
            claimed = Encoding::Hex.decode(&value).unwrap_or_default();
            continue;
        }
        let harmless = |byte| if is_separator(byte) { b'_' } else { byte };
        content.push(b'&');
        content.extend_from_slice(&name);
        content.push(b'=');
        content.extend(value.into_iter().map(harmless));
    }
    Some((claimed, content))
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'&' | b'=')
}
