//! Halves of characters, which JSON can write and no text can hold.

use std::borrow::Cow;

/// U+FFFD, as JSON escapes it: as long as any other such escape.
const REPLACEMENT: &[u8] = b"\\ufffd";
const ESCAPE_BYTES: usize = REPLACEMENT.len();

/// JSON in which every escaped surrogate without its other half is U+FFFD, and nothing else is
/// changed. Whoever cuts a text in the middle of an emoji sends such halves. They are JSON (RFC 8259
/// §8.2), but our reader, like most, takes them for none.
pub fn mend_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    let mut mended = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += match (byte, unit(json, at)) {
            (b'\\', Some(0xd800..=0xdbff)) if is_low(unit(json, at + ESCAPE_BYTES)) => {
                2 * ESCAPE_BYTES
            }
            (b'\\', Some(0xd800..=0xdfff)) => {
                if let Some(half) = mended.to_mut().get_mut(at..at + ESCAPE_BYTES) {
                    half.copy_from_slice(REPLACEMENT);
                }
                ESCAPE_BYTES
            }
            // Whatever follows a backslash is no backslash that begins an escape.
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    mended
}

const fn is_low(unit: Option<u16>) -> bool {
    matches!(unit, Some(0xdc00..=0xdfff))
}

/// The UTF-16 code unit of the escape that begins here, if one does.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let escape = json.get(at..at.checked_add(ESCAPE_BYTES)?)?;
    let digits = escape.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(json: &str) -> String {
        String::from_utf8(mend_surrogates(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_half_becomes_the_replacement_character() {
        for (half, mended) in [
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\uDC00x""#, r#""\ufffdx""#),
            (r#""\ud83d\ud83d\ude0a""#, r#""\ufffd\ud83d\ude0a""#),
            (r#""\ude0a\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\n\ude0a""#, r#""\ufffd\n\ufffd""#),
            (r#""\\\ud800""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(mend(half), mended);
            assert!(serde_json::from_str::<String>(&mend(half)).is_ok());
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for json in [
            "",
            "\\",
            r"\u",
            r"\ud80",
            r"\ud83d\ude0a",
            r#"{"a":"\\ud800","b":"\\\\ud800","c":"\u00e9\ufffd😊"}"#,
            r"\u+d80",
        ] {
            assert_eq!(mend(json), json);
            assert!(matches!(mend_surrogates(json.as_bytes()), Cow::Borrowed(_)));
        }
    }
}
