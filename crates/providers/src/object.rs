//! JSON objects, whose numbers keep their digits.

use crate::refusal::{Refusal, quote};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The deepest nesting of a callback.
const MAX_DEPTH: usize = 32;

/// The most statements of one callback. The default limit of a body is reached long before.
pub(crate) const MAX_STATEMENTS: usize = 5_000;

/// A JSON object.
pub(crate) struct Object<'a> {
    members: BTreeMap<String, &'a RawValue>,
    /// Whether names are found in any case; they are kept in lower case then.
    ignores_case: bool,
}

impl<'a> Object<'a> {
    /// Reads a body: checked as a whole before any of it is used.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.starts_with("\u{feff}".as_bytes()) {
            return Err(Refusal::malformed_json(
                "the body begins with a byte order mark",
            ));
        }
        domain::json::check(bytes, MAX_DEPTH)
            .map_err(|wrong| Refusal::malformed_json(wrong.to_string()))?;
        let members = serde_json::from_slice(bytes)
            .map_err(|_| Refusal::unrecognised("the body is JSON, but not an object"))?;
        Ok(Self {
            members,
            ignores_case: false,
        })
    }

    /// The same object, in which the case of ASCII letters in names does not matter, and so in the
    /// objects inside. Names that differ only in that are a repeated name.
    pub(crate) fn ignoring_case(self) -> Result<Self, Refusal> {
        let mut members = BTreeMap::new();
        for (name, value) in self.members {
            if members.insert(name.to_ascii_lowercase(), value).is_some() {
                let detail = format!("the member {} is repeated in another case", quote(&name));
                return Err(Refusal::malformed_json(detail));
            }
        }
        Ok(Self {
            members,
            ignores_case: true,
        })
    }

    /// Whether there is a member of this name that is not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|raw| raw.get() != "null")
    }

    /// The text of a string or a number. Anything else has none.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.get(name)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok().map(Cow::Owned),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
            _ => None,
        }
    }

    /// What is true or false. Anything else is neither.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.get().parse().ok()
    }

    /// The object of this name, if there is a member of it and it is not null.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Refusal> {
        let Some(raw) = self.get(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        let wrong = |_| Refusal::unrecognised(format!("\"{name}\" is not an object"));
        let members = serde_json::from_str(raw.get()).map_err(wrong)?;
        self.inner(members).map(Some)
    }

    /// The objects of this name: one, or an array of them.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let raw = self.get(name).ok_or_else(|| Refusal::missing(name))?.get();
        if let Ok(one) = serde_json::from_str(raw) {
            return Ok(vec![self.inner(one)?]);
        }
        let many: Vec<BTreeMap<_, _>> = serde_json::from_str(raw).map_err(|_| {
            Refusal::unrecognised(format!(
                "\"{name}\" is neither an object nor an array of objects"
            ))
        })?;
        if many.len() > MAX_STATEMENTS {
            let detail = format!("\"{name}\" has more than {MAX_STATEMENTS} entries");
            return Err(Refusal::unrecognised(detail));
        }
        many.into_iter().map(|one| self.inner(one)).collect()
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        if self.ignores_case {
            self.members.get(&name.to_ascii_lowercase()).copied()
        } else {
            self.members.get(name).copied()
        }
    }

    fn inner(&self, members: BTreeMap<String, &'a RawValue>) -> Result<Self, Refusal> {
        let object = Self {
            members,
            ignores_case: false,
        };
        if self.ignores_case {
            object.ignoring_case()
        } else {
            Ok(object)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Object<'_> {
        Object::read(text.as_bytes()).ok().unwrap()
    }

    #[test]
    fn strings_and_numbers_have_a_text_and_nothing_else_has() {
        let object = read(
            r#"{"s":"a\u00e9","n": -1.50e3 ,"i":12345678901234567890123,"x":null,"b":true,"o":{},"a":[]}"#,
        );
        assert_eq!(object.text("s").as_deref(), Some("aé"));
        assert_eq!(object.text("n").as_deref(), Some("-1.50e3"));
        assert_eq!(object.text("i").as_deref(), Some("12345678901234567890123"));
        for name in ["x", "b", "o", "a", "missing"] {
            assert_eq!(object.text(name), None, "{name}");
        }
    }

    #[test]
    fn one_object_stands_for_an_array_of_one() {
        let object =
            read(r#"{"one":{"a":1},"two":[{"a":1},{"a":2}],"none":[],"odd":[1],"null":null}"#);
        assert_eq!(object.objects("one").ok().unwrap().len(), 1);
        assert_eq!(object.objects("two").ok().unwrap().len(), 2);
        assert_eq!(object.objects("none").ok().unwrap().len(), 0);
        for name in ["odd", "null", "missing"] {
            assert_eq!(
                object.objects(name).err().unwrap().code(),
                "unrecognised",
                "{name}"
            );
        }
    }

    #[test]
    fn names_are_found_in_any_case_where_it_is_ignored_and_so_inside() {
        let text = r#"{"TransactionID":"1","Inner":{"ID":2},"MANY":[{"Id":3}],"É":4,"No":null}"#;
        let strict = read(text);
        assert_eq!(strict.text("transactionId"), None);
        assert_eq!(strict.text("TransactionID").as_deref(), Some("1"));
        let object = read(text).ignoring_case().ok().unwrap();
        assert_eq!(object.text("transactionId").as_deref(), Some("1"));
        let inner = object.object("inner").ok().flatten().unwrap();
        assert_eq!(inner.text("id").as_deref(), Some("2"));
        let many = object.objects("Many").ok().unwrap();
        assert_eq!(many[0].text("iD").as_deref(), Some("3"));
        assert_eq!(object.text("é"), None);
        assert!(object.has("many") && !object.has("no") && !object.has("missing"));
    }

    #[test]
    fn a_name_repeated_in_another_case_is_malformed_where_case_is_ignored() {
        let text = r#"{"id":1,"ID":1}"#;
        let refusal = read(text).ignoring_case().err().unwrap();
        assert_eq!(refusal.code(), "malformed_json");
        let text = r#"{"one":{"id":1,"ID":1},"many":[{"id":1,"ID":1}]}"#;
        let object = read(text).ignoring_case().ok().unwrap();
        assert!(object.object("one").is_err() && object.objects("many").is_err());
        assert!(read(text).object("one").is_ok());
    }

    #[test]
    fn a_body_that_is_json_but_no_object_is_unrecognised() {
        for text in ["[]", "1", "null", "\"id\"", "[{\"id\":1}]"] {
            let refusal = Object::read(text.as_bytes()).err().unwrap();
            assert_eq!(refusal.code(), "unrecognised", "{text}");
        }
    }
}
