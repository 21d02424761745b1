//! What the words and the counters of Jasmin mean.

pub(super) use crate::plain_dlr::WORDS;

use domain::State;

/// What the counters say of a report that has no word: what was written, which stands for the word,
/// and its state. At least one message delivered is delivered; else a code other than zero is a
/// failure; else they mean nothing. None when both are missing.
pub(super) fn counted(dlvrd: Option<&str>, err: Option<&str>) -> Option<(String, Option<State>)> {
    match (dlvrd, err) {
        (Some(count), _) if is_positive(count) => {
            Some((format!("dlvrd={count}"), Some(State::Delivered)))
        }
        (_, Some(code)) if is_code(code) => Some((format!("err={code}"), Some(State::Failed))),
        (Some(count), _) => Some((format!("dlvrd={count}"), None)),
        (None, Some(code)) => Some((format!("err={code}"), None)),
        (None, None) => None,
    }
}

/// Whether an `err` says anything: zeros mean no error.
pub(super) fn is_code(err: &str) -> bool {
    err.bytes().any(|digit| digit != b'0')
}

/// Whether this is a whole number from 1, of any length.
fn is_positive(count: &str) -> bool {
    count.bytes().all(|byte| byte.is_ascii_digit()) && is_code(count)
}
