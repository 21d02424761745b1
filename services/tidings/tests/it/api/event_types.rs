//! Event types that tenants and the operator bring: what is taken, shown, checked and refused.

use super::{assert_refused, members, pointers};
use crate::app::{Tenant, TestApp};
use serde_json::{Value, json};

const TYPES: &str = "/v1/event-types";

fn order() -> Value {
    json!({
        "name": "shop.order_placed",
        "description": "An order was placed.",
        "schema": {
            "type": "object",
            "properties": { "number": { "type": "integer", "minimum": 1 }, "note": { "maxLength": 20 } },
            "required": ["number"],
        },
        "example": { "number": 17 },
    })
}

fn named(name: &str) -> Value {
    let mut body = order();
    body["name"] = json!(name);
    body
}

async fn bring(tenant: &Tenant, body: Value) -> Value {
    tenant.api.post(TYPES, body).await.expect(201)
}

fn event(name: &str, data: Value) -> Value {
    json!({ "type": name, "data": data })
}

#[tokio::test]
async fn a_tenant_brings_a_type_and_publishes_what_it_allows() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    // It was not there when somebody tried.
    let published = event("shop.order_placed", json!({ "number": 3 }));
    let refused = tenant.api.post("/v1/events", published.clone()).await;
    refused.expect_problem(422, "unknown_event_type");
    let made = bring(&tenant, order()).await;
    assert_eq!(
        members(&made),
        [
            "archived",
            "category",
            "created_at",
            "deprecated",
            "description",
            "example",
            "name",
            "origin",
            "schema",
            "updated_at",
            "version",
            "versions"
        ]
    );
    assert_eq!(
        (&made["category"], &made["origin"]),
        (&json!("shop"), &json!("own"))
    );
    let made = tenant.api.post("/v1/events", published).await.expect(202);
    let path = format!("/v1/events/{}", made["id"].as_str().unwrap());
    let shown = tenant.api.get(&path).await.expect(200);
    assert_eq!(
        (&shown["version"], &shown["category"]),
        (&json!(1), &json!("shop"))
    );
    for (data, at) in [
        (json!({}), "/data"),
        (json!({ "number": 0 }), "/data/number"),
        (json!({ "number": "hidden" }), "/data/number"),
        (
            json!({ "number": 1, "note": "hidden".repeat(9) }),
            "/data/note",
        ),
    ] {
        let answer = tenant
            .api
            .post("/v1/events", event("shop.order_placed", data))
            .await;
        assert_refused(&answer, &[at]);
        assert!(!answer.to_string().contains("hidden"), "{answer}");
    }
    let mut body = event("shop.order_placed", json!({ "number": 1 }));
    body["version"] = json!(2);
    assert_refused(&tenant.api.post("/v1/events", body).await, &["/version"]);
}

#[tokio::test]
async fn a_type_is_its_tenants_and_the_operators_are_everybodys() {
    let app = TestApp::start().await;
    let (shop, other) = (app.tenant("Shop").await, app.tenant("Other").await);
    bring(&shop, order()).await;
    let path = "/v1/event-types/shop.order_placed";
    other.api.get(path).await.expect_problem(404, "not_found");
    other
        .api
        .patch(path, json!({ "archived": true }))
        .await
        .expect_problem(404, "not_found");
    let versions = format!("{path}/versions");
    let version = json!({ "schema": { "type": "object" }, "example": {} });
    other
        .api
        .post(&versions, version.clone())
        .await
        .expect_problem(404, "not_found");
    other
        .api
        .get(&format!("{versions}/1"))
        .await
        .expect_problem(404, "not_found");
    let published = event("shop.order_placed", json!({ "number": 3 }));
    other
        .api
        .post("/v1/events", published)
        .await
        .expect_problem(422, "unknown_event_type");

    app.operator
        .post(TYPES, named("till.opened"))
        .await
        .expect(201);
    for tenant in [&shop, &other] {
        let shown = tenant
            .api
            .get("/v1/event-types/till.opened")
            .await
            .expect(200);
        assert_eq!(shown["origin"], "operator");
        tenant.publish("till.opened", json!({ "number": 3 })).await;
        let change = json!({ "archived": true });
        tenant
            .api
            .patch("/v1/event-types/till.opened", change)
            .await
            .expect_problem(403, "forbidden");
        let again = tenant.api.post(TYPES, named("till.opened")).await;
        again.expect_problem(409, "conflict");
    }
    // A tenant's own counts for it, where the operator brings one of its name later.
    app.operator.post(TYPES, order()).await.expect(201);
    assert_eq!(shop.api.get(path).await.expect(200)["origin"], "own");
    assert_eq!(other.api.get(path).await.expect(200)["origin"], "operator");
}

