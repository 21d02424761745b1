//! From the bytes of a short message to its text, by its data coding (SMPP 3.4, section 5.2.19).

use super::gsm;

/// The text of a content in a data coding, of at most three times as many bytes as the content. What
/// cannot be read is U+FFFD: the raw body keeps it.
///
/// Without a coding it is the default alphabet. The four numbers from 240 are the same with a message
/// class. A coding that we do not know is read as UTF-8.
pub(super) fn text(coding: &str, content: &[u8]) -> String {
    match coding {
        "" | "0" | "240" | "241" | "242" | "243" => gsm::decode(content),
        "1" => content.iter().map(|byte| ascii(*byte)).collect(),
        "3" => content.iter().map(|byte| char::from(*byte)).collect(),
        "8" => ucs_2(content),
        _ => String::from_utf8_lossy(content).into_owned(),
    }
}

fn ascii(byte: u8) -> char {
    if byte.is_ascii() {
        char::from(byte)
    } else {
        char::REPLACEMENT_CHARACTER
    }
}

/// Big-endian. Phones send emoji as the pairs of UTF-16, so those are read too.
fn ucs_2(content: &[u8]) -> String {
    let (pairs, odd) = content.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    let mut text: String = char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if !odd.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_reads_the_same_bytes_in_its_own_way() {
        for (coding, content, expected) in [
            ("", b"\x05v\x05nement".as_slice(), "événement"),
            ("0", b"\x05v\x05nement", "événement"),
            ("240", b"\x00", "@"),
            ("243", b"\x00", "@"),
            ("1", b"a@\xe9", "a@\u{fffd}"),
            ("3", b"\xe9v\xe9nement", "événement"),
            ("8", b"\x06'\x06J\x06B\x06'\x06A", "ايقاف"),
            ("8", b"\xd8=\xde\x0a", "😊"),
            ("2", "é".as_bytes(), "é"),
            ("4", b"a\xff", "a\u{fffd}"),
            ("nonsense", "é".as_bytes(), "é"),
        ] {
            assert_eq!(text(coding, content), expected, "{coding} {content:?}");
            assert_eq!(text(coding, b""), "", "{coding}");
        }
    }

    #[test]
    fn half_a_character_is_replaced() {
        assert_eq!(text("8", b"\x00a\x00"), "a\u{fffd}");
        assert_eq!(text("8", b"\xd8=\x00a"), "\u{fffd}a");
        assert_eq!(text("8", b"\xde\x0a"), "\u{fffd}");
    }
}
