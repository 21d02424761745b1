//! The event log: found by what events are.

use super::{assert_refused, ids};
use crate::app::{Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;

async fn publish(tenant: &Tenant, body: Value) -> String {
    super::id(&tenant.api.post("/v1/events", body).await.expect(202))
}

async fn found(tenant: &Tenant, query: &str) -> Vec<String> {
    let page = tenant.api.get(&format!("/v1/events?{query}")).await;
    ids(&page.expect(200))
}

#[tokio::test]
async fn events_are_found_by_type_category_resource_environment_and_time() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let run = |id: &str| json!({ "type": "run", "id": id });
    let created = publish(&tenant, json!({ "type": "job.created", "data": {} })).await;
    let failed = json!({ "type": "job.failed", "data": {}, "resource": run("r-1") });
    let failed = publish(&tenant, failed).await;
    let staged = json!({ "type": "job.created", "data": {}, "resource": run("r-2"), "environment": "staging" });
    let staged = publish(&tenant, staged).await;
    let shown = tenant.api.get(&format!("/v1/events/{staged}")).await;
    let at = shown.expect(200)["timestamp"].as_str().unwrap().to_owned();
    app.clock.advance(Duration::from_hours(2));
    let recorded = json!({ "type": "call.recording.started", "data": {} });
    let recorded = publish(&tenant, recorded).await;
    let shown = tenant.api.get(&format!("/v1/events/{recorded}")).await;
    let later = shown.expect(200)["timestamp"].as_str().unwrap().to_owned();

    for (query, expected) in [
        ("type=job.created".to_owned(), vec![&staged, &created]),
        ("type=job.*".to_owned(), vec![&staged, &failed, &created]),
        ("category=job".to_owned(), vec![&staged, &failed, &created]),
        (
            "type=call.recording.*&category=call".to_owned(),
            vec![&recorded],
        ),
        ("type=call.recording.*&category=job".to_owned(), vec![]),
        ("type=job.nothing".to_owned(), vec![]),
        ("resource_type=run".to_owned(), vec![&staged, &failed]),
        (
            "resource_type=run&resource_id=r-1".to_owned(),
            vec![&failed],
        ),
        ("environment=staging".to_owned(), vec![&staged]),
        ("environment=staging&type=job.failed".to_owned(), vec![]),
        (format!("after={later}"), vec![&recorded]),
        (format!("before={later}"), vec![&staged, &failed, &created]),
        (format!("before={at}&environment=staging"), vec![]),
        (
            format!("after={at}&before={later}&environment=staging"),
            vec![&staged],
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(found(&tenant, &query).await, expected, "{query}");
        assert!(found(&other, &query).await.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn what_a_filter_of_the_log_does_not_take_is_refused_where_it_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("One").await;
    let long = "x".repeat(129);
    for (query, pointer) in [
        ("type=", "/type"),
        ("type=*", "/type"),
        ("type=job*", "/type"),
        ("type=Job.created", "/type"),
        (&format!("type={long}"), "/type"),
        ("category=job%25", "/category"),
        ("category=", "/category"),
        ("environment=Pro", "/environment"),
        ("resource_id=r-1", "/resource_id"),
        ("resource_type=", "/resource_type"),
        (
            &format!("resource_type=run&resource_id={long}"),
            "/resource_id",
        ),
        ("resource_type=a%00b", "/resource_type"),
        ("before=yesterday", "/before"),
        ("after=2026-13-40T00:00:00Z", "/after"),
        ("wait=5", "/wait"),
        ("wait=5&after=2026-11-23T21:09:00Z", "/wait"),
        ("tenant=x", "/tenant"),
    ] {
        assert_refused(
            &tenant.api.get(&format!("/v1/events?{query}")).await,
            &[pointer],
        );
    }
    for query in ["after=yesterday", "after=", "after=AAAA", "after=Start"] {
        let answer = tenant.api.get(&format!("/v1/events?{query}")).await;
        answer.expect_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn pages_of_a_filtered_list_show_each_once_while_others_are_published() {
    let app = TestApp::start().await;
    let tenant = app.tenant("One").await;
    let mut expected = Vec::new();
    for number in 0..9 {
        let name = if number % 3 == 0 {
            "job.failed"
        } else {
            "job.created"
        };
        let id = tenant.publish(name, json!({ "n": number })).await;
        if name == "job.created" {
            expected.insert(0, id);
        }
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/events?type=job.created&limit=2{cursor}");
        let page = tenant.api.get(&path).await.expect(200);
        seen.extend(ids(&page));
        tenant.publish("job.created", json!({})).await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, expected);
}
