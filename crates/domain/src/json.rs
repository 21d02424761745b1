//! JSON from outside: checked strictly before any of it is used, and kept as the text it was.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// The deepest nesting a request body may have.
pub const MAX_DEPTH: usize = 64;

/// The most members all objects of a body may have together.
pub const MAX_MEMBERS: usize = 100_000;

/// Why bytes are not JSON that we take, with the line and column where known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

/// Checks that `bytes` are one JSON document (RFC 8259) in UTF-8 without a repeated member name,
/// nested at most `max_depth` deep.
pub fn check(bytes: &[u8], max_depth: usize) -> Result<(), Malformed> {
    let mut members = 0;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Check {
        depth_left: max_depth,
        members: &mut members,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end())
    .map_err(|error| Malformed(error.to_string()))
}

/// Checks like [`check`] and builds the value.
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<serde_json::Value, Malformed> {
    check(bytes, max_depth)?;
    serde_json::from_slice(bytes).map_err(|error| Malformed(error.to_string()))
}

struct Check<'a> {
    depth_left: usize,
    members: &'a mut usize,
}

impl Check<'_> {
    /// The check of what is nested in here.
    const fn inside(&mut self, depth_left: usize) -> Check<'_> {
        Check {
            depth_left,
            members: self.members,
        }
    }

    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.depth_left
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let depth_left = self.deeper()?;
        while items.next_element_seed(self.inside(depth_left))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let depth_left = self.deeper()?;
        let mut seen: HashSet<std::borrow::Cow<'de, str>> = HashSet::new();
        while let Some(Key(name)) = members.next_key()? {
            *self.members += 1;
            if *self.members > MAX_MEMBERS {
                return Err(serde::de::Error::custom("too many members"));
            }
            if seen.contains(&name) {
                let name = crate::text::cut(&name, 64);
                return Err(serde::de::Error::custom(format_args!(
                    "the member {name:?} is repeated"
                )));
            }
            seen.insert(name);
            members.next_value_seed(self.inside(depth_left))?;
        }
        Ok(())
    }
}

/// A member name, borrowed where it needs no unescaping.
struct Key<'de>(std::borrow::Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(name.into()))
            }
            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(name.to_owned().into()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// JSON kept as the text it was: numbers keep their digits, members their order.
#[derive(Clone)]
pub struct Raw(Box<RawValue>);

impl Raw {
    /// Takes text that is JSON.
    pub fn parse(text: String) -> Result<Self, Malformed> {
        RawValue::from_string(text)
            .map(Self)
            .map_err(|error| Malformed(error.to_string()))
    }

    /// Writes a value down. A value that cannot be written (a map whose keys are no strings) is null.
    pub fn of<T: Serialize>(value: &T) -> Self {
        Self(serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        self.as_str().trim_start().starts_with('{')
    }

    /// Checks the text as [`check`] does.
    pub fn check(&self, max_depth: usize) -> Result<(), Malformed> {
        check(self.as_str().as_bytes(), max_depth)
    }

    /// The same without the spaces and line ends between its parts.
    #[must_use]
    pub fn compact(&self) -> Self {
        let (mut in_string, mut escaped) = (false, false);
        let is_kept = |character: &char| {
            in_string ^= *character == '"' && !escaped;
            escaped = *character == '\\' && in_string && !escaped;
            in_string || !character.is_ascii_whitespace()
        };
        let text = self.as_str().chars().filter(is_kept).collect();
        Self::parse(text).unwrap_or_else(|_| self.clone())
    }

    /// Whether both say the same, whatever their spacing and the order of members.
    pub fn means_the_same(&self, other: &Self) -> bool {
        let value = |raw: &Self| serde_json::from_str::<serde_json::Value>(raw.as_str()).ok();
        self == other || value(self) == value(other)
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_json_keeps_its_strings_numbers_and_order() {
        let raw =
            Raw::parse("{\n  \"b\": [ 1.50, \"a \\\" b\\\\\" ],\t\"a b\" : null }".to_owned());
        let compact = raw.unwrap().compact();
        assert_eq!(compact.as_str(), r#"{"b":[1.50,"a \" b\\"],"a b":null}"#);
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth_and_in_any_spelling() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":[{"a":1,"b":2,"a":3}]}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            let error = check(text.as_bytes(), 8).unwrap_err().to_string();
            assert!(error.contains("\"a\" is repeated"), "{error}");
        }
        assert_eq!(
            check(br#"{"a":{"a":{"a":[1,1,"a",null,true,1.5,-3]}}}"#, 8),
            Ok(())
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(nested(8).as_bytes(), 8), Ok(()));
        assert!(
            check(nested(9).as_bytes(), 8)
                .unwrap_err()
                .to_string()
                .contains("deep")
        );
        assert!(check(nested(100_000).as_bytes(), 64).is_err());
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for text in ["", "{", "{}x", "{'a':1}", "[1,]", "NaN", "\"\u{1}\""] {
            assert!(check(text.as_bytes(), 8).is_err(), "{text}");
        }
        assert!(check(b"\"\xff\"", 8).is_err());
        assert!(
            check(b"{\n 1", 8)
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }

    #[test]
    fn raw_json_keeps_digits_and_order() {
        let text = r#"{"z":1.00,"a":12345678901234567890123}"#;
        let raw: Raw = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&raw).unwrap(), text);
        assert!(raw.means_the_same(
            &serde_json::from_str(r#"{"a":12345678901234567890123, "z":1.0}"#).unwrap()
        ));
    }
}
