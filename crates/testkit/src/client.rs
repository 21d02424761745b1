//! Clients of the system's listeners.

mod answer;
mod api;
mod caller;
mod ingress;
mod raw;

pub use answer::Answer;
pub use api::Api;
pub use ingress::Ingress;
pub use raw::{RawConnection, raw};

pub(crate) use caller::Caller;
