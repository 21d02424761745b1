//! What a store's error means for HTTP: said here and nowhere else.

use crate::conditional;
use runtime::http::{Code, Problem};

/// 503 for what passes by itself, 500 for what somebody has to look at. The log has the reason; the
/// answer does not tell what is inside.
pub(crate) fn of_store(error: store::Error) -> Problem {
    if matches!(error, store::Error::OtherVersion) {
        conditional::changed()
    } else if error.is_transient() {
        tracing::warn!(%error, "the store failed a request");
        away()
    } else {
        tracing::error!(%error, "the store failed a request");
        broken()
    }
}

/// 500: somebody has to look at it.
pub(crate) fn broken() -> Problem {
    Problem::new(
        Code::InternalError,
        "something is wrong on our side; the log says what",
    )
}

/// 503: the store cannot be used now.
pub(crate) fn away() -> Problem {
    Problem::new(
        Code::Unavailable,
        "the store does not answer now; try again",
    )
}

/// 404 for an id that is unknown, of the wrong kind, or another tenant's: all the same from outside.
pub(crate) fn not_found(what: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no such {what}"))
}
