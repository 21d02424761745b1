use crate::collector::Collector;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tidings_telemetry::trace::Kind;
use tidings_telemetry::{TraceContext, Tracer};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn attribute(attributes: &[KeyValue], key: &str) -> Option<any_value::Value> {
    attributes
        .iter()
        .find(|found| found.key == key)?
        .value
        .clone()?
        .value
}

fn text(value: &str) -> any_value::Value {
    any_value::Value::StringValue(value.to_owned())
}

/// Starts, drops and flushes on an async runtime, as the services do.
async fn flush(tracer: &Tracer) {
    let tracer = tracer.clone();
    tokio::task::spawn_blocking(move || tracer.flush_and_stop())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_span_reaches_the_collector_with_all_that_was_said_about_it() {
    let collector = Collector::start();
    let tracer = Tracer::otlp(
        &format!("http://{}/", collector.address),
        "tidings",
        "1.2.3",
    )
    .unwrap();
    let parent = TraceContext::parse(PARENT).unwrap();

    let mut server = tracer.start("receive callback", Kind::Server, Some(&parent));
    server.set("http.response.status_code", 200_u16);
    server.set("tidings.provider", "orange");
    server.set("tidings.is_duplicate", true);
    server.set("tidings.long", &"é".repeat(1_000));
    let mut client = tracer.start("publish", Kind::Producer, Some(&server.context()));
    client.fail("the broker is away");
    let (server_context, client_context) = (server.context(), client.context());
    drop(client);
    drop(server);
    flush(&tracer).await;

    let export = collector
        .exports
        .recv_timeout(Duration::from_secs(5))
        .unwrap();
    assert_eq!(export.request_line, "POST /v1/traces HTTP/1.1");
    assert_eq!(export.content_type, "application/x-protobuf");
    let [resource] = export.body.resource_spans.as_slice() else {
        panic!("one resource")
    };
    let about = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(attribute(about, "service.name"), Some(text("tidings")));
    assert_eq!(attribute(about, "service.version"), Some(text("1.2.3")));

    let spans: Vec<&ProtoSpan> = resource
        .scope_spans
        .iter()
        .flat_map(|scope| &scope.spans)
        .collect();
    let [client, server] = spans.as_slice() else {
        panic!("two spans, not {}", spans.len())
    };
    assert_eq!(server.name, "receive callback");
    assert_eq!(server.kind, SpanKind::Server as i32);
    assert_eq!(server.trace_id, parent.trace_id().to_be_bytes());
    assert_eq!(server.parent_span_id, parent.span_id().to_be_bytes());
    assert_eq!(server.span_id, server_context.span_id().to_be_bytes());
    assert!(server.end_time_unix_nano >= server.start_time_unix_nano);
    let attributes = &server.attributes;
    assert_eq!(
        attribute(attributes, "http.response.status_code"),
        Some(any_value::Value::IntValue(200))
    );
    assert_eq!(
        attribute(attributes, "tidings.provider"),
        Some(text("orange"))
    );
    assert_eq!(
        attribute(attributes, "tidings.is_duplicate"),
        Some(any_value::Value::BoolValue(true))
    );
    assert_eq!(
        attribute(attributes, "tidings.long"),
        Some(text(&"é".repeat(512)))
    );

    assert_eq!(client.kind, SpanKind::Producer as i32);
    assert_eq!(client.span_id, client_context.span_id().to_be_bytes());
    assert_eq!(client.parent_span_id, server.span_id);
    let status = client.status.as_ref().unwrap();
    assert_eq!(status.code, StatusCode::Error as i32);
    assert_eq!(status.message, "the broker is away");
}

#[tokio::test]
async fn a_span_whose_parent_is_not_sampled_is_carried_and_not_sent() {
    let collector = Collector::start();
    let tracer = Tracer::otlp(&format!("http://{}", collector.address), "tidings", "1").unwrap();
    let parent = TraceContext::parse(&PARENT.replace("-01", "-00")).unwrap();

    let silent = tracer.start("silent", Kind::Server, Some(&parent));
    assert_eq!(silent.context(), parent);
    drop(silent);
    let root = tracer.start("root", Kind::Internal, None);
    assert!(root.context().is_sampled());
    drop(root);
    flush(&tracer).await;

    let export = collector
        .exports
        .recv_timeout(Duration::from_secs(5))
        .unwrap();
    let names: Vec<_> = export.body.resource_spans[0]
        .scope_spans
        .iter()
        .flat_map(|scope| &scope.spans)
        .map(|span| span.name.as_str())
        .collect();
    assert_eq!(names, ["root"]);
    assert!(collector.exports.try_recv().is_err());
}

#[tokio::test]
async fn a_stopped_tracer_still_carries_contexts() {
    let collector = Collector::start();
    let tracer = Tracer::otlp(&format!("http://{}", collector.address), "tidings", "1").unwrap();
    let late = tracer.start("late", Kind::Internal, None);
    flush(&tracer).await;
    flush(&tracer).await;
    drop(late);
    let after = tracer.start("after", Kind::Client, None);
    assert!(!after.is_recording());
    assert!(TraceContext::parse(&after.context().to_string()).is_some());
}

#[tokio::test]
async fn a_hanging_collector_does_not_hold_the_stop_for_more_than_three_seconds() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracer = Tracer::otlp(
        &format!("http://{}", hanging.local_addr().unwrap()),
        "tidings",
        "1",
    );
    let tracer = tracer.unwrap();
    drop(tracer.start("lost", Kind::Internal, None));
    let started = Instant::now();
    flush(&tracer).await;
    assert!(
        started.elapsed() < Duration::from_millis(3_500),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_tracer_may_be_dropped_on_an_async_runtime() {
    let collector = Collector::start();
    let tracer = Tracer::otlp(&format!("http://{}", collector.address), "tidings", "1").unwrap();
    let span = tracer.start("outlives the tracer", Kind::Internal, None);
    drop(tracer);
    drop(span);
}
