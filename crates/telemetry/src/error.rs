//! What can go wrong while telemetry is set up. Once it runs, it fails quietly and says so in the log.

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log filter cannot be read.
    #[error(
        "the log filter {directives:?} cannot be read: {reason}; it looks like \"info,tidings_store=debug\""
    )]
    Directives {
        /// The filter as given.
        directives: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The collector's address cannot be used. It is not repeated here: it may hold a password.
    #[error("the OTLP endpoint cannot be used: {reason}; it looks like http://collector:4318")]
    Endpoint {
        /// What is wrong with it.
        reason: String,
    },
    /// The trace exporter could not be built.
    #[error("the OTLP trace exporter cannot start: {reason}")]
    Exporter {
        /// What the exporter's library says.
        reason: String,
    },
    /// A metric family could not be registered.
    #[error("a metric cannot be registered")]
    Metric(#[from] prometheus::Error),
}
