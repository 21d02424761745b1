#![doc = include_str!("../README.md")]

pub mod app;
pub mod command;
pub mod exit;

mod dead_letter;
mod demo;
mod doctor;
mod event_type;
mod key;
mod listen;
mod operator;
pub mod print;
mod receiver;
pub mod role;
mod run;
mod simulator;
mod tenant;

/// The version of this release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
