//! The fields of a callback, the same from a form and from JSON.

use crate::body::{Body, MediaType};
use crate::form::Form;
use crate::object::Object;
use crate::refusal::Refusal;
use domain::Timestamp;
use domain::report::{MAX_ID_BYTES, MAX_TEXT_BYTES};
use domain::text::{clean, cut};
use std::borrow::Cow;

/// Named texts. What is empty counts as missing, unless a method says otherwise.
pub(crate) enum Fields<'a> {
    Form(Form<'a>),
    Json(Object<'a>),
}

impl<'a> Fields<'a> {
    pub(crate) fn read(body: Body<'a>) -> Result<Self, Refusal> {
        match body.media_type {
            MediaType::Form => Form::read(body.bytes).map(Self::Form),
            MediaType::Json => Object::read(body.bytes).map(Self::Json),
        }
    }

    /// A short text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.given(name).map(|text| short(&text))
    }

    /// A short text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::missing(name))
    }

    /// What a person wrote: it must be there, may be empty, and is as long as it is.
    pub(crate) fn written(&self, name: &str) -> Result<String, Refusal> {
        let text = self.raw(name);
        text.map(|text| clean(text.into_owned()))
            .ok_or_else(|| Refusal::missing(name))
    }

    /// An id, exactly. One that is longer than any provider's is no id that we know.
    pub(crate) fn id(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(id) = self.given(name) else {
            return Ok(None);
        };
        let id = clean(id.into_owned());
        if id.len() > MAX_ID_BYTES {
            let detail = format!("the id in \"{name}\" is longer than {MAX_ID_BYTES} bytes");
            return Err(Refusal::unrecognised(detail));
        }
        Ok(Some(id))
    }

    /// An id that must be there.
    pub(crate) fn required_id(&self, name: &str) -> Result<String, Refusal> {
        self.id(name)?.ok_or_else(|| Refusal::missing(name))
    }

    /// A phone number as the provider wrote it. In a form a `+` that was not escaped became a
    /// space: before digits it is a `+` again.
    pub(crate) fn phone(&self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        Some(match text.strip_prefix(' ') {
            Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("+{number}")
            }
            _ => text,
        })
    }

    /// A phone number, a short code or a name that must be there.
    pub(crate) fn required_phone(&self, name: &str) -> Result<String, Refusal> {
        self.phone(name).ok_or_else(|| Refusal::missing(name))
    }

    /// A time, where there is one that can be read.
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        self.given(name)
            .and_then(|text| Timestamp::parse_provider(&text))
    }

    /// A time in milliseconds since the Unix epoch, where it has the thirteen digits of one between
    /// 2001 and 2286: seconds have fewer, and dates written without separators have more.
    pub(crate) fn epoch_ms(&self, name: &str) -> Option<Timestamp> {
        let millis = self.given(name)?.parse().ok()?;
        (1_000_000_000_000..10_000_000_000_000)
            .contains(&millis)
            .then(|| Timestamp::from_millis(millis))
    }

    fn given(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw(name).filter(|text| !text.is_empty())
    }

    fn raw(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Form(form) => form.text(name).map(Cow::Borrowed),
            Self::Json(object) => object.text(name),
        }
    }
}

fn short(text: &str) -> String {
    clean(cut(text, MAX_TEXT_BYTES).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Fields<'_> {
        Fields::read(Body {
            media_type: MediaType::Form,
            bytes: text.as_bytes(),
        })
        .ok()
        .unwrap()
    }

    #[test]
    fn only_a_phone_field_gets_its_plus_back() {
        let fields = form("a=+254700000001&b=%2B254700000001&c=+MTN&d=254700000001&e=tel:+1");
        for (name, phone) in [
            ("a", "+254700000001"),
            ("b", "+254700000001"),
            ("c", " MTN"),
            ("d", "254700000001"),
            ("e", "tel: 1"),
        ] {
            assert_eq!(fields.phone(name).as_deref(), Some(phone), "{name}");
        }
        assert_eq!(fields.text("a").as_deref(), Some(" 254700000001"));
        assert_eq!(
            fields.id("a").ok().flatten().as_deref(),
            Some(" 254700000001")
        );
        assert_eq!(fields.written("a").ok().as_deref(), Some(" 254700000001"));
    }

    #[test]
    fn the_longest_id_is_taken_and_a_longer_one_is_not() {
        let body = format!("fits={}&long={}", "x".repeat(512), "x".repeat(513));
        let fields = form(&body);
        assert_eq!(fields.required_id("fits").map(|id| id.len()), Ok(512));
        assert_eq!(
            fields.required_id("long").err().map(|it| it.code()),
            Some("unrecognised")
        );
    }

    #[test]
    fn only_thirteen_digits_are_milliseconds() {
        let fields = form("a=1777630530855&b=1777630530&c=20260501101530&d=0&e=-1777630530855&f=");
        assert_eq!(
            fields.epoch_ms("a"),
            Some(Timestamp::from_millis(1_777_630_530_855))
        );
        for name in ["b", "c", "d", "e", "f", "g"] {
            assert_eq!(fields.epoch_ms(name), None, "{name}");
        }
    }

    #[test]
    fn a_text_is_cut_but_what_a_person_wrote_is_not() {
        let body = format!("t={}", "x".repeat(2_000));
        let fields = form(&body);
        assert_eq!(fields.text("t").map(|text| text.len()), Some(512));
        assert_eq!(fields.written("t").map(|text| text.len()), Ok(2_000));
    }
}
