//! Ids that one system pads with zeros and the next one does not.

/// An id of nothing but digits, without its leading zeros; any other id as it is. Letters, hexadecimal
/// or not, part suffixes and signs make an id a text, and a text is compared exactly.
pub(crate) fn without(id: &str) -> &str {
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    match id.trim_start_matches('0') {
        "" if is_number => "0",
        digits if is_number => digits,
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_digits_loses_its_leading_zeros() {
        for (id, bare) in [
            ("007", "7"),
            ("7", "7"),
            ("700", "700"),
            ("0", "0"),
            ("000", "0"),
            (
                "00012345678901234567890123456789",
                "12345678901234567890123456789",
            ),
            ("", ""),
            ("00ab", "00ab"),
            ("0x07", "0x07"),
            ("007-1", "007-1"),
            (" 007", " 007"),
            ("+007", "+007"),
            ("٠٠٧", "٠٠٧"),
        ] {
            assert_eq!(without(id), bare, "{id}");
        }
    }
}
