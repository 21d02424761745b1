//! Traces: spans, and the context that crosses a process boundary.

mod collector;
mod context;
mod exporter;
mod span;

use crate::Error;
use collector::Collector;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use context::TraceContext;
pub use span::{Kind, Span, Value};

/// Starts spans. Passed in, never global; clones share one exporter.
#[derive(Clone)]
pub struct Tracer {
    ids: Arc<Mutex<StdRng>>,
    collector: Option<Arc<Collector>>,
}

impl Tracer {
    /// Records nothing. A span without a parent still has a fresh, valid context (not sampled), and one with a
    /// parent passes the parent's on.
    pub fn disabled() -> Self {
        Self {
            ids: ids(),
            collector: None,
        }
    }

    /// Records every span whose parent is sampled or that has none, and exports them in batches over OTLP/HTTP
    /// (protobuf) to `{endpoint}/v1/traces`, under the resource `service.name` and `service.version`.
    ///
    /// Uses rustls with ring, installing it where the process has no provider yet; neither a proxy from the
    /// environment nor a redirect is followed.
    ///
    /// # Errors
    /// [`Error::Endpoint`] when `endpoint` is no plain `http` or `https` URL, [`Error::Exporter`] when the
    /// exporter cannot be built. A collector that is away is no error: its spans are dropped, and the log says so.
    pub fn otlp(endpoint: &str, service: &str, version: &str) -> Result<Self, Error> {
        let collector = Collector::connect(endpoint, service, version)?;
        Ok(Self {
            ids: ids(),
            collector: Some(Arc::new(collector)),
        })
    }

    /// Starts a span, which ends when it is dropped.
    ///
    /// It is recorded when this tracer exports and `parent` is sampled or absent. A span that is not recorded
    /// has its parent's context, unchanged.
    pub fn start(&self, name: &'static str, kind: Kind, parent: Option<&TraceContext>) -> Span {
        let collector = self
            .collector
            .as_ref()
            .filter(|collector| !collector.is_stopped());
        match (collector, parent) {
            (None, Some(parent)) => Span::carrying(*parent),
            (Some(_), Some(parent)) if !parent.is_sampled() => Span::carrying(*parent),
            (None, None) => Span::carrying(self.root(false)),
            (Some(collector), None) => {
                Span::recording(name, kind, self.root(true), None, collector)
            }
            (Some(collector), Some(parent)) => {
                let context = parent.child(self.random_span_id());
                Span::recording(name, kind, context, Some(*parent), collector)
            }
        }
    }

    /// Exports what waits and stops recording, for all clones. Takes at most 3 s; later calls do nothing.
    ///
    /// Blocks the calling thread: in an async context call it inside `spawn_blocking`.
    pub fn flush_and_stop(&self) {
        if let Some(collector) = &self.collector {
            collector.flush_and_stop();
        }
    }

    fn root(&self, sampled: bool) -> TraceContext {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let high = nonzero(&mut ids);
        let low = nonzero(&mut ids);
        let trace_id = (u128::from(high) << 64) | u128::from(low);
        TraceContext::new(trace_id, nonzero(&mut ids), sampled)
    }

    fn random_span_id(&self) -> u64 {
        nonzero(&mut self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.collector.is_some() {
            "Tracer(otlp)"
        } else {
            "Tracer(disabled)"
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "trace ids decide nothing; each tracer is seeded by the operating system"
)]
fn ids() -> Arc<Mutex<StdRng>> {
    Arc::new(Mutex::new(StdRng::from_rng(&mut rand::rng())))
}

/// All-zero ids are invalid in W3C Trace Context.
fn nonzero(ids: &mut StdRng) -> u64 {
    loop {
        let id = ids.next_u64();
        if id != 0 {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disabled_tracer_still_gives_fresh_valid_contexts() {
        let tracer = Tracer::disabled();
        let one = tracer.start("one", Kind::Internal, None).context();
        let other = tracer
            .clone()
            .start("other", Kind::Internal, None)
            .context();
        assert_ne!(one.trace_id(), other.trace_id());
        assert!(!one.is_sampled());
        assert_eq!(TraceContext::parse(&one.to_string()), Some(one));
    }

    #[test]
    fn a_disabled_tracer_passes_the_parents_context_on() {
        let parent = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let mut span = Tracer::disabled().start("step", Kind::Server, parent.as_ref());
        span.set("status", 200);
        span.fail("nobody listens");
        assert_eq!(Some(span.context()), parent);
    }
}
