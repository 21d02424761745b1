//! What a test tells, where nobody says what.

use domain::json::Raw;
use serde::Serialize;

#[derive(Serialize)]
struct Invented<'a> {
    sample: bool,
    r#type: &'a str,
    message: &'static str,
}

/// The sample `data` of a type: the one place that knows. It is the same for every type until types have
/// examples of their own.
pub(super) fn sample(event_type: &str) -> Raw {
    Raw::of(&Invented {
        sample: true,
        r#type: event_type,
        message: "This is a test: nothing happened.",
    })
}
