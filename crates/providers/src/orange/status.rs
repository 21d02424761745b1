//! What the words of GSMA `OneAPI` mean.

use crate::word::Word;
use domain::State;

/// `DeliveryUncertain` is in practice the last word about a phone on another network.
/// `DeliveryNotificationNotSupported` says that no receipt will ever come.
pub(super) const WORDS: &[Word] = &[
    Word::new("DeliveredToNetwork", State::Sent),
    Word::new("MessageWaiting", State::Sent),
    Word::new("DeliveredToTerminal", State::Delivered),
    Word::new("DeliveryImpossible", State::Failed),
    Word::new("DeliveryUncertain", State::Unknown),
    Word::new("DeliveryNotificationNotSupported", State::Unknown),
];
