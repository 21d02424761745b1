//! What the statuses of Infobip mean.

use crate::fields::Fields;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::State;

/// A status of the group DELIVERED that is not delivered: the operator has the message, the phone
/// has not.
const TO_OPERATOR: &str = "DELIVERED_TO_OPERATOR";
const TO_OPERATOR_ID: &str = "2";

/// The names of the groups, and that of the status which is not as its group. There are dozens of
/// other statuses, and new ones come: each is as its group. Group 0 is called in two ways.
pub(super) const WORDS: &[Word] = &[
    Word::new("ACCEPTED", State::Sent),
    Word::new("OK", State::Sent),
    Word::new("PENDING", State::Sent),
    Word::new(TO_OPERATOR, State::Sent),
    Word::new("DELIVERED", State::Delivered),
    Word::new("UNDELIVERABLE", State::Failed),
    Word::new("REJECTED", State::Rejected),
    Word::new("EXPIRED", State::Expired),
];

/// The ids of the groups.
const GROUPS: &[(&str, &str)] = &[
    ("0", "ACCEPTED"),
    ("1", "PENDING"),
    ("2", "UNDELIVERABLE"),
    ("3", "DELIVERED"),
    ("4", "EXPIRED"),
    ("5", "REJECTED"),
];

/// The word for the history: the name of the status, or what comes next to it.
pub(super) fn word(status: &Fields<'_>) -> Result<String, Refusal> {
    ["name", "groupName", "groupId"]
        .iter()
        .find_map(|name| status.text(name))
        .ok_or_else(|| Refusal::missing("name").within("status"))
}

/// The word that decides the state: the exception, else the group by its id, or by its name where
/// it has no id. None for a group whose id is not known, whatever its name.
pub(super) fn deciding_word(status: &Fields<'_>) -> Option<String> {
    let is = |field, expected| status.text(field).is_some_and(|text| text == expected);
    if is("name", TO_OPERATOR) || is("id", TO_OPERATOR_ID) {
        return Some(TO_OPERATOR.to_owned());
    }
    let Some(id) = status.text("groupId") else {
        return status.text("groupName");
    };
    let group = GROUPS.iter().find(|(known, _)| *known == id);
    group.map(|(_, name)| (*name).to_owned())
}
