//! What every store must do, whatever its engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod callbacks;
mod deliveries;
mod directory;
mod events;
mod leases;
mod messages;
mod scene;
mod schema;
mod writes;
