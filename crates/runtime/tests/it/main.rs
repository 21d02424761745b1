//! A process's listeners and signals, over real ports.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod admin;
mod http;
mod server;
mod signals;
