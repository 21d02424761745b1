//! What the words of MTN mean.

use crate::word::Word;
use domain::State;

/// The words of v3, those of SMPP 3.4 and those of GSMA `OneAPI`: all were seen on one channel.
/// `DeliveryNotificationNotSupported` says that no receipt will ever come.
pub(super) const WORDS: &[Word] = &[
    Word::new("ACCEPTD", State::Sent),
    Word::new("ACCEPTED", State::Sent),
    Word::new("ENROUTE", State::Sent),
    Word::new("DELIVERED", State::Delivered),
    Word::new("DELIVRD", State::Delivered),
    Word::new("UNDELIVERED", State::Failed),
    Word::new("UNDELIV", State::Failed),
    Word::new("DELETED", State::Failed),
    Word::new("REJECTED", State::Rejected),
    Word::new("REJECTD", State::Rejected),
    Word::new("EXPIRED", State::Expired),
    Word::new("UNKNOWN", State::Unknown),
    Word::new("DeliveredToNetwork", State::Sent),
    Word::new("MessageWaiting", State::Sent),
    Word::new("DeliveredToTerminal", State::Delivered),
    Word::new("DeliveryImpossible", State::Failed),
    Word::new("DeliveryUncertain", State::Unknown),
    Word::new("DeliveryNotificationNotSupported", State::Unknown),
];
