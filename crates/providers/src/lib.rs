#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod africastalking;
mod answer;
mod body;
mod fields;
mod form;
mod object;
mod orange;
mod plain_dlr;
mod provider;
mod refusal;
pub mod registry;
pub mod samples;
mod stub;
mod surrogate;
mod word;

pub use answer::Answer;
pub use body::{Body, MediaType};
pub use provider::Provider;
pub use refusal::{MalformedCode, Refusal};
pub use surrogate::mend_surrogates;
pub use word::{Meaning, Word};
