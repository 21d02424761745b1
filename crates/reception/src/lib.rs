#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod account;
mod kept;
mod read;
mod request;

pub use account::{Account, Unusable};
pub use kept::{Kept, MAX_KEPT_BYTES};
pub use read::Unread;
pub use request::{Method, Request};
