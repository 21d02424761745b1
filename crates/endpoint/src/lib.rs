#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod detail;
mod endpoint;
mod request;

pub use detail::{add_outcome, kept_body, of_request};
pub use endpoint::{Endpoint, Means, Unusable};
pub use request::{Marks, Outgoing, request};
