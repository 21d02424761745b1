//! Erasure: one phone number, taken out of whatever names it.
//!
//! What is found is the number with its country code, in one piece: `+260971234567`, `260971234567`,
//! `00260971234567`, with or without percent-encoding of what stands before it. Other ways to write
//! it (national, with spaces) are not told from other numbers.

use crate::{json, phone};

/// What stands in the place of an erased number.
pub const BLANK: &str = "[erased]";

/// What is left of JSON that is none any more with the number blanked.
pub const NOTHING: &str = "{}";

/// A number that is to be erased.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    /// With the plus.
    e164: String,
}

impl Number {
    /// A number as a caller writes it: `+` and 7 to 15 digits.
    pub fn parse(text: &str) -> Option<Self> {
        phone::parse(text).map(|e164| Self { e164 })
    }

    /// In E.164.
    pub fn as_e164(&self) -> &str {
        &self.e164
    }

    /// Its digits, which whatever names it has in it.
    pub fn digits(&self) -> &str {
        self.e164.trim_start_matches('+')
    }

    /// Whether these bytes name it.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.next_in(bytes, 0).is_some()
    }

    /// The text with blanks in its place; none where it is not named.
    pub fn blank(&self, text: &str) -> Option<String> {
        self.replace(text, |_| BLANK.to_owned())
    }

    /// The JSON with blanks in its place, in strings and instead of a bare number; none where it is not
    /// named. Where that makes two members of one name, nothing is left but an empty object.
    pub fn blank_json(&self, json: &str) -> Option<String> {
        let inside = string_bytes(json);
        let blanked = self.replace(json, |at| {
            if inside.get(at) == Some(&true) {
                BLANK.to_owned()
            } else {
                format!("\"{BLANK}\"")
            }
        })?;
        let is_json = json::check(blanked.as_bytes(), json::MAX_DEPTH).is_ok();
        Some(if is_json { blanked } else { NOTHING.to_owned() })
    }

    fn replace(&self, text: &str, blank: impl Fn(usize) -> String) -> Option<String> {
        let mut left = String::new();
        let mut done = 0;
        while let Some((from, to)) = self.next_in(text.as_bytes(), done) {
            left.push_str(text.get(done..from)?);
            left.push_str(&blank(from));
            done = to;
        }
        (done > 0).then(|| left + text.get(done..).unwrap_or_default())
    }

    /// Where it is named next, what belongs to it included.
    fn next_in(&self, bytes: &[u8], mut from: usize) -> Option<(usize, usize)> {
        let digits = self.digits().as_bytes();
        let begin = from;
        loop {
            let rest = bytes.get(from..)?;
            let found = rest.windows(digits.len()).position(|at| at == digits)?;
            let (at, to) = (from + found, from + found + digits.len());
            let ends = !bytes.get(to).is_some_and(u8::is_ascii_digit);
            if ends && let Some(first) = first_byte(bytes, at) {
                return Some((first.max(begin), to));
            }
            from = at + 1;
        }
    }
}

/// Where a number begins whose digits begin here; none where they are the end of other digits.
fn first_byte(bytes: &[u8], at: usize) -> Option<usize> {
    let before = bytes.get(..at).unwrap_or_default();
    if let Some(rest) = before.strip_suffix(b"+") {
        return Some(rest.len());
    }
    if is_apart(before) {
        return Some(at);
    }
    let rest = before.strip_suffix(b"00")?;
    is_apart(rest).then_some(rest.len())
}

/// Whether digits that follow this are not the rest of other digits.
fn is_apart(before: &[u8]) -> bool {
    match before {
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., last] => !last.is_ascii_digit(),
        [] => true,
    }
}

/// Of each byte of a JSON text, whether it is within a string.
fn string_bytes(json: &str) -> Vec<bool> {
    let (mut is_inside, mut is_escaped) = (false, false);
    let judge = |byte: u8| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_inside => is_escaped = true,
            b'"' => is_inside = !is_inside,
            _ => {}
        }
        is_inside
    };
    json.bytes().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number() -> Number {
        Number::parse("+260 97-1234567").unwrap()
    }

    #[test]
    fn it_is_found_however_its_country_code_is_written_and_not_within_other_digits() {
        for text in [
            "+260971234567",
            "260971234567",
            "to=%2B260971234567&x",
            "to=%20260971234567",
            "tel:+260971234567.",
            "00260971234567",
        ] {
            assert!(number().is_in(text.as_bytes()), "{text}");
        }
        for text in [
            "1260971234567",
            "2609712345678",
            "0971234567",
            "100260971234567",
            "",
        ] {
            assert!(!number().is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_text_keeps_the_rest() {
        let blanked = number().blank("from 00260971234567 to +260971234567, not 2609712345670");
        let expected = "from [erased] to [erased], not 2609712345670";
        assert_eq!(blanked.as_deref(), Some(expected));
        assert_eq!(number().blank("nothing"), None);
    }

    #[test]
    fn json_stays_json_with_the_digits_of_everything_else() {
        let json = r#"{"to":"+260971234567","raw":260971234567,"é\"260971234567":1.00,"n":-1}"#;
        let expected = r#"{"to":"[erased]","raw":"[erased]","é\"[erased]":1.00,"n":-1}"#;
        assert_eq!(number().blank_json(json).as_deref(), Some(expected));
        for odd in [
            r#"{"260971234567":1,"+260971234567":2}"#,
            r#"{"n":-260971234567}"#,
            r#"{"n":260971234567.5}"#,
            r#"{"n":0.260971234567}"#,
        ] {
            assert_eq!(number().blank_json(odd).as_deref(), Some("{}"), "{odd}");
        }
    }
}
