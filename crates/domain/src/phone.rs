//! Phone numbers, compared as E.164.

/// The longest text looked at as a phone number; longer is no phone number.
pub const MAX_LENGTH: usize = 32;

/// `+` and 7–15 digits, after removing `tel:`, spaces and hyphens: what a caller must write.
pub fn parse(text: &str) -> Option<String> {
    let bare = strip(text)?;
    let digits = bare.strip_prefix('+')?;
    is_number(digits).then_some(bare)
}

/// The E.164 form of what a provider wrote, where it has one: `tel:+225…`, `+225…`, `00225…` or
/// `225…`. A number that begins with a single zero is national: without its country it has none.
pub fn normalise(text: &str) -> Option<String> {
    let bare = strip(text)?;
    let digits = bare
        .strip_prefix('+')
        .or_else(|| bare.strip_prefix("00"))
        .unwrap_or(&bare);
    (is_number(digits) && !digits.starts_with('0')).then(|| format!("+{digits}"))
}

fn strip(text: &str) -> Option<String> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    Some(text.chars().filter(|c| !matches!(c, ' ' | '-')).collect())
}

fn is_number(digits: &str) -> bool {
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_writes_a_plus_and_seven_to_fifteen_digits() {
        assert_eq!(
            parse("tel:+260 97-000 0001").as_deref(),
            Some("+260970000001")
        );
        for text in [
            "260970000001",
            "+12345",
            "+1234567890123456",
            "+26097x000001",
            "",
            "MYCLINIC",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_provider_may_leave_the_plus_out() {
        for text in [
            "tel:+2250700000001",
            "+2250700000001",
            "2250700000001",
            "002250700000001",
        ] {
            assert_eq!(normalise(text).as_deref(), Some("+2250700000001"), "{text}");
        }
        for text in ["0950000001", "MTN", "", "+", "tel:"] {
            assert_eq!(normalise(text), None, "{text}");
        }
    }
}
