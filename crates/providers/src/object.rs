//! JSON objects, whose numbers keep their digits.

use crate::refusal::Refusal;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The deepest nesting of a callback.
const MAX_DEPTH: usize = 32;

/// The most statements of one callback. The default limit of a body is reached long before.
const MAX_STATEMENTS: usize = 5_000;

/// A JSON object.
pub(crate) struct Object<'a>(BTreeMap<String, &'a RawValue>);

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
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|_| Refusal::unrecognised("the body is JSON, but not an object"))
    }

    /// The text of a string or a number. Anything else has none.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.0.get(name)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok().map(Cow::Owned),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
            _ => None,
        }
    }

    /// The object of this name, if there is a member of it and it is not null.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Refusal> {
        let Some(raw) = self.0.get(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        let wrong = |_| Refusal::unrecognised(format!("\"{name}\" is not an object"));
        serde_json::from_str(raw.get())
            .map(|object| Some(Self(object)))
            .map_err(wrong)
    }

    /// The objects of this name: one, or an array of them.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let raw = self
            .0
            .get(name)
            .ok_or_else(|| Refusal::missing(name))?
            .get();
        if let Ok(one) = serde_json::from_str(raw) {
            return Ok(vec![Self(one)]);
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
        Ok(many.into_iter().map(Self).collect())
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
    fn a_body_that_is_json_but_no_object_is_unrecognised() {
        for text in ["[]", "1", "null", "\"id\"", "[{\"id\":1}]"] {
            let refusal = Object::read(text.as_bytes()).err().unwrap();
            assert_eq!(refusal.code(), "unrecognised", "{text}");
        }
    }
}
