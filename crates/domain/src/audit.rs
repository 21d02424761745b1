//! The audit log: who changed what. Its entries are a chain: the hash of each covers the one before it, so that
//! none can be changed, removed or moved unnoticed by whoever knows a later hash.

mod action;
mod walk;

pub use action::Action;
pub use walk::{Broken, Link, Walk};

use crate::clock::Timestamp;
use crate::id::{AuditEntryId, KeyId, MemberId, TenantId};
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What the first entry follows.
pub const BEGINNING: Link = Link {
    position: 0,
    hash: [0; 32],
};

/// Begins what is hashed, so that a later form is another.
const FORM: &[u8] = b"tidings.audit.v1";

/// Who changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The operator.
    Operator,
    /// Whoever has this API key, or a token of it.
    Key(KeyId),
    /// This member, logged in.
    Member(MemberId),
    /// Tidings, by itself.
    Tidings,
}

impl Actor {
    /// The names of all.
    pub const TYPES: [&'static str; 4] = ["operator", "key", "member", "tidings"];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Key(_) => "key",
            Self::Member(_) => "member",
            Self::Tidings => "tidings",
        }
    }

    /// Which of those.
    pub fn id(self) -> Option<String> {
        match self {
            Self::Key(id) => Some(id.to_string()),
            Self::Member(id) => Some(id.to_string()),
            Self::Operator | Self::Tidings => None,
        }
    }
}

/// An entry, as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AuditEntryId,
    /// Whose things were changed.
    pub tenant_id: TenantId,
    /// When.
    pub at: Timestamp,
    /// Who: the kind.
    pub actor_type: String,
    /// Which of those.
    pub actor_id: Option<String>,
    /// What that was called.
    pub actor_name: Option<String>,
    /// What was done.
    pub action: String,
    /// To what: the kind.
    pub target_type: String,
    /// Which of those.
    pub target_id: Option<String>,
    /// What it was, as JSON; none where it was not.
    pub before: Option<String>,
    /// What it became.
    pub after: Option<String>,
    /// From where.
    pub source_ip: Option<String>,
    /// With which request.
    pub request_id: Option<String>,
}

impl Entry {
    /// The hash of this entry in this place of the chain, after an entry with this hash.
    pub fn hash(&self, previous: &Hash, position: i64) -> Hash {
        let mut hash = Sha256::new();
        hash.update(previous);
        hash.update(FORM);
        hash.update(position.to_be_bytes());
        let (id, tenant) = (self.id.to_string(), self.tenant_id.to_string());
        let at = self.at.as_millis().to_string();
        for field in [
            Some(&id),
            Some(&tenant),
            Some(&at),
            Some(&self.actor_type),
            self.actor_id.as_ref(),
            self.actor_name.as_ref(),
            Some(&self.action),
            Some(&self.target_type),
            self.target_id.as_ref(),
            self.before.as_ref(),
            self.after.as_ref(),
            self.source_ip.as_ref(),
            self.request_id.as_ref(),
        ] {
            add(&mut hash, field.map(String::as_str));
        }
        hash.finalize().into()
    }
}

/// Nothing is a zero; a text is a one, its length in bytes as eight bytes, the greatest first, and itself.
fn add(hash: &mut Sha256, field: Option<&str>) {
    match field {
        None => hash.update([0]),
        Some(text) => {
            hash.update([1]);
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
    }
}

/// A hash as 64 hexadecimal digits.
pub fn to_hex(hash: &[u8]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of 64 hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, two) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    pub(super) fn entry(number: u128) -> Entry {
        Entry {
            id: AuditEntryId(Uuid::from_u128(number)),
            tenant_id: TenantId::PLATFORM,
            at: Timestamp::from_millis(1_795_000_000_000),
            actor_type: "operator".to_owned(),
            actor_id: None,
            actor_name: None,
            action: "webhook.created".to_owned(),
            target_type: "webhook".to_owned(),
            target_id: Some("sub_1".to_owned()),
            before: None,
            after: Some("{}".to_owned()),
            source_ip: None,
            request_id: None,
        }
    }

    type Change = fn(&mut Entry);

    #[test]
    fn every_field_and_the_place_are_hashed() {
        let is = entry(1);
        let hash = is.hash(&[0; 32], 1);
        let changes: [Change; 13] = [
            |it| it.id = AuditEntryId(Uuid::from_u128(2)),
            |it| it.tenant_id = TenantId(Uuid::from_u128(2)),
            |it| it.at = Timestamp::from_millis(1),
            |it| it.actor_type = "key".to_owned(),
            |it| it.actor_id = Some(String::new()),
            |it| it.actor_name = Some(String::new()),
            |it| it.action = "webhook.deleted".to_owned(),
            |it| it.target_type = "key".to_owned(),
            |it| it.target_id = None,
            |it| it.before = Some(String::new()),
            |it| it.after = None,
            |it| it.source_ip = Some(String::new()),
            |it| it.request_id = Some(String::new()),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = is.clone();
            change(&mut other);
            assert_ne!(other.hash(&[0; 32], 1), hash, "field {index}");
        }
        assert_ne!(is.hash(&[0; 32], 2), hash);
        assert_ne!(is.hash(&[1; 32], 1), hash);
    }

    #[test]
    fn what_moves_from_one_field_to_the_next_is_another_entry() {
        let (mut one, mut other) = (entry(1), entry(1));
        one.before = Some("ab".to_owned());
        one.after = Some("c".to_owned());
        other.before = Some("a".to_owned());
        other.after = Some("bc".to_owned());
        assert_ne!(one.hash(&[0; 32], 1), other.hash(&[0; 32], 1));
    }

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let hash = entry(1).hash(&[0; 32], 1);
        assert_eq!(from_hex(&to_hex(&hash)), Some(hash));
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(from_hex(wrong), None);
        }
    }
}
