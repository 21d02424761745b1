//! Two replicas of the API: what ends at one ends at the other.

use super::launch;
use crate::servers::Servers;
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::{ADMIN_KEY, Api, eventually};

/// How soon every node knows.
const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_is_revoked_or_suspended_at_one_replica_ends_at_the_other_within_five_seconds() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let replica = |name: &str| launch(&servers, &root.path().join(name), &["subscriptions"]);
    let (one, two) = tokio::join!(replica("one").start(), replica("two").start());
    let operator = Api::new(&one.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await;
    let made = made.expect(201);
    let owner = operator.with_key(made["api_key"].as_str().unwrap());
    let body = json!({ "name": "a", "role": "viewer" });
    let key = owner.post("/v1/keys", body).await.expect(201);
    let (id, secret) = (
        key["id"].as_str().unwrap(),
        key["api_key"].as_str().unwrap(),
    );
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let elsewhere = Api::anonymous(&two.api_url());
    let granted = elsewhere
        .request("POST", "/v1/oauth/token", &headers, form)
        .await;
    let token = granted.expect(200)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = [elsewhere.with_key(secret), elsewhere.with_key(&token)];
    for api in &shown {
        api.get("/v1/events").await.expect(200);
    }
    assert_eq!(owner.delete(&format!("/v1/keys/{id}")).await.status, 204);
    let revoked = Instant::now();
    for api in &shown {
        eventually("it opens nothing", WITHIN, async || {
            (api.get("/v1/events").await.status == 401).then_some(())
        })
        .await;
    }
    assert!(revoked.elapsed() < WITHIN);

    let theirs = elsewhere.with_key(made["api_key"].as_str().unwrap());
    theirs.get("/v1/events").await.expect(200);
    let path = format!("/v1/tenants/{}", made["id"].as_str().unwrap());
    let suspended = operator.post(&format!("{path}/suspend"), json!({})).await;
    suspended.expect(200);
    eventually("it is suspended", WITHIN, async || {
        (theirs.get("/v1/events").await.status == 403).then_some(())
    })
    .await;
    assert_eq!(operator.delete(&path).await.status, 204);
    eventually("it is deleted", WITHIN, async || {
        (theirs.get("/v1/tenant").await.status == 401).then_some(())
    })
    .await;
}
