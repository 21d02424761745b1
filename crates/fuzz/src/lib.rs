#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod check;
mod content_type;
mod envelope;
mod provider;
mod signature;
pub mod target;
mod text;
mod webhook;

pub use target::Target;

/// Gives the bytes to the target of this name.
///
/// # Panics
/// When something does not hold that always should, and when there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    match target::find(name) {
        Some(target) => target.run(bytes),
        None => panic!("there is no target \"{name}\""),
    }
}
