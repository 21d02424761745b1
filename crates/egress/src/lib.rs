#![doc = include_str!("../README.md")]

mod address;
mod client;
mod connector;
mod error;
mod failure;
mod policy;
mod proxy;
mod refusal;
mod resolver;
mod stream;
mod target;
mod timing;

pub use client::{Attempted, Client, ClientOptions, Destination, Request, Response};
pub use error::Error;
pub use failure::{Failure, FailureClass};
pub use policy::Policy;
pub use proxy::{InvalidProxy, Proxy};
pub use refusal::Refusal;
pub use resolver::Resolver;
pub use target::{Host, Target};
pub use timing::Timing;
