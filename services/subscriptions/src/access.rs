//! Who may do what: the scope each route needs, the secrets that open the API, and how often a source may
//! show wrong ones.

mod keys;
pub(crate) mod scope;
mod usage;

pub(crate) use keys::{Keys, Shown, keep_usage};

use crate::input::Faults;
use crate::openapi;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Random;
use domain::access::{Role, Scope, Scopes};
use runtime::http::{Code, Problem};
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{Array, ArrayBuilder, Object};

/// How keys, tokens and what links carry begin.
pub(crate) const KEY: &str = "tk_live_";
pub(crate) const TOKEN: &str = "tok_";
pub(crate) const LINK: &str = "lnk_";
/// How much of a key is kept readable, to recognise it by.
const PREFIX_CHARS: usize = 12;

/// A secret of ours: 256 random bits. One that nobody can guess needs no slow hash (that is for passwords,
/// which people choose), and a fast one costs nothing on every request.
pub(crate) struct Fresh {
    /// Shown once.
    pub text: String,
    /// Kept.
    pub hash: [u8; 32],
}

impl Fresh {
    pub(crate) fn new(kind: &str, random: &Random) -> Self {
        let text = format!("{kind}{}", URL_SAFE_NO_PAD.encode(random.bytes::<32>()));
        Self {
            hash: hash(&text),
            text,
        }
    }

    /// How it begins.
    pub(crate) fn prefix(&self) -> String {
        self.text.chars().take(PREFIX_CHARS).collect()
    }
}

/// What of a secret is kept.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Reads a role.
pub(crate) fn read_role(faults: &mut Faults, name: &str) -> Role {
    Role::parse(name).unwrap_or_else(|| {
        let names = Role::ALL.map(Role::as_str).join(", ");
        faults.add("/role", format!("the roles are: {names}"));
        Role::Viewer
    })
}

/// Reads the scopes of a role; the same as the role's where none are named.
pub(crate) fn read_scopes(
    faults: &mut Faults,
    role: Role,
    names: Option<&[String]>,
) -> Option<Scopes> {
    let names = names?;
    if names.is_empty() {
        faults.add("/scopes", "name a scope, or leave the member out");
    }
    let mut scopes = Vec::new();
    for (index, name) in names.iter().enumerate().take(Scope::ALL.len() + 1) {
        match Scope::parse(name) {
            None => faults.add(
                format!("/scopes/{index}"),
                format!("{:?} is no scope", domain::text::cut(name, 64)),
            ),
            Some(scope) if !role.scopes().has(scope) => faults.add(
                format!("/scopes/{index}"),
                format!("the role {} does not have it", role.as_str()),
            ),
            Some(scope) if scopes.contains(&scope) => {
                faults.add(format!("/scopes/{index}"), "it is named twice");
            }
            Some(scope) => scopes.push(scope),
        }
    }
    Some(scopes.into_iter().collect())
}

/// How a role is described.
pub(crate) fn described_role() -> Object {
    openapi::said(
        "What may be done: everything (`owner`), everything but who else may do what (`developer`), looking \
         (`viewer`), or registering messages and publishing events (`publisher`).",
        openapi::word(Role::ALL.map(Role::as_str)),
    )
}

/// How scopes are described.
pub(crate) fn described_scopes(description: &str) -> Array {
    ArrayBuilder::new()
        .description(Some(description))
        .items(openapi::word(Scope::ALL.map(Scope::as_str)))
        .min_items(Some(1))
        .unique_items(true)
        .build()
}

/// 403: somebody would hand on what he has not got himself.
pub(crate) fn wider(missing: Scopes) -> Problem {
    let detail = format!("nobody gives what he has not: your key lacks {missing}");
    Problem::new(Code::Forbidden, detail)
}
