//! The parts of the kit against one another, over real sockets and processes.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod client;
mod collector;
mod endpoint;
mod eventually;
mod hit;
mod hostile;
mod name_server;
mod process;
mod providers;
mod proxy;
mod raw;
mod server_control;
mod simulator;

use std::time::Duration;

/// Long enough for everything that is meant to happen.
const AMPLE: Duration = Duration::from_secs(10);
/// Short, for everything that is not.
const SHORT: Duration = Duration::from_millis(200);
