//! The feed: events in the order in which they are told, for who reads on where he was, and waits.

use super::{assert_refused, ids, members};
use crate::app::{SOON, Tenant, TestApp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use testkit::Api;
use tokio::task::JoinSet;

fn next(page: &Value) -> String {
    page["next_cursor"].as_str().unwrap().to_owned()
}

async fn read(api: &Api, query: &str) -> Value {
    api.get(&format!("/v1/events?{query}")).await.expect(200)
}

/// Reads on until so many events came; their ids, and where it was then.
async fn read_on(
    api: &Api,
    mut cursor: String,
    filter: &str,
    wanted: usize,
) -> (Vec<Value>, String) {
    let mut seen = Vec::new();
    let until = Instant::now() + 3 * SOON;
    while seen.len() < wanted {
        assert!(Instant::now() < until, "{} of {wanted}", seen.len());
        let page = read(api, &format!("after={cursor}&wait=5&limit=7{filter}")).await;
        seen.extend(page["data"].as_array().unwrap().clone());
        cursor = next(&page);
    }
    (seen, cursor)
}

#[tokio::test]
async fn a_reader_beside_many_writers_sees_every_event_once_and_in_order() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let write = async |tenant: &Tenant, writer: usize| {
        let mut published = Vec::new();
        for number in 0..25 {
            published.push(
                tenant
                    .publish("job.created", json!({ "w": writer, "n": number }))
                    .await,
            );
        }
        published
    };
    let start = next(&read(&tenant.api, "after=now").await);
    let writers = join_all((0..8).map(|writer| write(&tenant, writer)));
    let theirs = join_all((0..2).map(|writer| write(&other, writer)));
    let reading = read_on(&tenant.api, start, "", 200);
    let filtered = read_on(&tenant.api, "start".to_owned(), "&category=job", 200);
    let (written, _, (seen, end), (filtered, _)) = tokio::join!(writers, theirs, reading, filtered);
    let published: BTreeSet<String> = written.into_iter().flatten().collect();
    let of = |events: &[Value]| -> Vec<String> { events.iter().map(super::id).collect() };
    let ids = of(&seen);
    assert_eq!(ids.len(), 200, "none twice");
    assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), published);
    assert_eq!(of(&filtered), ids);
    let sequences: Vec<i64> = seen
        .iter()
        .map(|e| e["sequence"].as_i64().unwrap())
        .collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
    // And what each writer wrote one after the other is told so.
    for writer in 0..8 {
        let of_writer = seen.iter().filter(|event| event["data"]["w"] == writer);
        let numbers: Vec<i64> = of_writer
            .map(|e| e["data"]["n"].as_i64().unwrap())
            .collect();
        assert_eq!(numbers, (0..25).collect::<Vec<_>>());
    }
    assert!(super::ids(&read(&tenant.api, &format!("after={end}")).await).is_empty());
}

#[tokio::test]
async fn whoever_waits_is_answered_as_soon_as_there_is_something_and_no_later_than_he_asked() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let now = read(&tenant.api, "after=now").await;
    assert_eq!(members(&now), ["data", "next_cursor"]);
    let cursor = next(&now);
    let begun = Instant::now();
    let page = read(&tenant.api, &format!("after={cursor}&wait=1")).await;
    assert!(ids(&page).is_empty());
    let waited = begun.elapsed();
    assert!(
        waited >= Duration::from_secs(1) && waited < Duration::from_secs(4),
        "{waited:?}"
    );

    let begun = Instant::now();
    let path = format!("after={}&wait=30&type=job.failed", next(&page));
    // A cursor belongs to its filters.
    let filtered = tenant.api.get(&format!("/v1/events?{path}")).await;
    filtered.expect_problem(400, "invalid_cursor");
    let cursor = next(&read(&tenant.api, "after=now&type=job.failed").await);
    let path = format!("after={cursor}&wait=30&type=job.failed");
    let waiting = read(&tenant.api, &path);
    let publishing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.publish("job.failed", json!({})).await;
        tenant.publish("job.created", json!({})).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        tenant.publish("job.failed", json!({})).await
    };
    let (page, published) = tokio::join!(waiting, publishing);
    assert_eq!(ids(&page), [published]);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    // What is there is told at once, however long one would wait.
    let begun = Instant::now();
    assert_eq!(
        ids(&read(&tenant.api, "after=start&wait=30").await).len(),
        2
    );
    assert!(begun.elapsed() < SOON);
}

#[tokio::test]
async fn so_many_of_a_tenant_wait_and_no_more_and_they_end_with_the_process() {
    let mut app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let mut waiting = JoinSet::new();
    for _ in 0..16 {
        let api = tenant.api.clone();
        waiting.spawn(async move { read(&api, "after=now&wait=30").await });
    }
    let metrics = async || app.admin.get("/metrics").await.text;
    let until = Instant::now() + SOON;
    while !metrics().await.contains("tidings_feed_readers 16") {
        assert!(Instant::now() < until, "{}", metrics().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = tenant.api.get("/v1/events?after=now&wait=1").await;
    refused.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Who does not wait, and who is another, is served.
    tenant.api.get("/v1/events?after=now").await.expect(200);
    other
        .api
        .get("/v1/events?after=now&wait=1")
        .await
        .expect(200);
    let begun = Instant::now();
    app.restart().await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    while let Some(page) = waiting.join_next().await {
        let page = page.unwrap();
        assert!(ids(&page).is_empty());
        // And goes on from there.
        let tenant = app.again(&tenant);
        read(&tenant.api, &format!("after={}", next(&page))).await;
    }
}

#[tokio::test]
async fn a_cursor_outlives_a_restart_and_is_of_one_tenant_and_the_feed_alone() {
    let mut app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let first = tenant.publish("job.created", json!({})).await;
    let (_, cursor) = read_on(&tenant.api, "start".to_owned(), "", 1).await;
    app.restart().await;
    let (tenant, other) = (app.again(&tenant), app.again(&other));
    let second = tenant.publish("job.created", json!({})).await;
    let (seen, end) = read_on(&tenant.api, cursor.clone(), "", 1).await;
    assert_eq!(super::id(&seen[0]), second);
    assert_eq!(
        ids(&read(&tenant.api, "after=start").await),
        [first, second]
    );
    let stranger = other.api.get(&format!("/v1/events?after={cursor}")).await;
    stranger.expect_problem(400, "invalid_cursor");
    let as_list = tenant.api.get(&format!("/v1/events?cursor={end}")).await;
    as_list.expect_problem(400, "invalid_cursor");
    let list = tenant.api.get("/v1/events?limit=1").await.expect(200);
    let as_feed = tenant
        .api
        .get(&format!("/v1/events?after={}", next(&list)))
        .await;
    as_feed.expect_problem(400, "invalid_cursor");
    for (query, pointers) in [
        ("after=start&wait=31", &["/wait"][..]),
        ("after=start&wait=-1", &["/wait"]),
        ("after=start&wait=1.5", &["/wait"]),
        ("after=start&limit=0", &["/limit"]),
        ("after=start&before=2026-11-23T21:09:00Z", &["/before"]),
        ("after=start&before=x&cursor=y", &["/before", "/cursor"]),
    ] {
        assert_refused(
            &tenant.api.get(&format!("/v1/events?{query}")).await,
            pointers,
        );
    }
}
