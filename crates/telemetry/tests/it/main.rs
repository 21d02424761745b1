//! Traces over a real connection to a small collector.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod collector;
mod otlp;
