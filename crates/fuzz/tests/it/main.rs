//! The corpora on stable Rust, and what holds the targets together.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod corpus;
mod layout;
mod lock;
mod seed;
