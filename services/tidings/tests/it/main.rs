//! What a user would notice, over HTTP from outside, on the real thing.

mod api;
mod app;
mod commands;
mod door;
mod messages;
mod survival;
mod telling;
mod tracing;
