//! The body of a callback, and how it is to be read.

use crate::refusal::Refusal;

/// The media type of HTML forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The media type of JSON.
pub(crate) const JSON: &str = "application/json";

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
}

/// The body of a callback, as received.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// How it is written, by its header; never guessed from the bytes.
    pub media_type: MediaType,
    /// All of it.
    pub bytes: &'a [u8],
}

impl MediaType {
    /// Its name, without parameters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => FORM,
            Self::Json => JSON,
        }
    }

    /// The media type of this name, without parameters, in any case.
    pub fn parse(essence: &str) -> Option<Self> {
        [Self::Form, Self::Json]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(essence))
    }
}

impl Body<'_> {
    /// For a provider that sends only one media type.
    pub(crate) fn expect(&self, media_type: MediaType) -> Result<(), Refusal> {
        if self.media_type == media_type {
            return Ok(());
        }
        let (expected, found) = (media_type.as_str(), self.media_type.as_str());
        Err(Refusal::unrecognised(format!(
            "the body is {found}, not {expected}"
        )))
    }
}

/// See [`crate::Provider::media_type`]. An empty header says as little as none.
pub(crate) fn media_type(
    accepted: &[&'static str],
    content_type: Option<&str>,
) -> Option<MediaType> {
    let Some(header) = content_type
        .map(str::trim)
        .filter(|header| !header.is_empty())
    else {
        return accepted.first().and_then(|own| MediaType::parse(own));
    };
    let mut parts = header.split(';').map(str::trim);
    let essence = parts.next()?;
    let is_accepted = accepted
        .iter()
        .any(|name| name.eq_ignore_ascii_case(essence));
    (is_accepted && parts.all(is_harmless)).then(|| MediaType::parse(essence))?
}

/// Whether a parameter leaves the meaning of the bytes as it is: every one but a foreign charset.
fn is_harmless(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_header_means_the_providers_own_type() {
        assert_eq!(media_type(&[FORM, JSON], None), Some(MediaType::Form));
        assert_eq!(media_type(&[JSON], Some(" ")), Some(MediaType::Json));
    }

    #[test]
    fn case_spacing_and_a_utf_8_charset_do_not_matter() {
        for header in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json ;charset=\"UTF-8\"",
            "application/json;charset=utf8;v=1;",
        ] {
            assert_eq!(
                media_type(&[JSON], Some(header)),
                Some(MediaType::Json),
                "{header}"
            );
        }
    }

    #[test]
    fn another_type_or_charset_is_not_taken() {
        for header in [
            "application/x-www-form-urlencoded",
            "text/json",
            "application/json; charset=iso-8859-1",
            "application/json, application/json",
            "application/jsonx",
            ";",
        ] {
            assert_eq!(media_type(&[JSON], Some(header)), None, "{header}");
        }
    }
}
