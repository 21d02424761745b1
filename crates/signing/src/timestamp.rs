/// Reads a Unix time in seconds as it stands in a header: 1 to 12 ASCII digits and nothing else (12
/// digits last for 31,000 years).
pub(crate) fn unix_seconds(text: &[u8]) -> Option<i64> {
    let readable = (1..=12).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !readable {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_time() {
        assert_eq!(unix_seconds(b"1700000000"), Some(1_700_000_000));
        assert_eq!(unix_seconds(b"0"), Some(0));
        assert_eq!(unix_seconds(b"999999999999"), Some(999_999_999_999));
        let unreadable: [&[u8]; 11] = [
            b"",
            b" 1",
            b"1 ",
            b"-1",
            b"+1",
            b"1.0",
            b"1e3",
            b"0x10",
            b"1,2",
            b"1000000000000",
            "١٢٣".as_bytes(),
        ];
        for text in unreadable {
            assert_eq!(unix_seconds(text), None, "{text:?}");
        }
    }
}
