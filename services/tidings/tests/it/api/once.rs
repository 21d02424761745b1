//! Requests under an `Idempotency-Key`, whatever they ask for: done once, answered as often as they are sent.

use super::belongings;
use super::document::{document, operations, resolved};
use super::{id, ids, place};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, eventually};

const KEY: &str = "idempotency-key";
const JSON: (&str, &str) = ("content-type", "application/json");
const WEBHOOKS: &str = "/v1/webhooks";
/// How many callers go away.
const GOING_AWAY: u64 = 60;

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

fn webhook() -> Value {
    json!({ "url": "https://clinic.example.com/hook", "events": ["*"] })
}

async fn post(tenant: &Tenant, path: &str, key: &str, body: &Value) -> Answer {
    tenant
        .api
        .post_with_headers(path, &[(KEY, key)], body)
        .await
}

/// What asks for its caller by itself has nobody whose key it could be.
fn is_somebodys(said: &Value) -> bool {
    said["security"] != json!([])
}

/// Who asks is known only from what these are sent; ADR 0048 says why that is enough.
const WITHOUT: [&str; 2] = ["post /v1/oauth/token", "post /v1/console-links/exchange"];

#[test]
fn every_post_says_that_it_takes_a_key() {
    let document = document();
    for name in WITHOUT {
        let is_there = operations(&document).iter().any(|one| one.name() == name);
        assert!(is_there, "{name}");
    }
    for operation in operations(&document) {
        let parameters = operation.parameters().into_iter();
        let takes = parameters
            .filter(|parameter| parameter["name"] == "Idempotency-Key")
            .count();
        let should = operation.method == "post" && !WITHOUT.contains(&operation.name().as_str());
        assert_eq!(
            should,
            operation.method == "post" && is_somebodys(&operation.said)
        );
        assert_eq!(takes, usize::from(should), "{}", operation.name());
        if should {
            let refused = &operation.said["responses"]["422"];
            let refused = resolved(&document, refused).to_string();
            assert!(refused.contains("idempotency_mismatch"), "{refused}");
        }
    }
}

#[tokio::test]
async fn every_post_is_answered_the_same_when_it_is_sent_again() {
    let app = belongings::app().await;
    let (tenant, has) = belongings::of_new_tenant(&app, "Clinic", "clinic-ke").await;
    let document = document();
    let mut done = 0;
    for operation in operations(&document) {
        if operation.method != "post" || !is_somebodys(&operation.said) {
            continue;
        }
        let path = has.path(&document, &operation);
        let path = path.unwrap_or_else(|| operation.path.clone());
        let body = place::example(&document, &operation);
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let headers = [(KEY, "the same"), JSON];
        let send = || tenant.api.request("POST", &path, &headers, body.clone());
        let (first, second) = (send().await, send().await);
        let name = operation.name();
        assert!(!is_replayed(&first), "{name}: {first}");
        assert_eq!(second.status, first.status, "{name}: {first} {second}");
        if first.status < 300 {
            assert!(is_replayed(&second), "{name}: {second}");
            assert_eq!(second.text, first.text, "{name}");
            assert_eq!(second.header("content-type"), first.header("content-type"));
            let other = tenant
                .api
                .request("POST", &path, &headers, format!("{body} "));
            other.await.expect_problem(422, "idempotency_mismatch");
            done += 1;
        }
    }
    assert!(done > 12, "{done}");
}

#[tokio::test]
async fn what_is_made_is_made_once_and_its_secret_is_told_again() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let first = post(&tenant, WEBHOOKS, "k", &webhook()).await;
    let made = first.expect(201);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let other = json!({ "url": "https://clinic.example.com/other", "events": ["*"] });
    post(&tenant, WEBHOOKS, "k", &other)
        .await
        .expect_problem(422, "idempotency_mismatch");
    app.restart().await;
    let tenant = app.again(&tenant);
    app.clock.advance(Duration::from_mins(24 * 60 - 1));
    let again = post(&tenant, WEBHOOKS, "k", &webhook()).await;
    assert!(is_replayed(&again), "{again}");
    assert_eq!((again.status, &again.text), (201, &first.text));
    // Nobody did anything the second time.
    let entries = tenant.api.get("/v1/audit?action=webhook.created").await;
    assert_eq!(ids(&entries.expect(200)).len(), 1);
    // The secret is nowhere to be read in what is kept.
    let secret = made["secret"].as_str().unwrap();
    assert!(!app.store_holds(secret).await);
    app.clock.advance(Duration::from_mins(2));
    let later = post(&tenant, WEBHOOKS, "k", &webhook()).await;
    assert!(!is_replayed(&later), "{later}");
    let page = tenant.api.get(WEBHOOKS).await.expect(200);
    assert_eq!(ids(&page), [id(&later.expect(201)), id(&made)]);
}

