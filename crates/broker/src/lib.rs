#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod broker;
mod consume;
mod dead_letter;
mod depth;
mod embedded;
mod error;
mod handler;
mod hints;
mod rabbit;
mod reply;

pub use broker::{Broker, MAX_PAYLOAD_BYTES};
pub use consume::Consume;
pub use dead_letter::{ClaimedLetters, DeadLetter};
pub use depth::Depth;
pub use error::Error;
pub use handler::{Disposition, Handler, JobId, Received};
pub use hints::HintReceiver;
pub use rabbit::RabbitOptions;
pub use reply::Reply;
pub use wire::HintSet;
