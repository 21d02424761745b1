//! What the words of Africa's Talking mean.

use crate::word::Word;
use domain::State;

/// `Expired` is not about time here: the page says that the carrier discarded the message because
/// it was flagged. `AbsentSubscriber` may be followed by `Success` when the phone is on again.
pub(super) const WORDS: &[Word] = &[
    Word::new("Sent", State::Sent),
    Word::new("Submitted", State::Sent),
    Word::new("Buffered", State::Sent),
    Word::new("Success", State::Delivered),
    Word::new("Failed", State::Failed),
    Word::temporary("AbsentSubscriber", State::Failed),
    Word::new("Rejected", State::Rejected),
    Word::new("Expired", State::Rejected),
];
