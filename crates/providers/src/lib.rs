#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod access;
mod africastalking;
mod airtel;
mod answer;
pub mod ask;
mod asking;
mod batch;
mod body;
mod fields;
mod form;
mod infobip;
mod jasmin;
mod kannel;
mod mtn;
mod oauth;
mod object;
mod orange;
mod padding;
mod plain_dlr;
mod provider;
mod refusal;
pub mod registry;
mod response;
pub mod samples;
mod stub;
mod surrogate;
mod twilio;
mod vonage;
mod word;
mod zamtel;

pub use answer::Answer;
pub use body::{Body, MediaType};
pub use provider::Provider;
pub use refusal::{MalformedCode, Refusal};
pub use surrogate::mend_surrogates;
pub use word::{Meaning, Word};
