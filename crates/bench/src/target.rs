//! The numbers to reach.

/// What a number should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// Whether a number is as it should be.
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// The targets of one mode, on a machine of two cores with everything on it.
#[derive(Debug, Clone, Copy)]
pub struct Targets {
    /// Deliveries in a second, to one endpoint.
    pub one_endpoint: Target,
    /// Deliveries in a second, to ten endpoints together.
    pub ten_endpoints: Target,
    /// The 99th percentile of the answer to a publish under saturation, in milliseconds.
    pub publish_p99_ms: Target,
    /// From a publish to its arrival at 100 and at 500 events a second: median and 99th percentile.
    pub at_100: [Target; 2],
    pub at_500: [Target; 2],
    /// Milliseconds of CPU for an event with one delivery.
    pub cpu_ms: Target,
    /// Callbacks accepted in a second.
    pub callbacks: Target,
    /// From a callback to the arrival of its event at 500 a second: median and 99th percentile.
    pub callback_to_tenant: [Target; 2],
    /// By how many per cent a hanging endpoint may slow its neighbour.
    pub neighbour_percent: Target,
    /// Megabytes in all processes of ours.
    pub memory_mb: Target,
    /// Seconds from the start to serving.
    pub start_s: Target,
}

/// Of one process with its files.
pub const EMBEDDED: Targets = Targets {
    one_endpoint: Target::AtLeast(8_000.0),
    ten_endpoints: Target::AtLeast(20_000.0),
    publish_p99_ms: Target::AtMost(20.0),
    at_100: [Target::AtMost(1.5), Target::AtMost(4.0)],
    at_500: [Target::AtMost(2.0), Target::AtMost(6.0)],
    cpu_ms: Target::AtMost(0.22),
    callbacks: Target::AtLeast(10_000.0),
    callback_to_tenant: [Target::AtMost(3.0), Target::AtMost(10.0)],
    neighbour_percent: Target::AtMost(10.0),
    memory_mb: Target::AtMost(120.0),
    start_s: Target::AtMost(1.0),
};

/// Of five processes on `PostgreSQL` and `RabbitMQ`.
pub const DISTRIBUTED: Targets = Targets {
    one_endpoint: Target::AtLeast(3_000.0),
    ten_endpoints: Target::AtLeast(10_000.0),
    publish_p99_ms: Target::AtMost(40.0),
    at_100: [Target::AtMost(2.5), Target::AtMost(6.0)],
    at_500: [Target::AtMost(3.0), Target::AtMost(12.0)],
    cpu_ms: Target::AtMost(0.6),
    callbacks: Target::AtLeast(6_000.0),
    callback_to_tenant: [Target::AtMost(5.0), Target::AtMost(20.0)],
    neighbour_percent: Target::AtMost(10.0),
    memory_mb: Target::AtMost(250.0),
    start_s: Target::AtMost(3.0),
};
