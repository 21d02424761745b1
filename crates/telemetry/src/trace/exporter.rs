//! OTLP's exporter, which says once when the collector goes away and once when it is back.

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub(super) struct Exporter {
    otlp: opentelemetry_otlp::SpanExporter,
    is_away: AtomicBool,
}

impl Exporter {
    pub(super) const fn new(otlp: opentelemetry_otlp::SpanExporter) -> Self {
        Self {
            otlp,
            is_away: AtomicBool::new(false),
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let result = self.otlp.export(batch).await;
        let was_away = self.is_away.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_away => {
                tracing::warn!(%error, count, "the trace collector does not take spans; they are dropped until it does");
            }
            Ok(()) if was_away => tracing::info!("the trace collector takes spans again"),
            _ => {}
        }
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
