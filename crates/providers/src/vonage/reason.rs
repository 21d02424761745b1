//! What kind of failure an `err-code` is.

use domain::report::FailureClass;

/// The page lists more (portability, unroutable, unreachable, age, blocked by the carrier, quota,
/// regulation, general), which say too little to be classed.
const CLASSES: &[(&str, FailureClass)] = &[
    // The phone is off; try again.
    ("2", FailureClass::Temporary),
    // The number is no longer active.
    ("3", FailureClass::PermanentNumber),
    // The page calls it permanent until the person has the network lift the bar.
    ("4", FailureClass::PermanentNumber),
    // A filter against spam.
    ("6", FailureClass::Content),
    // The phone is busy; try again.
    ("7", FailureClass::Temporary),
    // The network had an error; try again.
    ("8", FailureClass::Temporary),
    // "Illegal number": the person asked not to receive messages of this service.
    ("9", FailureClass::Consent),
    // "Illegal message".
    ("10", FailureClass::Content),
    // The phone's prepaid credit is used up.
    ("15", FailureClass::Credit),
    // The filters of entities, headers and contents, and that of consent.
    ("50", FailureClass::Content),
    ("51", FailureClass::Content),
    ("52", FailureClass::Content),
    ("53", FailureClass::Consent),
];

/// The class of a code; [`FailureClass::Unknown`] for one that is not listed.
pub(super) fn class(code: &str) -> FailureClass {
    CLASSES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(FailureClass::Unknown, |(_, class)| *class)
}
