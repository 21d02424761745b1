//! Logs, to stderr: stdout belongs to what a command answers.

use crate::Error;
use std::io::{self, IsTerminal};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: one line, coloured on a terminal.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Sends the process's logs to stderr, filtered by `directives` as in
/// [`EnvFilter`](tracing_subscriber::EnvFilter#directives) (`info,tidings_store=debug`).
///
/// A process logs in one way: where a subscriber is already set, this checks `directives` and changes nothing.
///
/// # Errors
/// [`Error::Directives`] when the filter cannot be read.
pub fn init(format: Format, directives: &str) -> Result<(), Error> {
    let filter = EnvFilter::try_new(directives).map_err(|error| Error::Directives {
        directives: directives.to_owned(),
        reason: error.to_string(),
    })?;
    let layer = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        Format::Text => install(registry().with(filter).with(layer)),
        Format::Json => {
            let layer = layer.with_ansi(false).json().flatten_event(true);
            install(registry().with(filter).with(layer));
        }
    }
    Ok(())
}

fn install(subscriber: impl Subscriber + Send + Sync) {
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("logs are already set up; the first format and filter stay");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_set_up_changes_nothing_and_is_no_error() {
        init(Format::Text, "info").unwrap();
        init(Format::Json, "debug,hyper=warn").unwrap();
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_its_text() {
        let error = init(Format::Text, "store=loud").unwrap_err().to_string();
        assert!(error.contains("store=loud"), "{error}");
    }
}
