#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod body;
pub mod hint;
pub mod job;

pub use hint::{Hint, HintSet, Topic};
pub use job::{CallbackJob, Envelope, Job, Queue};
