//! The broker from outside: what every backend must do, and what only the embedded queue does.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod conformance;
mod embedded;
mod handlers;
mod rabbit;
