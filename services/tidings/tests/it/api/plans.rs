//! Plans: who makes them, what they refuse, what is told of them.

use super::{assert_refused, members};
use crate::app::{SOON, Tenant, TestApp};
use domain::plan::{day_of, end_of};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Api, Endpoint, Hit, eventually};

const JSON: (&str, &str) = ("content-type", "application/json");
const EVENT: &str = r#"{"type":"job.created","data":{}}"#;
/// Longer than what may be sent takes to be sent.
const A_MOMENT: Duration = Duration::from_millis(700);

async fn put(api: &Api, name: &str, body: Value) -> Answer {
    api.put(&format!("/v1/plans/{name}"), body).await
}

/// Gives a tenant a plan with these limits.
async fn give(app: &TestApp, tenant: &Tenant, limits: Value) {
    put(&app.operator, "gold", limits).await;
    let path = format!("/v1/tenants/{}", tenant.id);
    let body = json!({ "plan": "gold" }).to_string();
    let changed = app.operator.request("PATCH", &path, &[JSON], body).await;
    assert_eq!(changed.expect(200)["plan"], "gold");
}

async fn publish(tenant: &Tenant, key: Option<&str>) -> Answer {
    let key = key.map(|key| ("idempotency-key", key));
    let headers: Vec<_> = [JSON].into_iter().chain(key).collect();
    let api = &tenant.api;
    api.request("POST", "/v1/events", &headers, EVENT.to_owned())
        .await
}

async fn limits(tenant: &Tenant) -> Value {
    tenant.api.get("/v1/tenant").await.expect(200)["limits"].clone()
}

