//! The way to a collector: a bounded queue, batches, OTLP over HTTP.

use super::exporter::Exporter;
use crate::Error;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanProcessor};
use reqwest::{Url, blocking, redirect};
use std::error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// One request to the collector. Shorter than [`STOP_WITHIN`], so that a hanging collector does not eat the
/// whole of a shutdown.
const EXPORT_WITHIN: Duration = Duration::from_secs(2);
const STOP_WITHIN: Duration = Duration::from_secs(3);
const QUEUE_SPANS: usize = 8_192;
const BATCH_SPANS: usize = 512;
const BATCH_EVERY: Duration = Duration::from_secs(1);

/// Where spans go. Has a thread of its own: handing it a span never blocks.
#[derive(Debug)]
pub(super) struct Collector {
    batches: BatchSpanProcessor,
    is_stopped: AtomicBool,
}

impl Collector {
    pub(super) fn connect(endpoint: &str, service: &str, version: &str) -> Result<Self, Error> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces_url(endpoint)?)
            .with_timeout(EXPORT_WITHIN)
            .build()
            .map_err(|error| Error::Exporter {
                reason: error.to_string(),
            })?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_SPANS)
            .with_max_export_batch_size(BATCH_SPANS)
            .with_scheduled_delay(BATCH_EVERY)
            .build();
        let mut batches = BatchSpanProcessor::builder(Exporter::new(exporter))
            .with_batch_config(config)
            .build();
        batches.set_resource(&resource(service, version));
        Ok(Self {
            batches,
            is_stopped: AtomicBool::new(false),
        })
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    pub(super) fn export(&self, span: SpanData) {
        if !self.is_stopped() {
            self.batches.on_end(span);
        }
    }

    pub(super) fn flush_and_stop(&self) {
        if self.is_stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.batches.shutdown_with_timeout(STOP_WITHIN) {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// Only what is set here: nothing of the host or the environment.
fn resource(service: &str, version: &str) -> Resource {
    Resource::builder_empty()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", version.to_owned()))
        .build()
}

fn traces_url(endpoint: &str) -> Result<String, Error> {
    let refuse = |reason: &str| Error::Endpoint {
        reason: reason.to_owned(),
    };
    let url = Url::parse(endpoint).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(
            "it holds a user name or password; use OTEL_EXPORTER_OTLP_HEADERS",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or a fragment"));
    }
    Ok(format!("{}/v1/traces", url.as_str().trim_end_matches('/')))
}

/// Built on a thread of its own, because a blocking client must not be built on an async runtime's thread. It is
/// dropped on the batch processor's.
fn client() -> Result<blocking::Client, Error> {
    let fail = |reason: String| Error::Exporter { reason };
    thread::Builder::new()
        .name("otlp-client".to_owned())
        .spawn(build_client)
        .map_err(|error| fail(error.to_string()))?
        .join()
        .map_err(|_| fail("its HTTP client could not be built".to_owned()))?
        .map_err(|error| fail(with_sources(&error)))
}

fn build_client() -> reqwest::Result<blocking::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Only fails when another thread was faster, and then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    blocking::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(EXPORT_WITHIN)
        .timeout(EXPORT_WITHIN)
        .build()
}

fn with_sources(error: &dyn error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_endpoint() {
        for endpoint in ["http://collector:4318", "http://collector:4318/"] {
            assert_eq!(
                traces_url(endpoint).unwrap(),
                "http://collector:4318/v1/traces"
            );
        }
        assert_eq!(
            traces_url("https://c/otlp/").unwrap(),
            "https://c/otlp/v1/traces"
        );
    }

    #[test]
    fn an_endpoint_that_cannot_work_is_refused_without_repeating_its_password() {
        for endpoint in [
            "",
            "collector:4318",
            "ftp://collector",
            "http://u:hunter2@collector",
            "http://collector?key=hunter2",
        ] {
            let error = traces_url(endpoint).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
