//! HTTP/1.1 by hand, as far as a load needs it: what measures must cost less than what is measured.

mod connection;
mod message;
mod request;

pub use connection::Connection;
pub use message::Message;
pub use request::Request;
