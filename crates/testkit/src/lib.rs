#![doc = include_str!("../README.md")]

mod client;
mod collector;
mod endpoint;
mod eventually;
pub mod hostile;
mod name_server;
mod process;
pub mod providers;
mod proxy;
mod server;
mod server_control;
mod simulator;

pub use client::{Answer, Api, Ingress, RawConnection, raw};
pub use collector::{Collector, SpanSeen};
pub use endpoint::{Endpoint, Hit, Reply, Script};
pub use eventually::{Look, eventually};
pub use hostile::Hostile;
pub use name_server::NameServer;
pub use process::{ADMIN_KEY, Launch, Process};
pub use proxy::Proxy;
pub use server_control::ServerControl;
pub use simulator::Simulator;
