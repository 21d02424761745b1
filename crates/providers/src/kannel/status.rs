//! What the numbers of Kannel mean.

use crate::word::Word;
use domain::State;

/// The values of a delivery report (`%d`). Newer gateways send others, like 34 (expired) and 66
/// (unknown), which the user guide does not list: they mean nothing here.
pub(super) const WORDS: &[Word] = &[
    // Queued at the SMSC.
    Word::new("4", State::Sent),
    // Delivered to the SMSC.
    Word::new("8", State::Sent),
    Word::new("1", State::Delivered),
    Word::new("2", State::Failed),
    // Refused by the SMSC.
    Word::new("16", State::Rejected),
];
