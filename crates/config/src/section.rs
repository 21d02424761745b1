//! One struct per section, each read from the merged settings.

mod broker;
mod dispatcher;
mod egress;
mod ingress;
mod poller;
mod retention;
mod runtime;
mod security;
pub(crate) mod store;
mod subscriptions;
mod telemetry;
mod tracker;

pub use broker::{Broker, BrokerUrl};
pub use dispatcher::{Breaker, Dispatcher, RetryPolicy};
pub use egress::Egress;
pub use ingress::{ClientAddressHeader, Ingress, Journal, RateLimit};
pub use poller::Poller;
pub use retention::Retention;
pub use runtime::Runtime;
pub use security::{AlertThresholds, Security};
pub use store::{Store, StoreUrl};
pub use subscriptions::{ApiRateLimit, Subscriptions};
pub use telemetry::{LogFormat, Telemetry};
pub use tracker::Tracker;

use std::ops::RangeInclusive;
use std::time::Duration;

/// How long something may take that somebody waits for.
const UP_TO_A_MINUTE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);
