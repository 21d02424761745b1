//! What an `error` says about a failure.

use crate::fields::Fields;
use crate::object::Object;
use domain::report::FailureClass;

/// The id of the group of errors that are none, and of the error in it.
const NO_ERROR: &str = "0";
const HANDSET_ERRORS: &str = "1";

/// The name of an entry's error and what kind of failure it is; none for the error that says that
/// there is none, or one that cannot be read.
pub(super) fn read(entry: &Object<'_>) -> Option<(String, FailureClass)> {
    let error = entry.object("error").ok().flatten()?;
    let is_permanent = error.flag("permanent");
    let error = Fields::Json(error);
    let is = |field, expected| error.text(field).is_some_and(|text| text == expected);
    if is("groupId", NO_ERROR) || is("id", NO_ERROR) || is("name", "NO_ERROR") {
        return None;
    }
    let reason = ["name", "groupName", "id"]
        .iter()
        .find_map(|name| error.text(name))?;
    let is_of_the_handset = is("groupId", HANDSET_ERRORS) || is("groupName", "HANDSET_ERRORS");
    Some((reason, class(is_permanent, is_of_the_handset)))
}

/// What an entry's error says to people.
pub(super) fn description(entry: &Object<'_>) -> Option<String> {
    let error = entry.object("error").ok().flatten()?;
    Fields::Json(error).text("description")
}

/// A permanent error that is not the handset's (content, routing, the account) says that trying
/// again is in vain, but nothing about the number.
const fn class(is_permanent: Option<bool>, is_of_the_handset: bool) -> FailureClass {
    match is_permanent {
        Some(false) => FailureClass::Temporary,
        Some(true) if is_of_the_handset => FailureClass::PermanentNumber,
        Some(true) | None => FailureClass::Unknown,
    }
}
