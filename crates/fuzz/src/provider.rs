//! The body of a callback, given to a provider as the ingress does, and as an answer of its APIs.

mod answer;
mod bound;
mod order;

use crate::envelope;
use domain::callback::{self, Kind, Statement};
use providers::{Body, MediaType, Provider, Refusal, mend_surrogates};
use std::borrow::Cow;

/// The most statements of one callback; `providers` has the same number.
const MAX_STATEMENTS: usize = 5_000;

/// The longest detail of a refusal: what it echoes is cut, and what it says of a place is short.
const MAX_DETAIL_BYTES: usize = 600;

/// Reads the bytes in every way in which the provider may be asked to.
pub(crate) fn survives(provider: &dyn Provider, bytes: &[u8]) {
    answer::survives(provider, bytes);
    let own = provider.content_types().iter();
    for media_type in own.filter_map(|name| MediaType::parse(name)) {
        let mended = mended(media_type, bytes);
        for kind in provider.kinds() {
            let body = Body {
                media_type,
                bytes: &mended,
            };
            read(provider, *kind, body);
        }
    }
}

/// As the ingress does it, before anything is read.
fn mended(media_type: MediaType, bytes: &[u8]) -> Cow<'_, [u8]> {
    if media_type == MediaType::Form {
        return Cow::Borrowed(bytes);
    }
    let mended = mend_surrogates(bytes);
    assert_eq!(mended.len(), bytes.len(), "mending changes no length");
    assert_eq!(
        mend_surrogates(&mended),
        mended,
        "what is mended needs no mending"
    );
    mended
}

fn read(provider: &dyn Provider, kind: Kind, body: Body<'_>) {
    let parsed = provider.parse(kind, body);
    assert_eq!(
        provider.parse(kind, body),
        parsed,
        "the same body says the same"
    );
    order::does_not_matter(provider, kind, body, &parsed);
    match parsed {
        Ok(statements) => are_good(provider, kind, body, statements),
        Err(refusal) => is_told(&refusal),
    }
}

fn is_told(refusal: &Refusal) {
    let detail = refusal.detail();
    assert!(
        (1..MAX_DETAIL_BYTES).contains(&detail.len()),
        "a refusal is a short sentence: {detail}"
    );
}

fn are_good(provider: &dyn Provider, kind: Kind, body: Body<'_>, mut statements: Vec<Statement>) {
    let most = MAX_STATEMENTS.min(body.bytes.len());
    assert!(statements.len() <= most, "too many statements");
    for statement in &statements {
        bound::holds(statement);
        if let Statement::Report(report) = statement {
            let id = report.provider_message_id.as_deref();
            assert_eq!(
                id.map(|id| provider.message_id(id)),
                id,
                "an id has its provider's form already"
            );
        }
    }
    let id = callback::id(envelope::ACCOUNT, kind, &statements);
    statements.reverse();
    assert_eq!(
        callback::id(envelope::ACCOUNT, kind, &statements),
        id,
        "the order of statements does not matter"
    );
    envelope::carries(provider, kind, body.bytes, statements);
}
