//! A collector of traces.

mod span;

pub use span::SpanSeen;

use crate::endpoint::{Endpoint, Reply};
use crate::eventually::eventually_at;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where OTLP/HTTP exports traces to, below the collector's base URL.
const TRACES: &str = "/v1/traces";

/// An OTLP/HTTP receiver (binary protobuf) on 127.0.0.1 that keeps the spans it is sent.
pub struct Collector {
    endpoint: Endpoint,
    spans: Mutex<Vec<SpanSeen>>,
}

impl Collector {
    /// Starts on any free port.
    pub async fn start() -> Self {
        let endpoint = Endpoint::start().await;
        let accepted = Reply::with(200, &[("content-type", "application/x-protobuf")], []);
        endpoint.answer_at(TRACES, accepted);
        endpoint.answer_with(404);
        Self {
            endpoint,
            spans: Mutex::new(Vec::new()),
        }
    }

    /// The base URL, `http://127.0.0.1:PORT`: what `telemetry.otlp_endpoint` is set to.
    pub fn endpoint(&self) -> String {
        self.endpoint.url("")
    }

    /// Every span until now, in the order they were exported.
    ///
    /// # Panics
    ///
    /// When an export was not one of OTLP.
    pub fn spans(&self) -> Vec<SpanSeen> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        for hit in self.endpoint.take_hits() {
            assert!(
                hit.method == "POST" && hit.path == TRACES,
                "not an export of traces: {} {}",
                hit.method,
                hit.path
            );
            match ExportTraceServiceRequest::decode(hit.body.as_slice()) {
                Ok(export) => spans.extend(span::seen(export)),
                Err(error) => panic!("not an OTLP export ({error}): {:?}", hit.headers),
            }
        }
        spans.clone()
    }

    /// Every span, once they are as wanted.
    ///
    /// # Panics
    ///
    /// When they are not `within` the time: with what there is.
    #[track_caller]
    pub fn wait_until(
        &self,
        wanted: impl FnMut(&[SpanSeen]) -> bool,
        within: Duration,
    ) -> impl Future<Output = Vec<SpanSeen>> {
        self.wait(Location::caller(), wanted, within)
    }

    async fn wait(
        &self,
        asked_at: &Location<'_>,
        mut wanted: impl FnMut(&[SpanSeen]) -> bool,
        within: Duration,
    ) -> Vec<SpanSeen> {
        eventually_at(asked_at, "the spans are as wanted", within, async || {
            let spans = self.spans();
            if wanted(&spans) {
                Ok(spans)
            } else {
                Err(describe(&spans))
            }
        })
        .await
    }
}

fn describe(spans: &[SpanSeen]) -> String {
    let mut lines = vec![format!("{} spans", spans.len())];
    lines.extend(spans.iter().map(ToString::to_string));
    lines.join("\n  ")
}