/// Waits for so many, and looks that no more comes: the type of each, and whose limit it tells.
async fn told(endpoint: &Endpoint, number: usize) -> Vec<(String, Value)> {
    endpoint.wait_for(number, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    let mut bodies: Vec<Value> = endpoint.hits().iter().map(Hit::json).collect();
    bodies.sort_by_key(|body| body["sequence"].as_i64());
    let told = bodies.into_iter().map(|body| {
        assert_eq!(body["resource"]["type"], "tenant");
        let data = &body["data"];
        let said = json!([
            data["limit"],
            data["used"],
            data["allowed"],
            body["resource"]["id"]
        ]);
        (body["type"].as_str().unwrap().to_owned(), said)
    });
    told.collect()
}

#[tokio::test]
async fn the_operator_makes_plans_and_gives_them_to_tenants() {
    let app = TestApp::start().await;
    let (operator, tenant) = (&app.operator, app.tenant("Clinic").await);
    let starter = json!({
        "name": "starter", "built_in": true, "events_per_day": 10_000, "webhooks": null,
        "rate_limit": { "per_minute": 60, "per_hour": 1_000 },
    });
    let standard = json!({
        "name": "standard", "built_in": true, "events_per_day": null, "webhooks": null,
        "rate_limit": null,
    });
    let listed = async || operator.get("/v1/plans").await.expect(200)["data"].clone();
    assert_eq!(listed().await, json!([standard, starter]));
    let wanted = json!({ "webhooks": 20, "rate_limit": { "per_minute": 5 } });
    let gold = put(operator, "gold", wanted).await.expect(201);
    let expected = json!({
        "name": "gold", "built_in": false, "events_per_day": null, "webhooks": 20,
        "rate_limit": { "per_minute": 5, "per_hour": null },
    });
    assert_eq!(gold, expected);
    // What is not named is no limit.
    let gold = put(operator, "gold", json!({ "events_per_day": 0 })).await;
    let gold = gold.expect(200);
    assert_eq!(
        (&gold["webhooks"], &gold["events_per_day"]),
        (&Value::Null, &0.into())
    );
    assert_eq!(operator.get("/v1/plans/gold").await.expect(200), gold);
    assert_eq!(listed().await, json!([gold, standard, starter]));
    let first = operator.get("/v1/plans?limit=2").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = format!("/v1/plans?limit=2&cursor={cursor}");
    let next = operator.get(&next).await.expect(200);
    assert_eq!(
        (&next["data"], &next["next_cursor"]),
        (&json!([starter]), &Value::Null)
    );

    // Whoever has one keeps it.
    let made = json!({ "name": "Shop", "plan": "gold" });
    let made = operator.post("/v1/tenants", made).await.expect(201);
    assert_eq!(made["plan"], "gold");
    let in_use = operator.delete("/v1/plans/gold").await;
    in_use.expect_problem(409, "conflict");
    let page = operator.get("/v1/tenants?plan=gold").await.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    let shop = format!("/v1/tenants/{}", made["id"].as_str().unwrap());
    let body = json!({ "plan": "starter" }).to_string();
    let changed = operator.request("PATCH", &shop, &[JSON], body).await;
    assert_eq!(changed.expect(200)["plan"], "starter");
    let shown = operator.get(&shop).await.expect(200);
    let rate = &shown["limits"]["rate_limit"];
    assert_eq!(rate, &json!({ "per_minute": 60, "per_hour": 1_000 }));
    assert_eq!(shown["limits"]["events_per_day"]["allowed"], 10_000);
    assert_eq!(operator.delete("/v1/plans/gold").await.status, 204);
    for answer in [
        operator.delete("/v1/plans/gold").await,
        operator.get("/v1/plans/gold").await,
        operator.get("/v1/plans/Not%20a%20name").await,
    ] {
        answer.expect_problem(404, "not_found");
    }
    let gone = json!({ "name": "Late", "plan": "gold" });
    assert_refused(&operator.post("/v1/tenants", gone).await, &["/plan"]);

    // They are the operator's, and those that ship stay.
    for answer in [
        tenant.api.get("/v1/plans").await,
        tenant.api.get("/v1/plans/standard").await,
        put(&tenant.api, "mine", json!({})).await,
        tenant.api.delete("/v1/plans/starter").await,
    ] {
        answer.expect_problem(403, "forbidden");
    }
    for name in ["standard", "starter"] {
        put(operator, name, json!({}))
            .await
            .expect_problem(409, "conflict");
        let kept = operator.delete(&format!("/v1/plans/{name}")).await;
        kept.expect_problem(409, "conflict");
    }
    let no_post = operator.post("/v1/plans", json!({})).await;
    no_post.expect_problem(405, "method_not_allowed");
    let own = limits(&tenant).await;
    assert_eq!(members(&own), ["events_per_day", "rate_limit", "webhooks"]);
    assert!(members(&own).iter().all(|name| own[name].is_null()));
}

#[tokio::test]
async fn a_plan_that_is_none_is_refused_and_says_where() {
    let app = TestApp::start().await;
    for (body, pointers) in [
        (json!({ "events_per_day": -1 }), &["/events_per_day"][..]),
        (
            json!({ "events_per_day": 1_000_000_000_001_i64, "webhooks": 1_000_001 }),
            &["/events_per_day", "/webhooks"],
        ),
        (json!({ "webhooks": 1.5 }), &["/webhooks"]),
        (json!({ "rate_limit": {} }), &["/rate_limit"]),
        (
            json!({ "rate_limit": { "per_minute": 0, "per_hour": 1_000_001 } }),
            &["/rate_limit/per_minute", "/rate_limit/per_hour"],
        ),
        (
            json!({ "requests_per_minute": 9 }),
            &["/requests_per_minute"],
        ),
        (json!({ "name": "gold" }), &["/name"]),
    ] {
        assert_refused(&put(&app.operator, "gold", body).await, pointers);
    }
    for name in ["Gold", "-gold", "g%C3%BCld", &"x".repeat(64)] {
        let refused = put(&app.operator, name, json!({})).await;
        refused.expect_problem(422, "invalid_request");
    }
    app.operator
        .get("/v1/plans/gold")
        .await
        .expect_problem(404, "not_found");
    let path = "/v1/plans?tenant=x";
    app.operator
        .get(path)
        .await
        .expect_problem(422, "invalid_request");
}

#[tokio::test]
async fn as_many_events_are_taken_in_a_day_as_the_plan_allows_and_the_tenant_is_told() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Shop").await);
    let (endpoint, platform) = (Endpoint::start().await, Endpoint::start().await);
    tenant.webhook(&endpoint, &["tenant.*"]).await;
    let body = json!({ "url": platform.url("/hook"), "events": ["tenant.*"] });
    app.operator.post("/v1/webhooks", body).await.expect(201);
    give(&app, &tenant, json!({ "events_per_day": 10 })).await;

    let first = publish(&tenant, Some("one")).await.expect(202);
    for _ in 0..3 {
        // The same again is not one more.
        assert_eq!(publish(&tenant, Some("one")).await.expect(202), first);
    }
    let today = |used: u64| {
        let resets_at = end_of(day_of(app.clock.now()));
        json!({ "used": used, "allowed": 10, "resets_at": resets_at })
    };
    assert_eq!(limits(&tenant).await["events_per_day"], today(1));
    for _ in 1..7 {
        publish(&tenant, None).await.expect(202);
    }
    // Three places are left for five, one of which is no event.
    let event: Value = serde_json::from_str(EVENT).unwrap();
    let wrong = json!({ "type": "no.such", "data": {} });
    let batch = json!({ "events": [event, wrong, event, event, event] });
    let answer = tenant.api.post("/v1/events/batch", batch).await.expect(202);
    assert_eq!(
        (&answer["accepted"], &answer["refused"]),
        (&3.into(), &2.into())
    );
    let code = |index: usize| &answer["data"][index]["error"]["code"];
    assert_eq!(
        (code(1), code(4)),
        (&json!("unknown_event_type"), &json!("quota_exceeded"))
    );
    assert_eq!(limits(&tenant).await["events_per_day"], today(10));

    let refused = publish(&tenant, Some("late")).await;
    let problem = refused.expect_problem(429, "quota_exceeded");
    let said = |name: &str| problem[name].clone();
    assert_eq!(
        json!([said("limit"), said("plan"), said("used"), said("allowed")]),
        json!(["events_per_day", "gold", 10, 10])
    );
    let resets_at = end_of(day_of(app.clock.now()));
    assert_eq!(problem["resets_at"], json!(resets_at));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let left = resets_at.since(app.clock.now()).as_secs();
    assert!(wait.abs_diff(left) <= 2, "{wait} and {left}");
    // What was accepted is repeated all the same, and others have their own.
    assert_eq!(publish(&tenant, Some("one")).await.expect(202), first);
    publish(&other, None).await.expect(202);

    let about = |used: u64| json!(["events_per_day", used, 10, tenant.id]);
    let reached = || ("tenant.limit.reached".to_owned(), about(10));
    // The batch went past the warning.
    assert_eq!(told(&endpoint, 1).await, [reached()]);
    assert_eq!(told(&platform, 1).await, [reached()]);
    let metrics = app.admin.get("/metrics").await.text;
    let line = r#"tidings_limit_refusals_total{limit="events_per_day"} 2"#;
    assert!(metrics.contains(line), "{metrics}");
    let log = "/v1/events?category=tenant";
    let log = tenant.api.get(log).await.expect(200);
    assert_eq!(log["data"].as_array().unwrap().len(), 1);

    // It is counted anew with the next day, and told anew.
    app.clock.advance(Duration::from_secs(left + 1));
    let late = publish(&tenant, Some("late")).await;
    late.expect(202);
    for _ in 1..10 {
        publish(&tenant, None).await.expect(202);
    }
    publish(&tenant, None)
        .await
        .expect_problem(429, "quota_exceeded");
    let warned = ("tenant.limit.warning".to_owned(), about(8));
    let expected = [reached(), warned, reached()];
    assert_eq!(told(&endpoint, 3).await, expected);
    assert_eq!(told(&platform, 3).await, expected);
}

