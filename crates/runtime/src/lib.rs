#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod admin;
pub mod http;

mod data_dir;
mod error;
mod gate;
mod open_files;
mod readiness;
mod shutdown;
mod signals;
mod tasks;

pub use data_dir::DataDir;
pub use error::Error;
pub use gate::Gate;
pub use open_files::{connections_of, raise_open_files};
pub use readiness::{Check, CheckState, Readiness, Snapshot};
pub use shutdown::{Shutdown, Step};
pub use signals::Signals;
pub use tasks::{Failure, Tasks};
