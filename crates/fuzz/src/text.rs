//! Short texts: phone numbers, times, ids and names.

use domain::account::{Environment, Slug};
use domain::id::CallbackId;
use domain::{Timestamp, phone};

/// The bytes as each of them: what is read is read the same from how we write it.
pub(crate) fn survives(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for number in [phone::parse(text), phone::normalise(text)]
        .into_iter()
        .flatten()
    {
        assert!(number.is_ascii() && number.len() <= 16, "{number:?}");
        assert_eq!(phone::parse(&number).as_ref(), Some(&number));
    }
    if let Some(number) = phone::normalise(text) {
        assert_eq!(phone::normalise(&number), Some(number));
    }
    for time in [
        Timestamp::parse_rfc3339(text),
        Timestamp::parse_provider(text),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(Timestamp::parse_rfc3339(&time.to_string()), Some(time));
    }
    if let Ok(id) = text.parse::<CallbackId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(slug) = text.parse::<Slug>() {
        assert_eq!(slug.as_str(), text);
    }
    if let Ok(environment) = text.parse::<Environment>() {
        assert_eq!(environment.as_str(), text);
    }
}