#[tokio::test]
async fn of_many_requests_at_once_exactly_as_many_are_accepted_as_are_allowed() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    give(&app, &tenant, json!({ "events_per_day": 25 })).await;
    let all = (0..80).map(|_| publish(&tenant, None));
    let all = futures_util::future::join_all(all).await;
    let accepted = all.iter().filter(|answer| answer.status == 202).count();
    let refused = all.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((accepted, refused), (25, 55));
    let page = tenant
        .api
        .get("/v1/events?type=job.created&limit=100")
        .await;
    let page = page.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 25);
}

#[tokio::test]
async fn events_that_tidings_raises_itself_are_never_refused_and_do_not_count() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["sms.*"]).await;
    tenant.account("stub", "clinic").await;
    give(&app, &tenant, json!({ "events_per_day": 0 })).await;
    publish(&tenant, None)
        .await
        .expect_problem(429, "quota_exceeded");
    tenant.message("clinic", "m-1", super::PHONE).await;
    let report = testkit::providers::stub_report("m-1", "DELIVRD", super::PHONE, None);
    let path = "/v1/callbacks/clinic/reports";
    app.ingress
        .post_raw(path, &[JSON], report)
        .await
        .expect(200);
    let hits = endpoint.wait_for(1, SOON).await;
    assert_eq!(hits[0].json()["type"], "sms.delivered");
    assert_eq!(limits(&tenant).await["events_per_day"]["used"], 0);
}

