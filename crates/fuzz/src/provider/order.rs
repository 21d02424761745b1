//! The order of fields means nothing.

use domain::callback::{Kind, Statement};
use providers::{Body, MediaType, Provider, Refusal};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Reads the same fields in another order, and compares what they say.
pub(super) fn does_not_matter(
    provider: &dyn Provider,
    kind: Kind,
    body: Body<'_>,
    parsed: &Result<Vec<Statement>, Refusal>,
) {
    let turned = match body.media_type {
        MediaType::Form => Some(turned_form(body.bytes)),
        MediaType::Json => turned_object(body.bytes),
    };
    // Another order may show another fault first, but not of another kind. A JSON that cannot be
    // turned is judged as it is.
    let Some(turned) = turned else { return };
    let again = provider.parse(
        kind,
        Body {
            media_type: body.media_type,
            bytes: &turned,
        },
    );
    let code = |parsed: &Result<_, Refusal>| parsed.as_ref().err().map(Refusal::code);
    assert_eq!(
        code(&again),
        code(parsed),
        "turned: {again:?}, as it came: {parsed:?}"
    );
    if let (Ok(turned), Ok(came)) = (again, parsed) {
        assert_eq!(turned, *came, "the order of fields does not matter");
    }
}

fn turned_form(form: &[u8]) -> Vec<u8> {
    let pairs: Vec<_> = form.split(|byte| *byte == b'&').rev().collect();
    pairs.join(&b'&')
}

/// The members of an object, last name first. None of what is no object without repeated members.
fn turned_object(json: &[u8]) -> Option<Vec<u8>> {
    domain::json::check(json, domain::json::MAX_DEPTH).ok()?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(json).ok()?;
    let members = members.iter().rev().map(|(name, value)| {
        let name = serde_json::to_string(name).unwrap_or_default();
        format!("{name}:{value}")
    });
    let members: Vec<_> = members.collect();
    Some(format!("{{{}}}", members.join(",")).into_bytes())
}
