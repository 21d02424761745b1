//! Members, and the links that let them into the console.

use super::{faults, key_path, make_key, text, with};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Api, Endpoint};

const EXCHANGE: &str = "/v1/console-links/exchange";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn add(tenant: &Tenant, email: &str, role: &str) -> Value {
    let body = json!({ "email": email, "role": role, "name": "Ann" });
    tenant.api.post("/v1/members", body).await.expect(201)
}

async fn exchange(tenant: &Tenant, link: &Value) -> Answer {
    let url = link["url"].as_str().unwrap();
    let (_, carried) = url.split_once("/console#link=").unwrap();
    let anonymous = Api::anonymous(tenant.api.base_url());
    anonymous.post(EXCHANGE, json!({ "token": carried })).await
}

fn path(member: &Value) -> String {
    format!("/v1/members/{}", member["id"].as_str().unwrap())
}

#[tokio::test]
async fn members_are_added_changed_and_removed_and_their_coming_is_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["user.*"]).await;
    let ann = add(&tenant, "Ann@Example.com", "developer").await;
    assert_eq!(ann["email"], "ann@example.com");
    let told = endpoint.wait_for(1, SOON).await[0].json();
    assert_eq!(told["type"], "user.created");
    assert_eq!(told["source"], "tidings");
    assert_eq!(
        told["resource"],
        json!({ "type": "member", "id": ann["id"] })
    );
    let data = json!({
        "member_id": ann["id"], "email": "ann@example.com", "name": "Ann", "role": "developer",
    });
    assert_eq!(told["data"], data);
    // The same type may be published of a platform's own users; its source tells them apart.
    let own = json!({ "type": "user.created", "data": { "user": 7 } });
    tenant.api.post("/v1/events", own).await.expect(202);
    let forged = json!({ "type": "user.created", "data": {}, "source": "tidings" });
    let refused = tenant.api.post("/v1/events", forged).await;
    let refused = refused.expect_problem(422, "invalid_request");
    assert_eq!(faults(&refused), ["/source"]);

    let again = json!({ "email": "ANN@example.com", "role": "viewer" });
    let refused = tenant.api.post("/v1/members", again).await;
    refused.expect_problem(409, "conflict");
    assert_eq!(tenant.api.get(&path(&ann)).await.expect(200), ann);
    let page = tenant.api.get("/v1/members").await.expect(200);
    assert_eq!(page, json!({ "data": [ann], "next_cursor": null }));
    let change = async |body: Value| {
        let body = body.to_string();
        tenant
            .api
            .request("PATCH", &path(&ann), &[JSON], body)
            .await
    };
    let changed = change(json!({ "role": "viewer", "name": null }))
        .await
        .expect(200);
    assert_eq!(
        (&changed["role"], &changed["name"]),
        (&"viewer".into(), &Value::Null)
    );
    for (body, pointer) in [
        (json!({ "role": "king" }), "/role"),
        (json!({ "role": null }), "/role"),
        (json!({ "name": "" }), "/name"),
        (json!({ "email": "b@example.com" }), "/email"),
    ] {
        let answer = change(body).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(faults(&problem), [pointer], "{answer}");
    }
    for wrong in [
        "",
        "ann",
        "@example.com",
        "a@",
        "a b@c.d",
        "a@b@c",
        "<a@b.c>",
    ] {
        let body = json!({ "email": wrong, "role": "viewer" });
        let problem = tenant.api.post("/v1/members", body).await;
        let problem = problem.expect_problem(422, "invalid_request");
        assert_eq!(faults(&problem), ["/email"], "{wrong}");
    }
    assert_eq!(tenant.api.delete(&path(&ann)).await.status, 204);
    let gone = tenant.api.get(&path(&ann)).await;
    gone.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_link_lets_its_member_in_once() {
    let app = TestApp::start_with(&[(
        "TIDINGS_SUBSCRIPTIONS__PUBLIC_URL",
        "https://api.example.com",
    )])
    .await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.webhook(&endpoint, &["user.login"]).await;
    let ann = add(&tenant, "ann@example.com", "viewer").await;
    let body = json!({ "member_id": ann["id"] });
    let answer = tenant.api.post("/v1/console-links", body.clone()).await;
    let link = answer.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let url = link["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://api.example.com/console#link=lnk_"),
        "{url}"
    );
    let entered = exchange(&tenant, &link).await.expect(201);
    assert_eq!(entered["token_type"], "Bearer");
    assert_eq!(entered["tenant_id"], tenant.id);
    assert_eq!(entered["member"]["id"], ann["id"]);
    assert!(entered["member"]["last_login_at"].is_string());
    let refused = exchange(&tenant, &link).await;
    refused.expect_problem(401, "unauthorized");
    let told = endpoint.wait_for(1, SOON).await[0].json();
    assert_eq!(
        (&told["type"], &told["data"]["member_id"]),
        (&"user.login".into(), &ann["id"])
    );

    // The member does what the role says, now.
    let api = tenant.api.with_key(&text(&entered, "access_token"));
    api.get("/v1/webhooks").await.expect(200);
    api.get("/v1/keys").await.expect_problem(403, "forbidden");
    let role = json!({ "role": "publisher" }).to_string();
    let changed = tenant
        .api
        .request("PATCH", &path(&ann), &[JSON], role)
        .await;
    changed.expect(200);
    api.get("/v1/webhooks")
        .await
        .expect_problem(403, "forbidden");
    app.clock.advance(Duration::from_hours(8));
    api.get("/v1/tenant")
        .await
        .expect_problem(401, "unauthorized");

    // A link ends by itself, with its member, and with the key that made it.
    let body = json!({ "email": "ANN@example.com", "expires_in": 60 });
    let late = tenant.api.post("/v1/console-links", body.clone()).await;
    let late = late.expect(201);
    app.clock.advance(Duration::from_secs(61));
    let refused = exchange(&tenant, &late).await;
    refused.expect_problem(401, "unauthorized");
    let key = make_key(&tenant, "owner").await;
    let made = with(&tenant, &key).post("/v1/console-links", &body).await;
    let (unused, used) = (
        made.expect(201),
        with(&tenant, &key)
            .post("/v1/console-links", &body)
            .await
            .expect(201),
    );
    let entered = exchange(&tenant, &used).await.expect(201);
    let api = tenant.api.with_key(&text(&entered, "access_token"));
    api.get("/v1/tenant").await.expect(200);
    assert_eq!(tenant.api.delete(&key_path(&key)).await.status, 204);
    let refused = exchange(&tenant, &unused).await;
    refused.expect_problem(401, "unauthorized");
    api.get("/v1/tenant")
        .await
        .expect_problem(401, "unauthorized");
    let last = tenant
        .api
        .post("/v1/console-links", &body)
        .await
        .expect(201);
    assert_eq!(tenant.api.delete(&path(&ann)).await.status, 204);
    let refused = exchange(&tenant, &last).await;
    refused.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_link_names_one_member_and_lasts_minutes() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let ann = add(&tenant, "ann@example.com", "viewer").await;
    for (body, pointer) in [
        (json!({}), ""),
        (
            json!({ "member_id": ann["id"], "email": "ann@example.com" }),
            "",
        ),
        (json!({ "member_id": "mem_0" }), "/member_id"),
        (json!({ "email": "bob@example.com" }), "/email"),
        (
            json!({ "email": "ann@example.com", "expires_in": 601 }),
            "/expires_in",
        ),
        (
            json!({ "email": "ann@example.com", "expires_in": 0 }),
            "/expires_in",
        ),
        (
            json!({ "email": "ann@example.com", "role": "owner" }),
            "/role",
        ),
    ] {
        let answer = tenant.api.post("/v1/console-links", body).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(faults(&problem), [pointer], "{answer}");
    }
    let anonymous = Api::anonymous(tenant.api.base_url());
    for wrong in ["", "lnk_", "lnk_guess", &tenant.key] {
        let answer = anonymous.post(EXCHANGE, json!({ "token": wrong })).await;
        answer.expect_problem(401, "unauthorized");
    }
    let answer = anonymous.post(EXCHANGE, json!({ "link": "lnk_x" })).await;
    answer.expect_problem(422, "invalid_request");
}
