//! The header `Content-Type`.

use providers::{MediaType, registry};

/// The bytes as the header of a callback: it is read as one of the provider's own types or as none.
pub(crate) fn survives(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else {
        return;
    };
    for provider in registry::all() {
        let Some(read) = provider.media_type(Some(header)) else {
            continue;
        };
        assert!(
            provider.content_types().contains(&read.as_str()),
            "{} does not send {}",
            provider.name(),
            read.as_str()
        );
        assert_eq!(
            provider.media_type(Some(&header.to_ascii_uppercase())),
            Some(read),
            "case does not matter"
        );
        let essence = header.split(';').next().unwrap_or_default().trim();
        assert!(
            header.trim().is_empty() || MediaType::parse(essence) == Some(read),
            "{header:?} was read as {}",
            read.as_str()
        );
    }
}
