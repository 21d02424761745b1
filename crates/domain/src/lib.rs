#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod access;
pub mod account;
pub mod attempt;
pub mod audit;
pub mod breaker;
pub mod callback;
pub mod catalog;
pub mod clock;
pub mod cost;
pub mod dead_letter;
pub mod delivery;
mod described;
pub mod erasure;
pub mod event;
pub mod health;
pub mod histogram;
pub mod id;
pub mod inbound;
pub mod json;
pub mod limit;
pub mod message;
pub mod news;
pub mod notification;
pub mod parts;
pub mod phone;
pub mod poll;
pub mod random;
pub mod replay;
pub mod report;
pub mod retry;
pub mod secret;
pub mod security;
pub mod send_attempt;
pub mod sends;
pub mod shard;
pub mod state;
pub mod subscription;
pub mod tally;
pub mod tenure;
pub mod text;
pub mod warning;

pub use clock::{Clock, Timestamp};
pub use random::Random;
pub use shard::Shard;
pub use state::State;
