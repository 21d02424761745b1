//! Requests on condition: what is known already is not sent again, and nobody undoes what they have not seen.

use super::document::{document, operations, resolved};
use super::{belongings, id};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Api, Endpoint};

const JSON: (&str, &str) = ("content-type", "application/json");

fn webhook(name: &str) -> Value {
    json!({ "url": "https://clinic.example.com/hook", "events": ["*"], "name": name })
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

async fn on(api: &Api, method: &str, path: &str, tag: &str, body: &Value) -> Answer {
    let headers = [JSON, ("if-match", tag)];
    api.request(method, path, &headers, body.to_string()).await
}

async fn made(tenant: &Tenant) -> String {
    let made = tenant.api.post("/v1/webhooks", webhook("first")).await;
    format!("/v1/webhooks/{}", id(&made.expect(201)))
}

#[tokio::test]
async fn every_read_of_one_thing_has_a_tag_and_is_not_sent_to_who_has_it() {
    let app = belongings::app().await;
    let (tenant, has) = belongings::of_new_tenant(&app, "Clinic", "clinic-ke").await;
    let document = document();
    let mut read = 0;
    for operation in operations(&document) {
        let is_of_one = operation.method == "get" && operation.path.ends_with('}');
        let said = &operation.said["responses"]["304"];
        assert_eq!(!said.is_null(), is_of_one, "{}", operation.name());
        let Some(path) = has.path(&document, &operation).filter(|_| is_of_one) else {
            continue;
        };
        let api = if belongings::is_for_operator(&path) {
            &app.operator
        } else {
            &tenant.api
        };
        let first = api.get(&path).await;
        first.expect(200);
        let known = [("if-none-match", first.header("etag").unwrap())];
        let again = api.request("GET", &path, &known, []).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = [("if-none-match", "\"another\"")];
        let other = api.request("GET", &path, &other, []).await;
        assert_eq!((other.status, &other.text), (200, &first.text));
        read += 1;
    }
    assert!(read > 8, "{read}");
}

#[tokio::test]
async fn who_changes_what_somebody_else_has_changed_is_told_so() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let path = made(&tenant).await;
    let first = tag(&tenant.api.get(&path).await);
    on(
        &tenant.api,
        "PATCH",
        &path,
        &first,
        &json!({ "name": "second" }),
    )
    .await
    .expect(200);
    for (method, body) in [
        ("PATCH", json!({ "name": "third" })),
        ("PUT", webhook("third")),
        ("DELETE", Value::Null),
    ] {
        for stale in [first.as_str(), "\"garbage\"", "W/\"weak\""] {
            let refused = on(&tenant.api, method, &path, stale, &body).await;
            refused.expect_problem(412, "precondition_failed");
        }
    }
    let found = tenant.api.get(&path).await;
    assert_eq!(found.body["name"], "second");
    let both = format!("{first}, {}", tag(&found));
    on(&tenant.api, "PUT", &path, &both, &webhook("third"))
        .await
        .expect(200);
    on(
        &tenant.api,
        "PATCH",
        &path,
        "*",
        &json!({ "name": "fourth" }),
    )
    .await
    .expect(200);
    let last = tag(&tenant.api.get(&path).await);
    on(&tenant.api, "DELETE", &path, &last, &Value::Null)
        .await
        .expect(204);
    on(&tenant.api, "DELETE", &path, &last, &Value::Null)
        .await
        .expect_problem(404, "not_found");
}

#[tokio::test]
async fn of_two_who_have_seen_the_same_one_changes_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let path = made(&tenant).await;
    for round in 0..10 {
        let seen = tag(&tenant.api.get(&path).await);
        let bodies = ["a", "b"].map(|name| json!({ "name": format!("{name}{round}") }));
        let [one, other] = &bodies;
        let (one, other) = tokio::join!(
            on(&tenant.api, "PATCH", &path, &seen, one),
            on(&tenant.api, "PATCH", &path, &seen, other),
        );
        let mut both = [one.status, other.status];
        both.sort_unstable();
        assert_eq!(both, [200, 412], "{one} {other}");
    }
}

