#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod logs;
pub mod metrics;
pub mod trace;

mod error;

pub use error::Error;
pub use metrics::{Metrics, Stage};
pub use trace::{Span, TraceContext, Tracer};
