//! The keys by which what was accepted and what arrived are matched.

/// The length of an event's id as text, in bytes: `evt_` and 26 characters.
pub const LENGTH: usize = 30;

/// The alphabet of a `TypeID` (specification 0.3).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What the provider's ids of messages begin with.
const MESSAGE: &str = "bench-";

/// The number in an event's id (`evt_01h455vb4pex5vsknk084sn02q`); nothing for other text.
pub fn key(text: &[u8]) -> Option<u128> {
    let digits = text.strip_prefix(b"evt_")?;
    if digits.len() != 26 || digits[0] > b'7' {
        return None;
    }
    digits.iter().try_fold(0, |key: u128, digit| {
        let value = ALPHABET.iter().position(|letter| letter == digit)?;
        Some(key << 5 | u128::try_from(value).ok()?)
    })
}

/// The id that the provider gave to the message of this number.
pub fn message(number: u64) -> String {
    format!("{MESSAGE}{number}")
}

/// Where the API tells of what has this key: an event, or a message. The numbers of events, `UUIDv7`s, are
/// far greater than any count.
pub fn path(key: u128) -> String {
    match u64::try_from(key) {
        Ok(number) => format!("/v1/messages?provider_message_id={}", message(number)),
        Err(_) => format!("/v1/events/evt_{}", digits(key)),
    }
}

fn digits(key: u128) -> String {
    let digit = |place: u32| {
        let value = usize::try_from(key >> (5 * place) & 31).unwrap_or_default();
        char::from(ALPHABET[value])
    };
    (0..26).rev().map(digit).collect()
}

/// The number of the message that the body of a webhook tells of.
pub fn number_of_message(body: &[u8]) -> Option<u128> {
    let field = format!(r#""provider_message_id":"{MESSAGE}"#);
    let field = field.as_bytes();
    let at = body.windows(field.len()).position(|part| part == field)? + field.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let end = at + digits.count();
    std::str::from_utf8(&body[at..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification: the UUID 01890a5d-ac96-774b-bcce-b302099a8057.
    #[test]
    fn the_key_of_an_id_is_its_number() {
        let expected = 0x0189_0a5d_ac96_774b_bcce_b302_099a_8057;
        assert_eq!(key(b"evt_01h455vb4pex5vsknk084sn02q"), Some(expected));
        assert_eq!(path(expected), "/v1/events/evt_01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn what_is_no_id_has_no_key() {
        for text in [
            "",
            "evt_",
            "msg_01h455vb4pex5vsknk084sn02q",
            "evt_81h455vb4pex5vsknk084sn02q",
        ] {
            assert_eq!(key(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_message_is_found_in_the_body_of_a_webhook() {
        let body = format!(
            r#"{{"data":{{"provider_message_id":"{}","to":null}}}}"#,
            message(42)
        );
        assert_eq!(number_of_message(body.as_bytes()), Some(42));
        assert_eq!(number_of_message(b"{}"), None);
    }
}
