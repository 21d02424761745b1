//! Forms, read strictly: `application/x-www-form-urlencoded` as the WHATWG URL Standard (§5.1)
//! parses it, except that what it would repair or leave ambiguous is refused.

use crate::refusal::{Refusal, quote};
use std::borrow::Cow;

/// The most keys of a form.
const MAX_KEYS: usize = 200;

/// A form without repeated keys.
pub(crate) struct Form<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

enum Value<'a> {
    Text(Cow<'a, str>),
    Raw(Cow<'a, [u8]>),
}

impl<'a> Form<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        Self::read_with_raw(bytes, &[])
    }

    /// The same, but the values of the `raw` keys are whatever bytes they are: no UTF-8 is asked of
    /// them, and they have no text. They are never longer than the body.
    pub(crate) fn read_with_raw(bytes: &'a [u8], raw: &[&str]) -> Result<Self, Refusal> {
        let mut form = Self(Vec::new());
        for pair in bytes
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if form.0.len() == MAX_KEYS {
                return Err(Refusal::malformed_form(format!(
                    "more than {MAX_KEYS} keys"
                )));
            }
            form.insert(pair, raw)?;
        }
        Ok(form)
    }

    /// The value of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            Value::Raw(_) => None,
        }
    }

    /// The bytes of a raw key's value.
    pub(crate) fn raw(&self, key: &str) -> Option<&[u8]> {
        match self.value(key)? {
            Value::Raw(bytes) => Some(bytes),
            Value::Text(_) => None,
        }
    }

    fn value(&self, key: &str) -> Option<&Value<'a>> {
        self.0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    fn insert(&mut self, pair: &'a [u8], raw: &[&str]) -> Result<(), Refusal> {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let key = decode(halves.next().unwrap_or_default()).map_err(|wrong| {
            Refusal::malformed_form(format!("key number {} {wrong}", self.0.len() + 1))
        })?;
        let value = halves.next().unwrap_or_default();
        let value = if raw.contains(&key.as_ref()) {
            unescape(value).map(Value::Raw)
        } else {
            decode(value).map(Value::Text)
        };
        let value = value.map_err(|wrong| {
            Refusal::malformed_form(format!("the value of {} {wrong}", quote(&key)))
        })?;
        if self.value(&key).is_some() {
            return Err(Refusal::malformed_form(format!(
                "the key {} is repeated",
                quote(&key)
            )));
        }
        self.0.push((key, value));
        Ok(())
    }
}

fn decode(raw: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    const NOT_UTF_8: &str = "is not UTF-8";
    match unescape(raw)? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|_| NOT_UTF_8),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| NOT_UTF_8),
    }
}

fn unescape(raw: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (byte, after) =
                    hex_byte(rest).ok_or("has a % that two hexadecimal digits do not follow")?;
                rest = after;
                byte
            }
            plain => *plain,
        });
    }
    Ok(Cow::Owned(bytes))
}

/// The byte whose two digits come next, and what follows them.
pub(crate) fn hex_byte(digits: &[u8]) -> Option<(u8, &[u8])> {
    let (pair, after) = digits.split_at_checked(2)?;
    if !pair.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    Some((byte, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        let refusal = Form::read(bytes).err().unwrap();
        assert_eq!(refusal.code(), "malformed_form");
        refusal.detail().to_owned()
    }

    #[test]
    fn values_are_decoded_and_empty_pairs_skipped() {
        let form = Form::read("&a=1&&b=x+%2B%c3%aa=é&c=&d&".as_bytes())
            .ok()
            .unwrap();
        assert_eq!(form.text("a"), Some("1"));
        assert_eq!(form.text("b"), Some("x +ê=é"));
        assert_eq!(
            (form.text("c"), form.text("d"), form.text("e")),
            (Some(""), Some(""), None)
        );
        assert_eq!(Form::read(b"").ok().unwrap().text(""), None);
    }

    #[test]
    fn a_repeated_key_is_refused_in_any_spelling() {
        assert_eq!(refused(b"a=1&b=2&%61=1"), "the key \"a\" is repeated");
        assert_eq!(refused(b"a&a"), "the key \"a\" is repeated");
    }

    #[test]
    fn bad_escapes_and_bad_utf_8_are_refused_with_their_place() {
        for body in ["id=%", "id=%2", "id=%zz", "id=%+1", "id=%2\u{e9}"] {
            assert!(
                refused(body.as_bytes()).starts_with("the value of \"id\" has a %"),
                "{body}"
            );
        }
        assert_eq!(refused(b"id=%ff"), "the value of \"id\" is not UTF-8");
        assert_eq!(refused(b"id=\xff"), "the value of \"id\" is not UTF-8");
        assert_eq!(refused(b"id=1&%ff=1"), "key number 2 is not UTF-8");
    }

    #[test]
    fn a_raw_value_may_be_any_bytes_and_has_no_text() {
        let form = Form::read_with_raw(b"a=%00%ff+\xe9&b=%C3%A9", &["a", "c"])
            .ok()
            .unwrap();
        assert_eq!(form.raw("a"), Some(b"\x00\xff \xe9".as_slice()));
        assert_eq!((form.text("a"), form.raw("c")), (None, None));
        assert_eq!((form.text("b"), form.raw("b")), (Some("é"), None));
        for body in ["a=1&a=%ff", "a=%f", "b=%ff"] {
            let refusal = Form::read_with_raw(body.as_bytes(), &["a"]).err().unwrap();
            assert_eq!(refusal.code(), "malformed_form", "{body}");
        }
    }

    #[test]
    fn two_hundred_keys_are_taken_and_one_more_is_not() {
        let body = |keys: usize| {
            (0..keys)
                .map(|key| format!("k{key}=v"))
                .collect::<Vec<_>>()
                .join("&")
        };
        assert!(Form::read(body(200).as_bytes()).is_ok());
        assert_eq!(refused(body(201).as_bytes()), "more than 200 keys");
    }
}