#[tokio::test]
async fn there_are_as_many_webhooks_as_the_plan_allows() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["tenant.*"]).await;
    give(&app, &tenant, json!({ "webhooks": 4 })).await;
    let wanted = json!({ "url": endpoint.url("/other"), "events": ["job.*"] });
    let four = json!([wanted, { "url": "ftp://a" }, wanted, wanted, wanted]);
    let bulk = |dry_run: bool| json!({ "action": "create", "webhooks": four, "dry_run": dry_run });
    let statuses = |answer: &Value| {
        let items = answer["data"].as_array().unwrap().iter();
        items
            .map(|item| item["status"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let rehearsed = tenant.api.post("/v1/webhooks/bulk", bulk(true)).await;
    assert_eq!(statuses(&rehearsed.expect(200)), [201, 422, 201, 201, 409]);
    let made = tenant
        .api
        .post("/v1/webhooks/bulk", bulk(false))
        .await
        .expect(200);
    assert_eq!(statuses(&made), [201, 422, 201, 201, 409]);
    assert_eq!(made["data"][4]["problem"]["code"], "limit_reached");
    let all = limits(&tenant).await;
    assert_eq!(
        all["webhooks"],
        json!({ "used": 4, "allowed": 4, "resets_at": null })
    );
    let refused = tenant.api.post("/v1/webhooks", wanted.clone()).await;
    let problem = refused.expect_problem(409, "limit_reached");
    assert_eq!(
        (&problem["limit"], &problem["allowed"]),
        (&json!("webhooks"), &json!(4))
    );
    assert!(refused.header("retry-after").is_none());
    let reached = (
        "tenant.limit.reached".to_owned(),
        json!(["webhooks", 4, 4, tenant.id]),
    );
    assert_eq!(told(&endpoint, 1).await, [reached]);

    // Of two who want the last place one has it.
    let id = made["data"][0]["id"].as_str().unwrap();
    let deleted = tenant.api.delete(&format!("/v1/webhooks/{id}")).await;
    assert_eq!(deleted.status, 204);
    let (one, two) = tokio::join!(
        tenant.api.post("/v1/webhooks", wanted.clone()),
        tenant.api.post("/v1/webhooks", wanted.clone()),
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn how_fast_webhooks_are_sent_to_follows_the_plan_as_soon_as_it_changes() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    give(&app, &tenant, json!({ "rate_limit": { "per_minute": 2 } })).await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let path = format!("/v1/webhooks/{}", webhook.id);
    let shown = tenant.api.get(&path).await.expect(200);
    assert_eq!(shown["rate_limit"], Value::Null, "it has none of its own");
    for _ in 0..6 {
        publish(&tenant, None).await.expect(202);
    }
    endpoint.wait_for(2, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 2);
    // The plan is given other limits, and then the tenant another plan.
    let faster = json!({ "rate_limit": { "per_minute": 3 } });
    put(&app.operator, "gold", faster).await.expect(200);
    endpoint.wait_for(3, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 3);
    let body = json!({ "plan": "standard" }).to_string();
    let tenant_path = format!("/v1/tenants/{}", tenant.id);
    let changed = app
        .operator
        .request("PATCH", &tenant_path, &[JSON], body)
        .await;
    changed.expect(200);
    eventually("all are sent", SOON, async || {
        (endpoint.hits().len() == 6).then_some(())
    })
    .await;
}
