//! The default alphabet of SMS (3GPP TS 23.038, once GSM 03.38), one septet in each byte.

const ESCAPE: u8 = 0x1b;

/// The basic character set (section 6.2.1). The escape has no character of its own.
#[rustfmt::skip]
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// What follows an escape (section 6.2.1.1).
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The text of these septets, of at most three times as many bytes. A byte that is no septet is
/// U+FFFD.
pub(super) fn decode(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut septets = septets.iter().copied();
    while let Some(septet) = septets.next() {
        text.push(match septet {
            ESCAPE => escaped(septets.next()),
            plain => basic(plain),
        });
    }
    text
}

/// As a phone shows it: a septet that the extension lacks by the basic set, and an escape of nothing,
/// or of another escape, as a space.
fn escaped(septet: Option<u8>) -> char {
    let Some(septet) = septet else { return ' ' };
    EXTENSION
        .iter()
        .find(|(known, _)| *known == septet)
        .map_or_else(|| basic(septet), |(_, character)| *character)
}

fn basic(septet: u8) -> char {
    BASIC
        .get(usize::from(septet))
        .copied()
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_septet_has_its_own_character() {
        let all: Vec<u8> = (0..128).filter(|septet| *septet != ESCAPE).collect();
        let text = decode(&all);
        assert_eq!(text.chars().count(), 127);
        let different: std::collections::BTreeSet<_> = text.chars().collect();
        assert_eq!(different.len(), 127);
        assert_eq!(&text[..4], "@£$");
    }

    #[test]
    fn letters_digits_and_most_marks_are_those_of_ascii() {
        for byte in (b'a'..=b'z').chain(b'A'..=b'Z').chain(b' '..=b'?') {
            if byte != b'$' {
                assert_eq!(decode(&[byte]), char::from(byte).to_string());
            }
        }
    }

    #[test]
    fn other_letters_have_the_places_of_the_standard() {
        for (septets, text) in [
            (
                b"\x00\x02\x04\x05\x06\x09\x0b\x0c\x0e\x0f".as_slice(),
                "@$èéùÇØøÅå",
            ),
            (
                b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a",
                "Δ_ΦΓΛΩΠΨΣΘΞ",
            ),
            (
                b"\x1c\x1d\x1e\x1f\x24\x40\x5b\x5c\x5d\x5e\x5f",
                "ÆæßÉ¤¡ÄÖÑÜ§",
            ),
            (b"\x60\x7b\x7c\x7d\x7e\x7f\x0a\x0d", "¿äöñüà\n\r"),
        ] {
            assert_eq!(decode(septets), text);
        }
    }

    #[test]
    fn an_escape_reaches_the_extension() {
        let marks = b"\x1b\x14\x1b(\x1b)\x1b/\x1b<\x1b=\x1b>\x1b@\x1be";
        assert_eq!(decode(marks), "^{}\\[~]|€");
        assert_eq!(decode(b"\x1b\x0a"), "\u{c}");
    }

    #[test]
    fn an_escape_of_what_the_extension_lacks_is_shown_as_a_phone_shows_it() {
        assert_eq!(decode(b"\x1bA"), "A");
        assert_eq!(decode(b"\x1b"), " ");
        assert_eq!(decode(b"\x1b\x1bA"), " A");
    }

    #[test]
    fn a_byte_that_is_no_septet_is_replaced() {
        assert_eq!(decode(b"\x80a\xff\x1b\x80"), "\u{fffd}a\u{fffd}\u{fffd}");
    }
}
