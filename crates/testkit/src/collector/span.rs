//! Spans, as they are seen from outside.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A span that was exported.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanSeen {
    /// 32 hexadecimal digits in lower case, as in `traceparent`.
    pub trace_id: String,
    /// 16 hexadecimal digits in lower case.
    pub span_id: String,
    /// The same of its parent; empty for the root of a trace.
    pub parent_span_id: String,
    /// Its name.
    pub name: String,
    /// `internal`, `server`, `client`, `producer`, `consumer`, or empty when it is not told.
    pub kind: &'static str,
    /// What was said about it.
    pub attributes: BTreeMap<String, Value>,
    /// What was said about the process it came from, such as `service.name`.
    pub resource: BTreeMap<String, Value>,
    /// Its message, when it ended in an error.
    pub error: Option<String>,
    /// When it began, in nanoseconds since 1970.
    pub started_at_ns: u64,
    /// When it ended, in nanoseconds since 1970.
    pub ended_at_ns: u64,
}

/// Enough to recognise the span by, on one line.
impl fmt::Display for SpanSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            kind,
            trace_id,
            span_id,
            parent_span_id,
            attributes,
            ..
        } = self;
        write!(
            f,
            "{name:?} {kind} {trace_id}/{parent_span_id}/{span_id} {attributes:?}"
        )
    }
}

/// All spans of an export.
pub(super) fn seen(export: ExportTraceServiceRequest) -> Vec<SpanSeen> {
    let mut spans = Vec::new();
    for of_resource in export.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let resource = map(resource.attributes);
        let of_scopes = of_resource.scope_spans.into_iter();
        let sent = of_scopes.flat_map(|of_scope| of_scope.spans);
        spans.extend(sent.map(|span| one(span, resource.clone())));
    }
    spans
}

fn one(span: Span, resource: BTreeMap<String, Value>) -> SpanSeen {
    let status = span.status.clone().unwrap_or_default();
    SpanSeen {
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        parent_span_id: hex::encode(&span.parent_span_id),
        kind: kind(span.kind()),
        name: span.name,
        attributes: map(span.attributes),
        resource,
        error: (status.code() == StatusCode::Error).then_some(status.message),
        started_at_ns: span.start_time_unix_nano,
        ended_at_ns: span.end_time_unix_nano,
    }
}

fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn map(attributes: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let pair = |attribute: KeyValue| (attribute.key, json(attribute.value));
    attributes.into_iter().map(pair).collect()
}

/// As JSON; bytes in hexadecimal digits.
fn json(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        None => Value::Null,
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::BoolValue(flag)) => flag.into(),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) => number.into(),
        Some(Any::BytesValue(bytes)) => hex::encode(bytes).into(),
        Some(Any::StringValueStrindex(index)) => format!("string {index} of a table").into(),
        Some(Any::ArrayValue(list)) => {
            let values = list.values.into_iter();
            values.map(|value| json(Some(value))).collect()
        }
        Some(Any::KvlistValue(list)) => {
            let pairs = map(list.values).into_iter();
            pairs.collect::<serde_json::Map<_, _>>().into()
        }
    }
}
