#![doc = include_str!("../README.md")]

pub mod checks;
pub mod vault;
pub mod webhook;

mod equal;
mod error;
mod mac;
mod timestamp;

pub use equal::equal;
pub use error::Error;
pub use vault::Vault;
pub use webhook::WebhookSecret;
