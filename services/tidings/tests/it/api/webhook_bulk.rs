//! One thing done to many webhooks.

use super::{assert_refused, id, ids};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use testkit::Endpoint;

const BULK: &str = "/v1/webhooks/bulk";

async fn bulk(tenant: &Tenant, body: Value) -> Value {
    tenant.api.post(BULK, body).await.expect(200)
}

#[track_caller]
fn statuses(answer: &Value) -> Vec<u64> {
    let items = answer["data"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["status"].as_u64().unwrap())
        .collect()
}

async fn listed(tenant: &Tenant, query: &str) -> Vec<String> {
    let page = tenant.api.get(&format!("/v1/webhooks?{query}")).await;
    ids(&page.expect(200))
}

#[tokio::test]
async fn many_are_made_at_once_and_each_is_judged_by_itself() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let good = |path: &str| json!({ "url": endpoint.url(path), "events": ["job.*"] });
    let webhooks = json!([
        good("/1"),
        { "url": "http://10.0.0.1/", "events": ["*"] },
        good("/2"),
        { "url": endpoint.url("/"), "events": ["*"], "odd": 1 },
        7
    ]);
    let dry = bulk(
        &tenant,
        json!({ "action": "create", "webhooks": webhooks, "dry_run": true }),
    )
    .await;
    assert_eq!(statuses(&dry), [201, 422, 201, 422, 422]);
    assert_eq!((&dry["succeeded"], &dry["failed"]), (&json!(2), &json!(3)));
    assert_eq!(listed(&tenant, "").await, Vec::<String>::new());

    let made = bulk(&tenant, json!({ "action": "create", "webhooks": webhooks })).await;
    assert_eq!(statuses(&made), [201, 422, 201, 422, 422]);
    let items = made["data"].as_array().unwrap();
    let problem = &items[1]["problem"];
    assert_eq!(problem["code"], "url_not_allowed");
    assert_eq!(problem["errors"][0]["pointer"], "/webhooks/1/url");
    let pointer = |index: usize| items[index]["problem"]["errors"][0]["pointer"].clone();
    assert_eq!(
        (pointer(3), pointer(4)),
        (json!("/webhooks/3/odd"), json!("/webhooks/4"))
    );
    let made = [&items[0], &items[2]];
    let mut all = listed(&tenant, "").await;
    all.sort_unstable();
    let mut ours = made.map(id);
    ours.sort_unstable();
    assert_eq!(all, ours);
    // What is accepted afterwards is told to each, signed with what was shown.
    tenant.publish("job.created", json!({})).await;
    let hits = endpoint.wait_for(2, SOON).await;
    for item in made {
        let url = item["webhook"]["url"].as_str().unwrap();
        let hit = hits.iter().find(|hit| url.ends_with(&hit.path)).unwrap();
        hit.verify(item["webhook"]["secret"].as_str().unwrap())
            .unwrap();
    }
}

#[tokio::test]
async fn many_are_changed_by_their_ids_in_the_order_they_are_named() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let make = async |tenant: &Tenant, headers: Value| {
        let body = json!({ "url": "https://a.example/", "events": ["*"], "headers": headers });
        id(&tenant.api.post("/v1/webhooks", body).await.expect(201))
    };
    let first = make(&tenant, json!({})).await;
    let second = make(&tenant, json!({ "authorization": "a" })).await;
    let theirs = make(&other, json!({})).await;
    let named = json!([second, "nothing", theirs, first]);
    let patch = json!({ "name": "bulk", "endpoint_auth": { "type": "bearer", "token": "t" } });
    let change = |dry_run: bool| json!({ "action": "update", "ids": named, "patch": patch, "dry_run": dry_run });
    for dry_run in [true, false] {
        let done = bulk(&tenant, change(dry_run)).await;
        assert_eq!(statuses(&done), [422, 404, 404, 200], "{done}");
        let named: Vec<_> = done["data"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(named, [&second, "nothing", &theirs, &first]);
        assert_eq!(
            done["data"][0]["problem"]["errors"][0]["pointer"],
            "/patch/headers/authorization"
        );
        assert_eq!(done["data"][3]["webhook"]["name"], "bulk");
        assert_eq!(
            (&done["dry_run"], &done["next_cursor"]),
            (&json!(dry_run), &Value::Null)
        );
        let found = listed(&tenant, "name=bulk").await;
        assert_eq!(found.len(), usize::from(!dry_run));
    }
    let name = async |tenant: &Tenant, id: &str| {
        let found = tenant
            .api
            .get(&format!("/v1/webhooks/{id}"))
            .await
            .expect(200);
        found["name"].clone()
    };
    assert_eq!(name(&tenant, &first).await, "bulk");
    assert_eq!(name(&tenant, &second).await, Value::Null);
    assert_eq!(name(&other, &theirs).await, Value::Null);

    let ours = json!([first, second]);
    let disabled = bulk(&tenant, json!({ "action": "disable", "ids": ours })).await;
    assert_eq!(statuses(&disabled), [200, 200]);
    assert_eq!(
        listed(&tenant, "state=disabled").await,
        [second.clone(), first.clone()]
    );
    bulk(&tenant, json!({ "action": "enable", "ids": [second] })).await;
    assert_eq!(
        listed(&tenant, "state=disabled").await,
        std::slice::from_ref(&first)
    );
    let ended = bulk(
        &tenant,
        json!({ "action": "delete", "ids": [theirs, first] }),
    )
    .await;
    assert_eq!(statuses(&ended), [404, 204]);
    assert_eq!(listed(&tenant, "").await, [second]);
    assert_eq!(name(&other, &theirs).await, Value::Null);
}

