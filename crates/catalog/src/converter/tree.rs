//! Data that is opened only where something in it changes: everything else stays the text it was.

use super::Unconvertible;
use super::path::Path;
use domain::json::Raw;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A value.
#[derive(Debug)]
pub(super) enum Tree {
    /// As it was written.
    Raw(Raw),
    /// An object that was opened: its members, in their order.
    Object(Members),
}

/// The members of an object, in their order.
pub(super) type Members = Vec<(String, Tree)>;

impl Tree {
    pub(super) fn of(text: &Raw) -> Self {
        Self::Raw(text.clone())
    }

    /// Its members; none where it is no object.
    pub(super) fn members(&mut self) -> Option<&mut Members> {
        if let Self::Raw(text) = self {
            let opened: Opened = serde_json::from_str(text.as_str()).ok()?;
            *self = Self::Object(opened.0);
        }
        match self {
            Self::Object(members) => Some(members),
            Self::Raw(_) => None,
        }
    }

    /// The object that a member is in; none where there is none.
    pub(super) fn parent_of(&mut self, path: &Path) -> Option<&mut Members> {
        let mut here = self.members()?;
        for name in path.parents() {
            here = here
                .iter_mut()
                .find(|(found, _)| found == name)
                .and_then(|(_, value)| value.members())?;
        }
        Some(here)
    }

    pub(super) fn has(&mut self, path: &Path) -> bool {
        self.parent_of(path)
            .is_some_and(|members| members.iter().any(|(name, _)| name == path.name()))
    }

    /// Takes a member out; none where there is none.
    pub(super) fn take(&mut self, path: &Path) -> Option<Self> {
        let members = self.parent_of(path)?;
        let place = members.iter().position(|(name, _)| name == path.name())?;
        Some(members.remove(place).1)
    }

    /// Puts a member where there is none, into objects that are made where they are missing.
    pub(super) fn put(&mut self, path: &Path, value: Self) -> Result<(), Unconvertible> {
        let refuse = || Unconvertible::NoObject(path.to_string());
        let mut here = self.members().ok_or_else(refuse)?;
        for name in path.parents() {
            let place = here.iter().position(|(found, _)| found == name);
            let place = place.unwrap_or_else(|| {
                here.push((name.clone(), Self::Object(Vec::new())));
                here.len() - 1
            });
            here = here
                .get_mut(place)
                .and_then(|(_, value)| value.members())
                .ok_or_else(refuse)?;
        }
        if here.iter().any(|(name, _)| name == path.name()) {
            return Err(Unconvertible::Occupied(path.to_string()));
        }
        here.push((path.name().to_owned(), value));
        Ok(())
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(text) => text.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// An object whose members stay as they were written.
struct Opened(Members);

impl<'de> Deserialize<'de> for Opened {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Open;
        impl<'de> Visitor<'de> for Open {
            type Value = Opened;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Opened, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Raw>()? {
                    members.push((name, Tree::Raw(value)));
                }
                Ok(Opened(members))
            }
        }
        deserializer.deserialize_map(Open)
    }
}
