//! Tenants: read, changed, suspended, deleted.

use super::make_key;
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{Api, Endpoint, eventually};

const PHONE: &str = "+254700000001";
const JSON: (&str, &str) = ("content-type", "application/json");
const PLATFORM: &str = "/v1/tenants/ten_00000000000000000000000001";

async fn patch(api: &Api, path: &str, body: Value) -> testkit::Answer {
    api.request("PATCH", path, &[JSON], body.to_string()).await
}

async fn report(app: &TestApp, account: &str, id: &str) -> testkit::Answer {
    let path = format!("/v1/callbacks/{account}/reports");
    let body = stub_report(id, "DELIVRD", PHONE, None);
    app.ingress.post_raw(&path, &[JSON], body).await
}

#[tokio::test]
async fn the_operator_reads_and_changes_tenants_and_each_tenant_reads_its_own() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("North clinic").await, app.tenant("South").await);
    let own = one.api.get("/v1/tenant").await.expect(200);
    let expected = json!({
        "id": one.id, "name": "North clinic", "plan": "standard", "state": "active",
        "suspended_at": null, "created_at": own["created_at"],
        "limits": { "events_per_day": null, "webhooks": null, "rate_limit": null },
    });
    assert_eq!(own, expected);
    let path = format!("/v1/tenants/{}", one.id);
    assert_eq!(app.operator.get(&path).await.expect(200), own);
    one.api.get(&path).await.expect_problem(403, "forbidden");

    let listed = async |query: &str| {
        let page = app.operator.get(&format!("/v1/tenants{query}")).await;
        let page = page.expect(200);
        let names = page["data"].as_array().unwrap().iter();
        names
            .map(|tenant| tenant["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ["South", "North clinic", "platform"]);
    assert_eq!(listed("?limit=1").await, ["South"]);
    assert_eq!(listed("?name=South").await, ["South"]);
    assert_eq!(listed("?name_prefix=North").await, ["North clinic"]);
    assert_eq!(listed("?state=suspended").await, Vec::<String>::new());
    assert_eq!(listed("?plan=standard&state=active").await.len(), 3);
    for wrong in ["state=deleted", "plan=gold", "owner=a", "name_prefix=No"] {
        let answer = app.operator.get(&format!("/v1/tenants?{wrong}")).await;
        answer.expect_problem(422, "invalid_request");
    }
    let first = app.operator.get("/v1/tenants?limit=2").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        listed(&format!("?limit=2&cursor={cursor}")).await,
        ["platform"]
    );

    let changed = patch(&app.operator, &path, json!({ "name": "North" })).await;
    assert_eq!(changed.expect(200)["name"], "North");
    assert_eq!(one.api.get("/v1/tenant").await.expect(200)["name"], "North");
    assert_eq!(two.api.get("/v1/tenant").await.expect(200)["name"], "South");
    for (body, pointer) in [
        (json!({ "name": "" }), "/name"),
        (json!({ "name": null }), "/name"),
        (json!({ "plan": "gold" }), "/plan"),
        (json!({ "state": "active" }), "/state"),
    ] {
        let answer = patch(&app.operator, &path, body).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(super::faults(&problem), [pointer], "{answer}");
    }
    for unknown in ["ten_00000000000000000000000099", "evt_1"] {
        let path = format!("/v1/tenants/{unknown}");
        let none = app.operator.get(&path).await;
        none.expect_problem(404, "not_found");
        let none = app.operator.delete(&path).await;
        none.expect_problem(404, "not_found");
    }
    for action in ["suspend", "resume"] {
        let path = format!("{PLATFORM}/{action}");
        let refused = app.operator.post(&path, json!({})).await;
        refused.expect_problem(409, "conflict");
    }
    let refused = app.operator.delete(PLATFORM).await;
    refused.expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_suspended_tenant_is_told_so_its_callbacks_are_kept_and_its_deliveries_wait() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    tenant.publish("job.created", json!({})).await;
    endpoint.wait_for(1, SOON).await;
    let path = format!("/v1/tenants/{}", tenant.id);
    let suspended = app
        .operator
        .post(&format!("{path}/suspend"), json!({}))
        .await;
    let suspended = suspended.expect(200);
    assert_eq!(suspended["state"], "suspended");
    assert!(suspended["suspended_at"].is_string());
    // Again changes nothing.
    let again = app
        .operator
        .post(&format!("{path}/suspend"), json!({}))
        .await;
    assert_eq!(again.expect(200), suspended);

    let event = json!({ "type": "job.created", "data": {} });
    for answer in [
        tenant.api.get("/v1/webhooks").await,
        tenant.api.post("/v1/events", event).await,
    ] {
        let refused = answer.expect_problem(403, "forbidden");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("suspended"), "{detail}");
    }
    let mut own = tenant.api.get("/v1/tenant").await.expect(200);
    own.as_object_mut().unwrap().remove("limits");
    assert_eq!(own, suspended);

    report(&app, "clinic", "m-1").await.expect(200);
    let seen = format!("/v1/callbacks?tenant={}", tenant.id);
    let is_processed = |found: &Value| found["data"][0]["status"] == "processed";
    app.operator.get_until(&seen, is_processed, SOON).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(endpoint.hits().len(), 1, "what is owed waits");

    let resumed = app
        .operator
        .post(&format!("{path}/resume"), json!({}))
        .await;
    let resumed = resumed.expect(200);
    assert_eq!(
        (&resumed["state"], &resumed["suspended_at"]),
        (&"active".into(), &Value::Null)
    );
    let hits = endpoint.wait_for(2, SOON).await;
    assert_eq!(hits[1].json()["type"], "sms.delivered");
    tenant.wait_for_state(&message, "delivered").await;
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_at_once_and_its_rows_soon() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    for (of, slug) in [(&tenant, "clinic"), (&other, "other")] {
        of.account("stub", slug).await;
        of.message(slug, "m-1", PHONE).await;
    }
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["*"]).await;
    let second = make_key(&tenant, "viewer").await;
    report(&app, "clinic", "m-1").await.expect(200);
    endpoint.wait_for(1, SOON).await;
    let path = format!("/v1/tenants/{}", tenant.id);
    assert_eq!(app.operator.delete(&path).await.status, 204);

    let none = app.operator.delete(&path).await;
    none.expect_problem(404, "not_found");
    let none = app
        .operator
        .get(&format!("/v1/keys?tenant={}", tenant.id))
        .await;
    none.expect_problem(404, "not_found");
    for api in [&tenant.api, &super::with(&tenant, &second)] {
        api.get("/v1/tenant")
            .await
            .expect_problem(401, "unauthorized");
    }
    let unknown = report(&app, "nobody", "m-1").await.expect(401);
    eventually(
        "its account is unknown",
        Duration::from_secs(5),
        async || {
            let answer = report(&app, "clinic", "m-9").await;
            (answer.status == 401 && answer.body["detail"] == unknown["detail"]).then_some(())
        },
    )
    .await;
    app.clock.advance(Duration::from_mins(3));
    let left = async |table: &str| {
        let count = format!("update {table} set tenant_id = tenant_id");
        app.change_store(&count).await
    };
    eventually("its rows are removed", SOON * 3, async || {
        // One account, one key and one message are the other's.
        let of = [
            left("provider_accounts").await,
            left("api_keys").await,
            left("messages").await,
        ];
        if of == [1; 3] {
            Ok(())
        } else {
            Err(format!("{of:?}"))
        }
    })
    .await;
    for table in ["subscriptions", "deliveries"] {
        assert_eq!(left(table).await, 0, "{table}");
    }
    // What a process tells of itself meanwhile is the operator's.
    eventually("its events are removed", SOON, async || {
        let told = app.operator.get("/v1/events?limit=100").await.expect(200);
        let told = told["data"].as_array().unwrap().len();
        let found = left("events").await;
        if u64::try_from(told) == Ok(found) {
            Ok(())
        } else {
            Err(format!("{found} events, {told} of the operator"))
        }
    })
    .await;
    // Its name is free again, and the other one is as before.
    other.account("stub", "clinic").await;
    report(&app, "other", "m-1").await.expect(200);
    let found = other.api.get("/v1/messages").await.expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(endpoint.hits().len(), 1);
}

