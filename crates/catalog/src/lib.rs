#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod built_in;
pub mod compatibility;
mod converter;
mod directory;
mod fault;
mod openapi;
mod schema;
mod version;

pub use converter::{Converter, MAX_CONVERTER_BYTES, MAX_OPERATIONS, Unconvertible};
pub use directory::{Chosen, Conversion, Directory, Wanted};
pub use fault::{Fault, MOST_FAULTS};
pub use openapi::{Described, MAX_ITEMS, webhooks};
pub use schema::{MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, Schema};
pub use version::{Draft, MAX_EXAMPLE_BYTES, Standing, judge};
