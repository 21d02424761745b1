#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod current;
mod error;
mod folder;
mod frame;
mod hand;
mod index;
mod journal;
mod mailbox;
mod probe;
mod read;
mod record;
mod retire;
mod scan;
mod segment;
mod shared;
mod trouble;
mod writer;

pub use error::Error;
pub use index::Size;
pub use journal::Journal;
pub use record::{MAX_PAYLOAD_BYTES, Record, RecordId};
