#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod base64_bytes;
pub mod body;
pub mod hint;
pub mod job;
pub mod publish;
pub mod security;

pub use hint::{Hint, HintSet, Topic};
pub use job::{CallbackJob, Envelope, Job, Label, Queue};
pub use publish::PublishJob;
pub use security::{Quarantined, SecurityJob};