#[tokio::test]
async fn what_a_filter_finds_is_worked_off_page_by_page() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let webhooks = |from: usize| {
        let body = |n| json!({ "url": format!("https://a.example/{n}"), "events": ["sms.*"], "name": "old" });
        (from..from + 60).map(body).collect::<Vec<_>>()
    };
    for from in [0, 60] {
        bulk(
            &tenant,
            json!({ "action": "create", "webhooks": webhooks(from) }),
        )
        .await;
    }
    let spared = json!({ "url": "https://b.example/", "events": ["job.*"], "name": "old" });
    let spared = id(&tenant.api.post("/v1/webhooks", spared).await.expect(201));
    let change = |cursor: Option<&Value>| {
        let mut body = json!({ "action": "update", "patch": { "name": "new" },
            "filter": { "event_type": "sms.sent", "url_prefix": "https://a." } });
        if let Some(cursor) = cursor {
            body["cursor"] = cursor.clone();
        }
        body
    };
    let first = bulk(&tenant, change(None)).await;
    assert_eq!(
        (first["succeeded"].as_u64(), first["failed"].as_u64()),
        (Some(100), Some(0))
    );
    let last = bulk(&tenant, change(Some(&first["next_cursor"]))).await;
    assert_eq!(
        (&last["succeeded"], &last["next_cursor"]),
        (&json!(20), &Value::Null)
    );
    assert_eq!(listed(&tenant, "name=new&limit=100").await.len(), 100);
    assert_eq!(listed(&tenant, "name=old").await, [spared]);
    // A cursor goes on with its own filter only.
    let mut other = change(Some(&first["next_cursor"]));
    other["filter"] = json!({ "event_type": "sms.sent" });
    let answer = tenant.api.post(BULK, other).await;
    answer.expect_problem(400, "invalid_cursor");

    let delete = |dry_run: bool| json!({ "action": "delete", "filter": { "name": "new" }, "dry_run": dry_run });
    for (dry_run, found) in [(true, 100), (false, 100), (false, 20), (false, 0)] {
        let done = bulk(&tenant, delete(dry_run)).await;
        assert_eq!(done["succeeded"], found);
        assert!(statuses(&done).iter().all(|status| *status == 204));
    }
    assert_eq!(listed(&tenant, "").await.len(), 1);
}

#[tokio::test]
async fn what_is_deleted_with_others_is_owed_nothing_any_more() {
    let app = TestApp::start_with(&[("TIDINGS_DISPATCHER__RETRY", "3600")]).await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([testkit::Reply::Status(500)]);
    let (one, two) = (
        tenant.webhook(&endpoint, &["*"]).await,
        tenant.webhook(&endpoint, &["*"]).await,
    );
    let event = tenant.publish("job.created", json!({})).await;
    for hook in [&one, &two] {
        tenant.wait_for_attempts(hook, 1).await;
    }
    bulk(
        &tenant,
        json!({ "action": "delete", "ids": [one.id, two.id] }),
    )
    .await;
    let found = tenant
        .api
        .get(&format!("/v1/events/{event}"))
        .await
        .expect(200);
    let states = found["deliveries"].as_array().unwrap().iter();
    assert!(
        states
            .map(|delivery| &delivery["state"])
            .all(|state| state == "cancelled"),
        "{found}"
    );
}

#[tokio::test]
async fn a_bulk_request_that_makes_no_sense_does_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let hook = json!({ "url": "https://a.example/", "events": ["*"] });
    let one = "sub_00000000000000000000000000";
    let many: Vec<String> = (0..101).map(|n| format!("{one}{n}")).collect();
    for (body, pointers) in [
        (json!({}), vec!["/action"]),
        (json!({ "action": "drop", "ids": [one] }), vec!["/action"]),
        (json!({ "action": "create" }), vec!["/webhooks"]),
        (
            json!({ "action": "create", "webhooks": [] }),
            vec!["/webhooks"],
        ),
        (
            json!({ "action": "create", "webhooks": [hook], "ids": [one] }),
            vec!["/ids"],
        ),
        (
            json!({ "action": "create", "webhooks": [hook], "filter": {} }),
            vec!["/filter"],
        ),
        (
            json!({ "action": "create", "webhooks": vec![&hook; 101] }),
            vec!["/webhooks"],
        ),
        (json!({ "action": "update", "ids": [one] }), vec!["/patch"]),
        (
            json!({ "action": "update", "ids": [one], "patch": { "state": 1 } }),
            vec!["/patch/state"],
        ),
        (
            json!({ "action": "enable", "ids": [one], "patch": {} }),
            vec!["/patch"],
        ),
        (json!({ "action": "enable" }), vec!["/ids"]),
        (json!({ "action": "enable", "ids": null }), vec!["/ids"]),
        (
            json!({ "action": "enable", "ids": [one], "filter": {} }),
            vec!["/filter"],
        ),
        (
            json!({ "action": "enable", "ids": [one], "cursor": "x" }),
            vec!["/cursor"],
        ),
        (
            json!({ "action": "enable", "ids": [one, one] }),
            vec!["/ids/1"],
        ),
        (json!({ "action": "enable", "ids": many }), vec!["/ids"]),
        (
            json!({ "action": "delete", "filter": { "state": "gone" } }),
            vec!["/filter/state"],
        ),
        (
            json!({ "action": "delete", "filter": { "limit": "1" } }),
            vec!["/filter/limit"],
        ),
        (
            json!({ "action": "delete", "filter": { "state": 1 } }),
            vec!["/filter/state"],
        ),
        (
            json!({ "action": "delete", "filter": {}, "dryrun": true }),
            vec!["/dryrun"],
        ),
    ] {
        let answer = tenant.api.post(BULK, body).await;
        assert_refused(&answer, &pointers);
    }
}