#[tokio::test]
async fn everything_that_is_changed_has_versions() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = async |path: &str, body: Value| tenant.api.post(path, body).await.expect(201);
    let account = id(&tenant.account("stub", "clinic").await);
    let member = json!({ "email": "ann@example.com", "role": "viewer" });
    let member = id(&made("/v1/members", member).await);
    let key = json!({ "name": "viewer", "role": "viewer" });
    let key = id(&made("/v1/keys", key).await);
    let order = json!({
        "name": "shop.ordered", "description": "An order was placed.",
        "schema": { "type": "object" }, "example": {},
    });
    made("/v1/event-types", order).await;
    let plan = app.operator.put("/v1/plans/wards", json!({})).await;
    plan.expect(201);
    let write = json!({ "provider": "stub", "slug": "clinic", "auth": [{ "type": "token" }] });
    for (api, path, method, body) in [
        (
            &tenant.api,
            format!("/v1/provider-accounts/{account}"),
            "PUT",
            write,
        ),
        (
            &tenant.api,
            format!("/v1/members/{member}"),
            "PATCH",
            json!({ "name": "Ann" }),
        ),
        (
            &tenant.api,
            format!("/v1/keys/{key}"),
            "DELETE",
            Value::Null,
        ),
        (
            &tenant.api,
            "/v1/event-types/shop.ordered".to_owned(),
            "PATCH",
            json!({ "deprecated": true }),
        ),
        (
            &app.operator,
            format!("/v1/tenants/{}", tenant.id),
            "PATCH",
            json!({ "name": "New" }),
        ),
        (
            &app.operator,
            "/v1/plans/wards".to_owned(),
            "PUT",
            json!({ "webhooks": 3 }),
        ),
    ] {
        let seen = tag(&api.get(&path).await);
        app.clock.advance(Duration::from_millis(1));
        let done = on(api, method, &path, &seen, &body).await;
        assert!((200..300).contains(&done.status), "{path}: {done}");
        let again = on(api, method, &path, &seen, &body).await;
        again.expect_problem(412, "precondition_failed");
    }
}

#[tokio::test]
async fn a_change_that_would_make_what_is_not_there_is_refused_on_any_condition() {
    let app = TestApp::start().await;
    let path = "/v1/plans/wards";
    app.operator.put(path, json!({})).await.expect(201);
    let seen = tag(&app.operator.get(path).await);
    let body = json!({ "webhooks": 3 });
    let any = on(&app.operator, "PUT", path, "*", &body).await;
    any.expect(200);
    let now = tag(&app.operator.get(path).await);
    let old = on(&app.operator, "DELETE", path, &seen, &Value::Null).await;
    old.expect_problem(412, "precondition_failed");
    let gone = on(&app.operator, "DELETE", path, &now, &Value::Null).await;
    gone.expect(204);
    for tag in [seen.as_str(), "*"] {
        let refused = on(&app.operator, "PUT", path, tag, &body).await;
        refused.expect_problem(412, "precondition_failed");
    }
    let missing = app.operator.get(path).await;
    missing.expect_problem(404, "not_found");
}

/// A tag goes by what people make of a thing. What is counted of it makes another answer, and the same version.
#[tokio::test]
async fn what_is_delivered_meanwhile_does_not_stand_in_the_way_of_a_change() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let webhook = tenant.webhook(&endpoint, &["*"]).await;
    let path = format!("/v1/webhooks/{}", webhook.id);
    let seen = tag(&tenant.api.get(&path).await);
    tenant.publish("job.created", json!({})).await;
    let is_counted = |found: &Value| found["health"]["delivered"] == 1;
    tenant.api.get_until(&path, is_counted, SOON).await;
    let now = tag(&tenant.api.get(&path).await);
    assert_ne!(seen, now, "the answer is another one");
    on(
        &tenant.api,
        "PATCH",
        &path,
        &seen,
        &json!({ "name": "still" }),
    )
    .await
    .expect(200);
}

/// Another tenant's thing is not there, whatever one says to have seen of it.
#[tokio::test]
async fn a_condition_tells_nothing_of_what_is_another_tenants() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let path = made(&tenant).await;
    let seen = tag(&tenant.api.get(&path).await);
    for tag in [seen.as_str(), "\"another\"", "*"] {
        on(&other.api, "DELETE", &path, tag, &Value::Null)
            .await
            .expect_problem(404, "not_found");
    }
    on(&tenant.api, "DELETE", &path, &seen, &Value::Null)
        .await
        .expect(204);
}

#[test]
fn the_document_says_which_changes_take_a_condition() {
    let document = document();
    let mut takes = 0;
    for operation in operations(&document) {
        let is_change = ["put", "patch", "delete"].contains(&operation.method);
        let parameters = operation.parameters().into_iter();
        let has = parameters.filter(|one| one["name"] == "If-Match").count();
        let refused = &operation.said["responses"]["412"];
        assert_eq!(has == 1, !refused.is_null(), "{}", operation.name());
        assert_eq!(has == 1, is_change, "{}", operation.name());
        if has == 1 {
            let refused = resolved(&document, refused).to_string();
            assert!(refused.contains("precondition_failed"), "{refused}");
            takes += 1;
        }
    }
    assert!(takes >= 8, "{takes}");
}
