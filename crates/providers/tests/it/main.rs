//! What every provider's callbacks become.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod africastalking;
mod airtel;
mod asking;
mod hostile;
mod infobip;
mod jasmin;
mod kannel;
mod mtn;
mod orange;
mod properties;
mod registry;
mod response;
mod stub;
mod table;
mod twilio;
mod vonage;
mod words;
mod zamtel;