#[tokio::test]
async fn what_is_no_type_is_refused_with_its_place() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    for name in [
        "",
        "shop",
        "Shop.a",
        "shop.a\u{0}",
        "job.created",
        "sms.read",
        "system.down",
    ] {
        let answer = tenant.api.post(TYPES, named(name)).await;
        assert_refused(&answer, &["/name"]);
    }
    for (member, value, at) in [
        (
            "schema",
            json!({ "type": "object", "$ref": "https://x.example/" }),
            "/schema/$ref",
        ),
        (
            "schema",
            json!({ "type": "object", "properties": { "a": { "pattern": "(?=a)" } } }),
            "/schema/properties/a/pattern",
        ),
        ("schema", json!([]), "/schema"),
        ("example", json!({ "number": 0 }), "/example/number"),
        ("example", json!([]), "/example"),
        ("description", json!(""), "/description"),
        ("description", json!("a\u{0}"), "/description"),
        ("more", json!(1), "/more"),
    ] {
        let mut body = order();
        body[member] = value;
        assert_refused(&tenant.api.post(TYPES, body).await, &[at]);
    }
    bring(&tenant, order()).await;
    let again = tenant.api.post(TYPES, order()).await;
    again.expect_problem(409, "conflict");
    let path = "/v1/event-types/shop.order_placed";
    assert_refused(&tenant.api.patch(path, json!({})).await, &[""]);
    assert_refused(
        &tenant.api.patch(path, json!({ "name": "a.b" })).await,
        &["/name"],
    );
    tenant
        .api
        .delete(path)
        .await
        .expect_problem(405, "method_not_allowed");
    for name in ["job.nothing", "none", "%00", "shop.order_placed%00"] {
        let path = format!("/v1/event-types/{name}");
        tenant.api.get(&path).await.expect_problem(404, "not_found");
    }
    for number in ["0", "2", "-1", "x", "99999999999"] {
        let path = format!("{path}/versions/{number}");
        tenant.api.get(&path).await.expect_problem(404, "not_found");
    }
    let built_in = "/v1/event-types/job.created";
    let change = json!({ "archived": true });
    tenant
        .api
        .patch(built_in, change)
        .await
        .expect_problem(403, "forbidden");
}

#[tokio::test]
async fn an_archived_type_is_published_no_more_and_a_deprecated_one_still_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    bring(&tenant, order()).await;
    let path = "/v1/event-types/shop.order_placed";
    let change = json!({ "deprecated": true, "description": null });
    let shown = tenant.api.patch(path, change).await.expect(200);
    assert_eq!(
        (&shown["deprecated"], &shown["description"]),
        (&json!(true), &Value::Null)
    );
    tenant
        .publish("shop.order_placed", json!({ "number": 3 }))
        .await;
    tenant
        .api
        .patch(path, json!({ "archived": true }))
        .await
        .expect(200);
    let published = event("shop.order_placed", json!({ "number": 3 }));
    assert_refused(
        &tenant.api.post("/v1/events", published.clone()).await,
        &["/type"],
    );
    tenant
        .api
        .patch(path, json!({ "archived": false }))
        .await
        .expect(200);
    tenant.api.post("/v1/events", published).await.expect(202);
}

#[tokio::test]
async fn a_version_is_added_and_published_at_once_and_the_one_before_stays() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    bring(&tenant, order()).await;
    tenant
        .publish("shop.order_placed", json!({ "number": 3 }))
        .await;
    let versions = "/v1/event-types/shop.order_placed/versions";
    let breaking = json!({
        "schema": { "type": "object", "properties": { "id": { "type": "integer" } }, "required": ["id"] },
        "example": { "id": 17 },
    });
    let answer = tenant.api.post(versions, breaking.clone()).await;
    let problem = answer.expect_problem(422, "invalid_request");
    assert_eq!(pointers(&problem)[0], "/breaking");
    assert!(pointers(&problem).contains(&"/schema/properties/number"));
    let mut declared = breaking;
    declared["breaking"] = json!(true);
    assert_refused(
        &tenant.api.post(versions, declared.clone()).await,
        &["/upgrade", "/downgrade"],
    );
    declared["upgrade"] = json!([{ "op": "rename", "path": "/number", "to": "id" }]);
    declared["downgrade"] = json!([]);
    assert_refused(
        &tenant.api.post(versions, declared.clone()).await,
        &["/downgrade"],
    );
    declared["downgrade"] = json!([{ "op": "rename", "path": "/id", "to": "number" }]);
    let added = tenant
        .api
        .post(versions, declared.clone())
        .await
        .expect(201);
    assert_eq!(
        (&added["version"], &added["breaking"]),
        (&json!(2), &json!(true))
    );
    tenant
        .api
        .post(versions, declared)
        .await
        .expect_problem(409, "conflict");
    // The newest is meant, where none is named.
    tenant
        .publish("shop.order_placed", json!({ "id": 3 }))
        .await;
    let mut old = event("shop.order_placed", json!({ "number": 3 }));
    assert_refused(
        &tenant.api.post("/v1/events", old.clone()).await,
        &["/data"],
    );
    old["version"] = json!(1);
    tenant.api.post("/v1/events", old).await.expect(202);
    let shown = tenant
        .api
        .get("/v1/event-types/shop.order_placed")
        .await
        .expect(200);
    let numbers: Vec<&Value> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["version"])
        .collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(shown["example"], json!({ "id": 17 }));
    let first = tenant.api.get(&format!("{versions}/1")).await.expect(200);
    assert_eq!(first["schema"], order()["schema"]);
}

