//! The parameters of a callback, as signatures over parameters go through them. They are bytes: it
//! is not their meaning that is signed.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parameter {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// The parameters of a form or a query, in their order and as often as they came. What is no
/// escape stands as it is, as in the WHATWG URL Standard (section 5.1): whether the form is good is
/// judged by whoever reads it, once it is known who sent it.
pub(super) fn of_form(form: &[u8]) -> Vec<Parameter> {
    form.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decode(halves.next().unwrap_or_default());
            Parameter {
                name: half(),
                value: half(),
            }
        })
        .collect()
}

/// The parameters of a JSON object whose values are strings, or numbers as they are written; none
/// of any other JSON, for there is no one way to sign it.
pub(super) fn of_json(json: &[u8]) -> Option<Vec<Parameter>> {
    let Members(members) = serde_json::from_slice(json).ok()?;
    members
        .into_iter()
        .map(|(name, value)| {
            Some(Parameter {
                name: name.into_bytes(),
                value: text(value.get())?.into_bytes(),
            })
        })
        .collect()
}

fn decode(raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        rest = after;
        decoded.push(match (first, escaped(after)) {
            (b'+', _) => b' ',
            (b'%', Some(byte)) => {
                rest = after.get(2..).unwrap_or_default();
                byte
            }
            (plain, _) => *plain,
        });
    }
    decoded
}

/// The byte whose two digits come next.
fn escaped(digits: &[u8]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits.get(..2)?, &mut byte).ok()?;
    Some(byte[0])
}

fn text(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

/// The members of an object, repeated ones as often as they came.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parameters: &[Parameter]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        parameters
            .iter()
            .map(|it| (text(&it.name), text(&it.value)))
            .collect()
    }

    #[test]
    fn a_form_is_read_in_its_order_and_with_its_repetitions() {
        let read = shown(&of_form(b"b=1&a=%2B+x&&b=2&c&=d&e=f=g&%"));
        let expected = [
            ("b", "1"),
            ("a", "+ x"),
            ("b", "2"),
            ("c", ""),
            ("", "d"),
            ("e", "f=g"),
            ("%", ""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, expected);
        assert!(of_form(b"").is_empty());
    }

    #[test]
    fn an_object_of_strings_and_numbers_is_read_and_nothing_else() {
        let read = of_json(br#"{"b":"\u00e9","a": 1.50 ,"b":""}"#).unwrap();
        let expected = [("b", "é"), ("a", "1.50"), ("b", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(shown(&read), expected);
        let others: [&[u8]; 12] = [
            b"",
            b"a=1",
            b"[]",
            b"\"a\"",
            b"null",
            b"{",
            b"{} {}",
            br#"{"a":true}"#,
            br#"{"a":null}"#,
            br#"{"a":{}}"#,
            br#"{"a":[1]}"#,
            b"{\"a\":\"\xff\"}",
        ];
        for other in others {
            assert_eq!(of_json(other), None, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn deep_json_is_no_danger() {
        for depth in [100, 100_000] {
            let json = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(of_json(json.as_bytes()), None);
        }
    }
}
