use crate::{AMPLE, SHORT};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use serde_json::json;
use tidings_testkit::{Collector, Ingress};

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(value: &str) -> Any {
    Any::StringValue(value.to_owned())
}

fn span(name: &str, parent: &[u8]) -> Span {
    let list = ArrayValue {
        values: vec![AnyValue {
            value: Some(Any::BoolValue(true)),
        }],
    };
    Span {
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        parent_span_id: parent.to_vec(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: 5,
        end_time_unix_nano: 7,
        attributes: vec![
            attribute("tidings.provider", text("orange")),
            attribute("attempt.number", Any::IntValue(3)),
            attribute("list", Any::ArrayValue(list)),
        ],
        status: Some(Status {
            message: "too late".to_owned(),
            code: 2,
        }),
        ..Span::default()
    }
}

async fn export(collector: &Collector, spans: Vec<Span>) {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![attribute("service.name", text("tidings"))],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let exporter = Ingress::new(&collector.endpoint());
    let headers = [("content-type", "application/x-protobuf")];
    let answer = exporter
        .post_raw("/v1/traces", &headers, request.encode_to_vec())
        .await;
    answer.expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(answer.text, "");
}

#[tokio::test]
async fn an_export_is_decoded() {
    let collector = Collector::start().await;
    export(&collector, vec![span("receive", &[])]).await;

    let [seen] = collector.spans().try_into().unwrap();
    assert_eq!(seen.trace_id, "ab".repeat(16));
    assert_eq!(seen.span_id, "01".repeat(8));
    assert_eq!(seen.parent_span_id, "");
    assert_eq!((seen.name.as_str(), seen.kind), ("receive", "server"));
    assert_eq!(seen.attributes["tidings.provider"], "orange");
    assert_eq!(seen.attributes["attempt.number"], 3);
    assert_eq!(seen.attributes["list"], json!([true]));
    assert_eq!(seen.resource["service.name"], "tidings");
    assert_eq!(seen.error.as_deref(), Some("too late"));
    assert_eq!((seen.started_at_ns, seen.ended_at_ns), (5, 7));
}

#[tokio::test]
async fn spans_of_many_exports_are_kept() {
    let collector = Collector::start().await;
    export(&collector, vec![span("one", &[]), span("two", &[2; 8])]).await;
    assert_eq!(collector.spans().len(), 2);
    let later = export(&collector, vec![span("three", &[])]);
    let (spans, ()) = tokio::join!(collector.wait_until(|spans| spans.len() == 3, AMPLE), later);
    assert_eq!(spans[1].parent_span_id, "02".repeat(8));
    assert_eq!(spans[2].name, "three");
}

#[tokio::test]
#[should_panic(expected = "last seen: 1 spans\n  \"one\" server")]
async fn waiting_in_vain_shows_the_spans() {
    let collector = Collector::start().await;
    export(&collector, vec![span("one", &[])]).await;
    collector.wait_until(|spans| spans.len() == 2, SHORT).await;
}

#[tokio::test]
#[should_panic(expected = "not an OTLP export")]
async fn what_is_not_an_export_is_not_passed_over() {
    let collector = Collector::start().await;
    let exporter = Ingress::new(&collector.endpoint());
    exporter.post_raw("/v1/traces", &[], "hello").await;
    collector.spans();
}