#[tokio::test]
async fn of_ten_at_once_one_is_done() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = webhook();
    let all = (0..10).map(|_| post(&tenant, WEBHOOKS, "k", &body));
    let answers = futures_util::future::join_all(all).await;
    let made = answers.iter().filter(|answer| answer.status == 201);
    let made: Vec<_> = made.map(|answer| id(&answer.body)).collect();
    assert!(!made.is_empty() && made.iter().all(|one| *one == made[0]));
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "in_flight");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let page = tenant.api.get(WEBHOOKS).await.expect(200);
    assert_eq!(ids(&page), [made[0].clone()]);
}

#[tokio::test]
async fn who_goes_away_in_the_middle_and_asks_again_is_answered() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let body = webhook();
    let keys: Vec<String> = (0..GOING_AWAY)
        .map(|number| format!("k-{number}"))
        .collect();
    for (key, number) in keys.iter().zip(0..) {
        let connection = tenant.begin(WEBHOOKS, Some(key), &body).await;
        // Sooner or later.
        tokio::time::sleep(Duration::from_millis(number % 6)).await;
        connection.reset();
    }
    let mut made = Vec::new();
    for key in &keys {
        let answer = eventually("it is answered", SOON, async || {
            let answer = post(&tenant, WEBHOOKS, key, &body).await;
            match answer.status {
                201 => Ok(answer),
                _ => Err(answer.to_string()),
            }
        });
        made.push(id(&answer.await.body));
    }
    let page = tenant.api.get("/v1/webhooks?limit=100").await.expect(200);
    let mut all = ids(&page);
    all.sort();
    made.sort();
    assert_eq!(all, made);
}

#[tokio::test]
async fn a_key_is_one_tenants_on_one_path_and_a_refused_request_has_used_none() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    post(&tenant, WEBHOOKS, "k", &json!({}))
        .await
        .expect_problem(422, "invalid_request");
    let made = id(&post(&tenant, WEBHOOKS, "k", &webhook()).await.expect(201));
    let theirs = post(&other, WEBHOOKS, "k", &webhook()).await;
    assert_ne!(id(&theirs.expect(201)), made);
    let path = format!("{WEBHOOKS}/{made}/disable");
    let elsewhere = post(&tenant, &path, "k", &json!({})).await;
    assert!(
        elsewhere.status == 200 && !is_replayed(&elsewhere),
        "{elsewhere}"
    );
    let unknown = tenant.api.with_key("tk_live_wrong");
    let unknown = unknown.post_with_headers(WEBHOOKS, &[(KEY, "k")], webhook());
    unknown.await.expect_problem(401, "unauthorized");
    for bad in ["", &"k".repeat(256), "é"] {
        post(&tenant, WEBHOOKS, bad, &webhook())
            .await
            .expect_problem(422, "invalid_request");
    }
}

/// As after a death between the effect and the answer, and between the claim and the effect.
#[tokio::test]
async fn what_was_done_is_not_done_again_though_nobody_knows_its_answer() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let made = id(&post(&tenant, WEBHOOKS, "k", &webhook()).await.expect(201));
    app.change_store("update requests set answer = null").await;
    post(&tenant, WEBHOOKS, "k", &webhook())
        .await
        .expect_problem(409, "in_flight");
    app.clock.advance(Duration::from_secs(61));
    post(&tenant, WEBHOOKS, "k", &webhook())
        .await
        .expect_problem(409, "conflict");
    let page = tenant.api.get(WEBHOOKS).await.expect(200);
    assert_eq!(ids(&page), [made]);
    // Where nothing was done, it is done now.
    let undone = "update requests set is_done = (1 = 0)";
    app.change_store(undone).await;
    let done = post(&tenant, WEBHOOKS, "k", &webhook()).await;
    assert!(!is_replayed(&done), "{done}");
    let page = tenant.api.get(WEBHOOKS).await.expect(200);
    assert_eq!(ids(&page).len(), 2);
}

#[tokio::test]
async fn an_erasure_takes_the_answers_that_are_kept() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("stub", "clinic").await;
    let message = json!({
        "provider_account": "clinic", "provider_message_id": "m-1", "to": super::PHONE,
    });
    post(&tenant, "/v1/messages", "k", &message)
        .await
        .expect(201);
    let phone = json!({ "phone": super::PHONE });
    tenant.api.post("/v1/erasures", phone).await.expect(200);
    app.clock.advance(Duration::from_secs(61));
    post(&tenant, "/v1/messages", "k", &message)
        .await
        .expect_problem(409, "conflict");
}
