//! What kind of failure a `failureReason` is.

use domain::report::FailureClass;

/// The page lists more (`DeliveryFailure`, `InvalidLinkId`, `UserNotSubscribedToProduct`), which
/// say too little to be classed.
const CLASSES: &[(&str, FailureClass)] = &[
    ("UserDoesNotExist", FailureClass::PermanentNumber),
    ("UserAccountSuspended", FailureClass::PermanentNumber),
    ("UserIsInactive", FailureClass::PermanentNumber),
    ("UserInBlackList", FailureClass::Consent),
    // As the answer to a send spells it.
    ("UserInBlacklist", FailureClass::Consent),
    ("InsufficientCredit", FailureClass::Credit),
    // Sent to a Nigerian number outside the permitted hours.
    ("DoNotDisturbRejection", FailureClass::Temporary),
    // The number is good and another route may reach it. The page misspells it; both are used.
    ("NotNetworkSubcriber", FailureClass::Temporary),
    ("NotNetworkSubscriber", FailureClass::Temporary),
];

/// The class of a reason; [`FailureClass::Unknown`] for one that is not listed.
pub(super) fn class(reason: &str) -> FailureClass {
    CLASSES
        .iter()
        .find(|(known, _)| *known == reason)
        .map_or(FailureClass::Unknown, |(_, class)| *class)
}
