//! The checks of an account, as the API is given them and as they are stored.

use signing::checks::{CheckSpec, Checks, Invalid, MAX_CHECKS};

/// The most problems that are told at once.
const MAX_PROBLEMS: usize = 32;

/// The longest problem told: a name that is quoted in it is cut.
const MAX_DETAIL_BYTES: usize = 300;

const TOKEN: &str = "a-token-that-no-input-has";

/// The bytes as the API's list of checks.
pub(crate) fn survives_as_api_json(bytes: &[u8]) {
    let Ok(value) = domain::json::parse(bytes, domain::json::MAX_DEPTH) else {
        return;
    };
    let make = |specs: Vec<CheckSpec>| Checks::from_specs(specs, || TOKEN.to_owned());
    match Checks::parse_specs(&value).and_then(make) {
        Ok(checks) => are_kept(&checks),
        Err(problems) => are_told(&problems),
    }
}

/// The bytes as checks out of the store.
pub(crate) fn survives_as_stored(bytes: &[u8]) {
    if let Ok(checks) = Checks::from_json(bytes) {
        are_kept(&checks);
    }
}

fn are_kept(checks: &Checks) {
    let stored = checks.to_json();
    let read = Checks::from_json(&stored).expect("what was stored can be read");
    assert!(read.to_json() == stored, "checks are stored as they are");
    let shown = checks.redacted();
    assert!(shown == read.redacted(), "checks are shown as they are");
    let count = shown.as_array().map_or(0, Vec::len);
    assert!((1..=MAX_CHECKS).contains(&count), "{count} checks");
    assert_eq!(checks.token(), read.token());
    assert_eq!(checks.is_signed(), read.is_signed());
}

fn are_told(problems: &[Invalid]) {
    assert!((1..=MAX_PROBLEMS).contains(&problems.len()));
    for Invalid { pointer, detail } in problems {
        assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
        assert!((1..MAX_DETAIL_BYTES).contains(&detail.len()), "{detail}");
    }
}
