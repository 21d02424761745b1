//! What a user would notice, over HTTP from outside, on the real thing.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod access;
mod amqp;
mod api;
mod app;
mod attack;
mod audit;
mod commands;
mod compose;
mod dead_letters;
mod distributed;
mod door;
mod durability;
mod erasure;
mod forbidden;
mod hostile;
mod journal;
mod messages;
mod news;
mod pace;
mod parts;
mod poison;
mod polls;
mod race;
mod raised;
mod recovery;
mod replays;
mod retention;
mod secrets;
mod sending;
mod servers;
mod states;
mod survival;
mod telling;
mod tracing;
mod verifiers;
mod versions;
