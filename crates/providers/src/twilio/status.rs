//! What the words of Twilio mean.

use crate::word::Word;
use domain::State;

/// `read` comes from channels that know it. Some words (`accepted`, `scheduled`) are only seen when
/// a message is asked for: the first status of a message is not called back.
pub(super) const WORDS: &[Word] = &[
    Word::new("accepted", State::Sent),
    Word::new("scheduled", State::Sent),
    Word::new("queued", State::Sent),
    Word::new("sending", State::Sent),
    Word::new("sent", State::Sent),
    Word::new("delivered", State::Delivered),
    Word::new("read", State::Delivered),
    Word::new("undelivered", State::Failed),
    Word::new("failed", State::Failed),
    Word::new("canceled", State::Failed),
];
