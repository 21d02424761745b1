//! One step of a trace.

use super::TraceContext;
use super::collector::Collector;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What one span may hold: the rest is dropped and counted.
const MAX_ATTRIBUTES: usize = 64;
/// Longer texts are cut, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

/// Which side of which exchange a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers a request.
    Server,
    /// Hands a job to a broker.
    Producer,
    /// Handles a job from a broker.
    Consumer,
    /// Makes a request.
    Client,
    /// Neither.
    Internal,
}

/// The value of a span's attribute; borrowed, so that a span nobody records costs no allocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text, cut at 1,024 bytes.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

/// A step that takes time. Ends, and is handed to the exporter, when dropped.
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    context: TraceContext,
    recording: Option<Box<Recording>>,
}

#[derive(Debug)]
struct Recording {
    data: SpanData,
    started: Instant,
    collector: Arc<Collector>,
}

impl Span {
    pub(super) const fn carrying(context: TraceContext) -> Self {
        Self {
            context,
            recording: None,
        }
    }

    pub(super) fn recording(
        name: &'static str,
        kind: Kind,
        context: TraceContext,
        parent: Option<TraceContext>,
        collector: &Arc<Collector>,
    ) -> Self {
        let start = wall_clock();
        let data = SpanData {
            span_context: otel_context(context),
            parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from(parent.span_id())),
            parent_span_is_remote: parent.is_some()
                && matches!(kind, Kind::Server | Kind::Consumer),
            span_kind: kind.into(),
            name: Cow::Borrowed(name),
            start_time: start,
            end_time: start,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("tidings").build(),
        };
        let recording = Recording {
            data,
            started: Instant::now(),
            collector: Arc::clone(collector),
        };
        Self {
            context,
            recording: Some(Box::new(recording)),
        }
    }

    /// What to hand to the next process as `traceparent`, and to child spans as their parent.
    pub const fn context(&self) -> TraceContext {
        self.context
    }

    /// Whether somebody will see what is set here.
    pub const fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Notes a fact about this step. Names follow the OpenTelemetry conventions where they have one; never a
    /// phone number, a body or a secret.
    pub fn set<'a>(&mut self, key: &'static str, value: impl Into<Value<'a>>) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if recording.data.attributes.len() < MAX_ATTRIBUTES {
            recording
                .data
                .attributes
                .push(KeyValue::new(key, otel_value(value.into())));
        } else {
            recording.data.dropped_attributes_count += 1;
        }
    }

    /// Marks this step as failed.
    pub fn fail(&mut self, reason: &str) {
        if let Some(recording) = &mut self.recording {
            recording.data.status = Status::error(cut(reason).to_owned());
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            let Recording {
                mut data,
                started,
                collector,
            } = *recording;
            data.end_time = data.start_time + started.elapsed();
            collector.export(data);
        }
    }
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Server => Self::Server,
            Kind::Producer => Self::Producer,
            Kind::Consumer => Self::Consumer,
            Kind::Client => Self::Client,
            Kind::Internal => Self::Internal,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(value: $number) -> Self {
                Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
            }
        }
    )*};
}

whole_numbers!(i32, i64, u16, u32, u64, usize);

fn otel_context(context: TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from(context.trace_id()),
        SpanId::from(context.span_id()),
        TraceFlags::default().with_sampled(context.is_sampled()),
        false,
        TraceState::NONE,
    )
}

fn otel_value(value: Value<'_>) -> opentelemetry::Value {
    match value {
        Value::Text(text) => cut(text).to_owned().into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Bool(value) => value.into(),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[expect(
    clippy::disallowed_methods,
    reason = "a span says when it happened on this machine; no decision is taken from it"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
