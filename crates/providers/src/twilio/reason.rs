//! What kind of failure an `ErrorCode` is, after Twilio's error pages
//! (<https://www.twilio.com/docs/api/errors>).

use domain::report::FailureClass;

/// 30004 (blocked: opted out, filtered, switched off, or a landline) and 30008 (unknown) say too
/// little to be classed.
const CLASSES: &[(&str, FailureClass)] = &[
    // The recipient sent STOP.
    ("21610", FailureClass::Consent),
    // Unreachable handset.
    ("30003", FailureClass::Temporary),
    // Unknown handset.
    ("30005", FailureClass::PermanentNumber),
    // Landline.
    ("30006", FailureClass::PermanentNumber),
    // Filtered.
    ("30007", FailureClass::Content),
];

/// The class of a code; [`FailureClass::Unknown`] for one that is not listed.
pub(super) fn class(code: &str) -> FailureClass {
    CLASSES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(FailureClass::Unknown, |(_, class)| *class)
}
