//! What the words of Vonage mean.

use crate::word::Word;
use domain::State;

/// The `status` of a delivery receipt.
pub(super) const WORDS: &[Word] = &[
    Word::new("accepted", State::Sent),
    Word::new("buffered", State::Sent),
    Word::new("delivered", State::Delivered),
    Word::new("failed", State::Failed),
    Word::new("rejected", State::Rejected),
    Word::new("expired", State::Expired),
    Word::new("unknown", State::Unknown),
];