/// Whatever keeps the database from deleting a message that is referred to as stuck.
const STUCK: [&[&str]; 2] = [
    &[
        "create trigger stuck before delete on messages when old.client_reference = 'stuck' \
       begin select raise(abort, 'it is stuck'); end",
    ],
    &[
        "create function stuck() returns trigger language plpgsql as \
         $$ begin raise exception 'it is stuck'; end $$",
        "create trigger stuck before delete on messages for each row \
         when (old.client_reference = 'stuck') execute function stuck()",
    ],
];

#[tokio::test]
async fn a_deleted_tenant_that_cannot_be_cleared_holds_up_no_other() {
    let app = TestApp::start().await;
    // Deleted tenants are taken in the order in which they were made.
    let (stuck, other) = (app.tenant("Clinic").await, app.tenant("Other").await);
    stuck.account("stub", "stuck").await;
    let message = json!({ "provider_account": "stuck", "client_reference": "stuck", "to": PHONE });
    stuck.api.post("/v1/messages", message).await.expect(201);
    other.account("stub", "other").await;
    other.message("other", "m-1", PHONE).await;
    for statement in STUCK[usize::from(app.amqp().is_some())] {
        app.change_store(statement).await;
    }
    for tenant in [&stuck, &other] {
        let path = format!("/v1/tenants/{}", tenant.id);
        assert_eq!(app.operator.delete(&path).await.status, 204);
    }
    app.clock.advance(Duration::from_mins(3));
    let left = async || {
        app.change_store("update messages set tenant_id = tenant_id")
            .await
    };
    eventually("the other's are removed", SOON * 2, async || {
        (left().await == 1).then_some(())
    })
    .await;
    let on = if app.amqp().is_some() {
        " on messages"
    } else {
        ""
    };
    app.change_store(&format!("drop trigger stuck{on}")).await;
    eventually("it is cleared", SOON * 3, async || {
        (left().await == 0).then_some(())
    })
    .await;
}
