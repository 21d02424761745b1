#![doc = include_str!("../README.md")]

pub mod app;
pub mod command;
pub mod exit;

mod demo;
mod doctor;
mod key;
mod listen;
pub mod print;
mod receiver;
pub mod role;
mod run;
mod tenant;

/// The version of this release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
