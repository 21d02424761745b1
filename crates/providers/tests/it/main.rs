//! What every provider's callbacks become.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod africastalking;
mod hostile;
mod orange;
mod properties;
mod registry;
mod stub;
mod table;
mod words;
