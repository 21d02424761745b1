//! The journal from outside, on real files.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod damage;
mod disk;
mod forward;
mod restart;
mod scene;
