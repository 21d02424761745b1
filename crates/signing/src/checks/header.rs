/// What a header name must be.
pub(super) const ALLOWED: &str =
    "must be a header name: 1 to 128 letters, digits and !#$%&'*+-.^_`|~";

/// The name of a header, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderName(String);

impl HeaderName {
    /// Reads a name in any case (RFC 9110, section 5.6.2: token).
    pub(super) fn parse(name: &str) -> Option<Self> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let fits = (1..=128).contains(&name.len()) && name.bytes().all(is_token);
        fits.then(|| Self(name.to_ascii_lowercase()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the header, if it came exactly once.
    pub(super) fn only<'a>(&self, headers: &[(&'a str, &'a [u8])]) -> Option<&'a [u8]> {
        only(&self.0, headers)
    }
}

/// The value of the header of this name, if it came exactly once: of two, nobody can tell which one
/// another program on the way looked at.
pub(super) fn only<'a>(name: &str, headers: &[(&'a str, &'a [u8])]) -> Option<&'a [u8]> {
    let mut values = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_token_in_lower_case() {
        assert_eq!(
            HeaderName::parse("X-Signature").unwrap().as_str(),
            "x-signature"
        );
        assert!(HeaderName::parse(&"x".repeat(128)).is_some());
        for name in [
            "",
            "x y",
            "x:",
            "x\r\n",
            "é",
            "x,y",
            "\"x\"",
            &"x".repeat(129),
        ] {
            assert!(HeaderName::parse(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_header_counts_only_when_it_came_once() {
        let name = HeaderName::parse("x-key").unwrap();
        let other = ("x-keys", b"0".as_slice());
        assert_eq!(name.only(&[other]), None);
        assert_eq!(name.only(&[other, ("x-key", b"1")]), Some(b"1".as_slice()));
        assert_eq!(name.only(&[("x-key", b"1"), other, ("x-key", b"1")]), None);
        assert_eq!(name.only(&[("x-key", b"1"), ("X-Key", b"1")]), None);
    }
}
