//! What the words of SMPP 3.4 (section 5.2.28 and appendix B) mean.

use crate::word::Word;
use domain::State;

/// The words of a delivery receipt.
pub(crate) const WORDS: &[Word] = &[
    Word::new("ENROUTE", State::Sent),
    Word::new("ACCEPTD", State::Sent),
    Word::new("DELIVRD", State::Delivered),
    Word::new("UNDELIV", State::Failed),
    Word::new("DELETED", State::Failed),
    Word::new("REJECTD", State::Rejected),
    Word::new("EXPIRED", State::Expired),
    Word::new("UNKNOWN", State::Unknown),
];