#[tokio::test]
async fn types_are_listed_by_category_page_by_page() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    app.operator
        .post(TYPES, named("job.paused"))
        .await
        .expect(201);
    bring(&tenant, named("job.paused_again")).await;
    let (mut names, mut path) = (Vec::new(), format!("{TYPES}?limit=7"));
    loop {
        let page = tenant.api.get(&path).await.expect(200);
        for one in page["data"].as_array().unwrap() {
            assert!(
                one["description"].is_string() && one["example"].is_object(),
                "{one}"
            );
            names.push(one["name"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{TYPES}?limit=7&cursor={cursor}"),
            None => break,
        }
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), domain::catalog::TYPES.len() + 2);
    let page = tenant
        .api
        .get("/v1/webhooks/event-types?limit=100")
        .await
        .expect(200);
    let groups = page["data"].as_array().unwrap();
    let jobs = groups
        .iter()
        .find(|group| group["category"] == "job")
        .unwrap();
    assert_eq!(members(jobs), ["category", "description", "types"]);
    let names: Vec<&str> = jobs["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "job.completed",
            "job.created",
            "job.failed",
            "job.paused",
            "job.paused_again",
            "job.started"
        ]
    );
    let other = app.tenant("Other").await;
    let forged = format!(
        "{TYPES}?cursor={}",
        page["next_cursor"].as_str().unwrap_or("x")
    );
    other
        .api
        .get(&forged)
        .await
        .expect_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn webhooks_want_own_types_by_name_and_by_pattern() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let body = |events: Value| json!({ "url": "https://example.org/hook", "events": events });
    let refused = tenant
        .api
        .post("/v1/webhooks", body(json!(["job.created", "shop.*"])))
        .await;
    assert_eq!(
        pointers(&refused.expect_problem(422, "unknown_event_type")),
        ["/events/1"]
    );
    bring(&tenant, order()).await;
    let made = tenant
        .api
        .post("/v1/webhooks", body(json!(["job.created", "shop.*"])))
        .await
        .expect(201);
    assert_eq!(made["versions"], json!({}));
    let made = tenant
        .api
        .post("/v1/webhooks", body(json!(["shop.order_placed"])))
        .await
        .expect(201);
    assert_eq!(made["versions"], json!({ "shop.order_placed": 1 }));
    let other = app.tenant("Other").await;
    let refused = other
        .api
        .post("/v1/webhooks", body(json!(["shop.order_placed"])))
        .await;
    refused.expect_problem(422, "unknown_event_type");
    for (versions, at) in [
        (
            json!({ "shop.order_placed": 2 }),
            "/versions/shop.order_placed",
        ),
        (
            json!({ "shop.order_placed": 0 }),
            "/versions/shop.order_placed",
        ),
        (json!({ "job.created": 1 }), "/versions/job.created"),
        (json!({ "a\u{0}": 1 }), "/versions/a\u{0}"),
        (json!([]), "/versions"),
    ] {
        let mut body = body(json!(["shop.order_placed"]));
        body["versions"] = versions;
        assert_refused(&tenant.api.post("/v1/webhooks", body).await, &[at]);
    }
}

