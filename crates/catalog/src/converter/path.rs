//! A place in data: a JSON pointer through objects.

use std::fmt;

/// The longest pointer, in bytes.
const MAX_BYTES: usize = 256;
/// The most names in one.
const MAX_NAMES: usize = 16;

/// The names that lead to a member, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    parents: Vec<String>,
    name: String,
}

impl Path {
    /// Reads a JSON pointer (RFC 6901); the error says what may be written.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "write a JSON pointer to a member, like /address/city: at most {MAX_BYTES} bytes and \
                 {MAX_NAMES} names"
            )
        };
        let names = text.strip_prefix('/').ok_or_else(refuse)?;
        if text.len() > MAX_BYTES {
            return Err(refuse());
        }
        let mut parents: Vec<String> = names.split('/').map(unescaped).collect();
        let is_proper = names.split('/').all(is_escaped);
        match parents.pop() {
            Some(name) if is_proper && parents.len() < MAX_NAMES => Ok(Self { parents, name }),
            _ => Err(refuse()),
        }
    }

    /// The names of the objects that the member is in.
    pub(super) fn parents(&self) -> &[String] {
        &self.parents
    }

    /// The name of the member.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The pointer to a member of this name in the same object.
    pub(super) fn beside(&self, name: &str) -> String {
        let beside = Self {
            parents: self.parents.clone(),
            name: name.to_owned(),
        };
        beside.to_string()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in self.parents.iter().chain([&self.name]) {
            write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// Whether every `~` is followed by 0 or 1.
fn is_escaped(name: &str) -> bool {
    name.split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']))
}
