use crate::server::{Server, any_port};
use serde_json::{Value, json};
use std::time::Duration;
use telemetry::Metrics;
use tidings_runtime::{Readiness, Shutdown, admin};

fn start() -> (Server, Readiness, Metrics) {
    let shutdown = Shutdown::new();
    let readiness = Readiness::new(shutdown.clone());
    let metrics = Metrics::new("1.2.3").unwrap();
    let serving = admin::serve(any_port(), &shutdown, readiness.clone(), metrics.clone()).unwrap();
    (Server::run(serving, shutdown), readiness, metrics)
}

#[tokio::test]
async fn readyz_follows_the_checks_and_livez_does_not() {
    let (server, readiness, _) = start();
    let broker = readiness.register("broker");
    let response = server.get("/readyz").await;
    assert_eq!(response.status(), 503);
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({"ready": false, "checks": {"broker": {"ok": false, "detail": "starting"}}})
    );
    assert_eq!(server.get("/livez").await.status(), 200);

    broker.ok("connected");
    let response = server.get("/readyz").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({"ready": true, "checks": {"broker": {"ok": true, "detail": "connected"}}})
    );
}

#[tokio::test]
async fn a_draining_process_is_alive_not_ready_and_still_watched_until_it_stops() {
    let (server, _, _) = start();
    server.shutdown.drain();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.get("/livez").await.status(), 200);
    assert_eq!(server.get("/readyz").await.status(), 503);
    assert_eq!(server.get("/metrics").await.status(), 200);
    server.shutdown.stop();
    assert!(server.joined_within(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn metrics_are_told_in_the_prometheus_text_format() {
    let (server, _, metrics) = start();
    metrics.callback("orange", "accepted");
    let response = server.get("/metrics").await;
    assert_eq!(
        response.headers()["content-type"],
        telemetry::metrics::CONTENT_TYPE
    );
    let text = response.text().await.unwrap();
    assert!(text.contains(r#"tidings_callbacks_total{outcome="accepted",provider="orange"} 1"#));
    assert!(text.contains(r#"tidings_build_info{version="1.2.3"} 1"#));
}

#[tokio::test]
async fn nothing_else_is_there() {
    let (server, _, _) = start();
    for path in ["/", "/v1/webhooks", "/metrics/", "/livez/x"] {
        let response = server.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "not_found");
    }
    let response = server
        .client
        .post(server.url("/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    let response = server
        .client
        .head(server.url("/livez"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-request-id"));
}