#[tokio::test]
async fn many_types_are_imported_each_judged_by_itself() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Shop").await;
    let import = format!("{TYPES}/import");
    let results = |answer: &Value| -> Vec<String> {
        let items = answer["data"].as_array().unwrap();
        items
            .iter()
            .map(|item| {
                format!(
                    "{} {}",
                    item["name"].as_str().unwrap(),
                    item["result"].as_str().unwrap()
                )
            })
            .collect()
    };
    let mut wrong = named("shop.order_lost");
    wrong["example"] = json!({});
    let types = json!([order(), wrong, named("sms.lost"), order()]);
    let dry = tenant
        .api
        .post(&import, json!({ "types": types, "dry_run": true }))
        .await
        .expect(200);
    let expected = [
        "shop.order_placed created",
        "shop.order_lost refused",
        "sms.lost refused",
        "shop.order_placed refused",
    ];
    assert_eq!(results(&dry), expected);
    assert_eq!(dry["data"][1]["errors"][0]["pointer"], "/types/1/example");
    tenant
        .api
        .get("/v1/event-types/shop.order_placed")
        .await
        .expect_problem(404, "not_found");
    let done = tenant
        .api
        .post(&import, json!({ "types": types }))
        .await
        .expect(200);
    assert_eq!(results(&done), expected);
    let mut more = order();
    more["schema"]["properties"]["colour"] = json!({ "type": "string" });
    let again = json!({ "types": [order(), named("shop.order_paid")] });
    let again = tenant.api.post(&import, again).await.expect(200);
    assert_eq!(
        results(&again),
        ["shop.order_placed unchanged", "shop.order_paid created"]
    );
    let added = tenant
        .api
        .post(&import, json!({ "types": [more] }))
        .await
        .expect(200);
    assert_eq!(results(&added), ["shop.order_placed version_added"]);
    let schemas = json!({ "schemas": { "shop.closed": { "type": "object", "title": "Closed.", "examples": [{}] }, "shop.open": { "type": "object" } } });
    let done = tenant.api.post(&import, schemas).await.expect(200);
    assert_eq!(results(&done), ["shop.closed created", "shop.open refused"]);
    let document = json!({ "openapi": {
        "openapi": "3.1.0", "info": { "title": "t", "version": "1" },
        "webhooks": { "shop.line_added": { "post": { "summary": "A line.", "requestBody": { "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/Line" } } } } } } },
        "components": { "schemas": { "Line": { "type": "object", "properties": { "sku": { "type": "string" } }, "required": ["sku"] } } },
    } });
    let done = tenant.api.post(&import, document).await.expect(200);
    assert_eq!(results(&done), ["shop.line_added created"]);
    tenant
        .publish("shop.line_added", json!({ "sku": "a" }))
        .await;
    for (body, at) in [
        (json!({}), ""),
        (json!({ "types": [], "schemas": {} }), ""),
        (json!({ "types": [] }), "/types"),
        (
            json!({ "openapi": { "openapi": "3.0.0" } }),
            "/openapi/openapi",
        ),
        (json!({ "types": [{ "name": "a.b" }] }), "/types/0/schema"),
    ] {
        assert_refused(&tenant.api.post(&import, body).await, &[at]);
    }
}

#[tokio::test]
async fn each_event_of_a_batch_is_held_against_its_type_in_the_version_that_it_names() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Shop").await, app.tenant("Other").await);
    bring(&tenant, order()).await;
    let good = event("shop.order_placed", json!({ "number": 3 }));
    let mut newer = good.clone();
    newer["version"] = json!(2);
    let bad = event("shop.order_placed", json!({ "number": 0 }));
    let lost = event("shop.order_lost", json!({}));
    let batch = json!({ "events": [good, bad, newer, lost, event("job.created", json!({}))] });
    let answer = tenant
        .api
        .post("/v1/events/batch", batch.clone())
        .await
        .expect(202);
    assert_eq!(
        (&answer["accepted"], &answer["refused"]),
        (&json!(2), &json!(3))
    );
    let at = |index: usize| answer["data"][index]["error"]["errors"][0]["pointer"].clone();
    assert_eq!(at(1), "/events/1/data/number");
    assert_eq!(at(2), "/events/2/version");
    assert_eq!(at(3), "/events/3/type");
    assert_eq!(answer["data"][3]["error"]["code"], "unknown_event_type");
    // It is nobody else's type.
    let answer = other.api.post("/v1/events/batch", batch).await.expect(202);
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["data"][0]["error"]["code"], "unknown_event_type");
    let archived = json!({ "archived": true });
    let path = format!("{TYPES}/shop.order_placed");
    tenant.api.patch(&path, archived).await.expect(200);
    let batch = json!({ "events": [event("shop.order_placed", json!({ "number": 3 }))] });
    let answer = tenant.api.post("/v1/events/batch", batch).await.expect(202);
    assert_eq!(answer["refused"], 1);
}
