//! How fast is sent: limits of webhooks, breakers before endpoints that are down, and what hosts bear.

mod neighbours;
mod tenants;

use crate::app::{SOON, Tenant, TestApp, Webhook};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, Endpoint, Process, Reply, eventually};

/// Longer than what may be sent takes to be sent.
const A_MOMENT: Duration = Duration::from_millis(700);

async fn webhook(tenant: &Tenant, url: &str, settings: Value) -> Webhook {
    let mut body = json!({ "url": url, "events": ["*"] });
    let members = settings.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    Webhook {
        id: made["id"].as_str().unwrap().to_owned(),
        secret: made["secret"].as_str().unwrap().to_owned(),
    }
}

async fn publish(tenant: &Tenant, number: usize) {
    for n in 0..number {
        tenant.publish("job.created", json!({ "n": n })).await;
    }
}

async fn all_delivered(tenant: &Tenant, webhook: &Webhook, number: usize) -> Vec<Value> {
    let wanted =
        |all: &[Value]| all.len() == number && all.iter().all(|one| one["state"] == "delivered");
    tenant.wait_for_deliveries(webhook, wanted).await
}

async fn breaker(tenant: &Tenant, webhook: &Webhook, state: &str) {
    let path = format!("/v1/webhooks/{}", webhook.id);
    let stands = |found: &Value| found["health"]["breaker"] == state;
    tenant.api.get_until(&path, stands, SOON).await;
}

fn attempts(all: &[Value]) -> usize {
    let of = |one: &Value| one["attempts"].as_array().unwrap().len();
    all.iter().map(of).sum()
}

#[tokio::test]
async fn no_more_is_sent_in_a_minute_than_the_limit_and_the_rest_waits_unharmed() {
    let mut app = TestApp::start().await;
    let mut tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let limited = webhook(
        &tenant,
        &endpoint.url("/limited"),
        json!({ "rate_limit": { "per_minute": 3, "per_hour": 7 } }),
    )
    .await;
    let free = webhook(&tenant, &endpoint.url("/free"), json!({})).await;
    let sent = || {
        let hits = endpoint.hits();
        hits.iter().filter(|hit| hit.path == "/limited").count()
    };
    publish(&tenant, 9).await;
    all_delivered(&tenant, &free, 9).await;
    endpoint.wait_for(12, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(sent(), 3);
    let waiting = tenant
        .wait_for_deliveries(&limited, |all| all.len() == 9)
        .await;
    assert_eq!(attempts(&waiting), 3, "their budgets are untouched");
    // Whoever has the shard next knows of it.
    app.restart().await;
    tenant = app.again(&tenant);
    app.clock.advance(Duration::from_secs(30));
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(sent(), 3);
    app.clock.advance(Duration::from_secs(50));
    endpoint.wait_for(15, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(sent(), 6);
    // From here on it is the limit of the hour.
    app.clock.advance(Duration::from_secs(80));
    endpoint.wait_for(16, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(sent(), 7);
    app.clock.advance(Duration::from_secs(3_700));
    let all = all_delivered(&tenant, &limited, 9).await;
    assert_eq!(attempts(&all), 9);
}

#[tokio::test]
async fn a_limit_that_is_raised_holds_at_once_also_where_the_old_one_is_used_up() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let limited = json!({ "rate_limit": { "per_hour": 2 } });
    let limited = webhook(&tenant, &endpoint.url("/hook"), limited).await;
    publish(&tenant, 5).await;
    endpoint.wait_for(2, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 2);
    let path = format!("/v1/webhooks/{}", limited.id);
    let raised = json!({ "rate_limit": { "per_hour": 4 } }).to_string();
    let json = [("content-type", "application/json")];
    let changed = tenant.api.request("PATCH", &path, &json, raised).await;
    changed.expect(200);
    endpoint.wait_for(4, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 4);
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_left_alone_and_what_waits_keeps_its_budget() {
    let mut app = TestApp::start().await;
    let mut tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Status(503));
    let down = webhook(&tenant, &endpoint.url("/hook"), json!({})).await;
    publish(&tenant, 10).await;
    breaker(&tenant, &down, "open").await;
    endpoint.wait_for(10, SOON).await;
    // A lease runs out before the clock is there: what is not recorded by then is made again.
    tenant
        .wait_for_deliveries(&down, |all| attempts(all) == 10)
        .await;
    // Their retries are due, and new ones come.
    app.clock.advance(Duration::from_secs(10));
    publish(&tenant, 5).await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 10);
    // Whoever has the shard next goes on with it.
    app.restart().await;
    tenant = app.again(&tenant);
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 10);
    let waiting = tenant
        .wait_for_deliveries(&down, |all| all.len() == 15)
        .await;
    assert_eq!(attempts(&waiting), 10);
    eventually("the breaker is counted", SOON, async || {
        let text = app.admin.get("/metrics").await.text;
        text.contains("tidings_breakers{state=\"open\"} 1\n")
            .then_some(())
    })
    .await;
    // One attempt shows that it is still down.
    app.clock.advance(Duration::from_secs(25));
    endpoint.wait_for(11, SOON).await;
    breaker(&tenant, &down, "open").await;
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(endpoint.hits().len(), 11);
    // One shows that it is there again, and everything follows.
    endpoint.answer_with(Reply::Status(200));
    app.clock.advance(Duration::from_secs(31));
    let all = all_delivered(&tenant, &down, 15).await;
    assert_eq!(attempts(&all), 10 + 1 + 15);
    breaker(&tenant, &down, "closed").await;
}

#[tokio::test]
async fn what_an_endpoint_refuses_does_not_open_its_breaker() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Status(404));
    let refusing = webhook(&tenant, &endpoint.url("/hook"), json!({})).await;
    publish(&tenant, 12).await;
    endpoint.wait_for(12, SOON).await;
    tenant
        .wait_for_deliveries(&refusing, |all| attempts(all) == 12)
        .await;
    app.clock.advance(Duration::from_secs(2));
    endpoint.wait_for(24, SOON).await;
    breaker(&tenant, &refusing, "closed").await;
}

#[tokio::test]
async fn a_host_gets_no_more_at_once_than_it_is_given_and_other_hosts_do_not_wait() {
    let app = TestApp::start_with(&[("TIDINGS_EGRESS__MAX_PER_HOST", "3")]).await;
    let (one, two) = (app.tenant("One").await, app.tenant("Two").await);
    let [endpoint, beside] = [Endpoint::start().await, Endpoint::start().await];
    let pause = Duration::from_millis(400);
    endpoint.answer_with(Reply::Delay(pause, 200));
    let first = webhook(&one, &endpoint.url("/one"), json!({})).await;
    let second = webhook(&two, &endpoint.url("/two"), json!({})).await;
    let elsewhere = format!("http://localhost:{}/hook", beside.port());
    let other = webhook(&two, &elsewhere, json!({})).await;
    publish(&one, 9).await;
    publish(&two, 6).await;
    beside.wait_for(6, SOON).await;
    assert!(endpoint.hits().len() < 15, "they are still at it");
    all_delivered(&two, &other, 6).await;
    all_delivered(&one, &first, 9).await;
    all_delivered(&two, &second, 6).await;
    let hits = endpoint.hits();
    for (hit, three_later) in hits.iter().zip(&hits[3..]) {
        let apart = three_later.at.duration_since(hit.at);
        assert!(apart + Duration::from_millis(50) >= pause, "{apart:?}");
    }
}

#[tokio::test]
async fn a_webhook_whose_secret_cannot_be_opened_waits_until_it_has_another() {
    let mut app = TestApp::start().await;
    let mut tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let broken = webhook(
        &tenant,
        &endpoint.url("/broken"),
        json!({ "name": "broken" }),
    )
    .await;
    let sound = webhook(&tenant, &endpoint.url("/sound"), json!({ "name": "sound" })).await;
    let swap = "update subscriptions set secret = \
        (select secret from subscriptions where name = 'sound') where name = 'broken'";
    assert_eq!(app.change_store(swap).await, 1);
    app.restart().await;
    tenant = app.again(&tenant);
    publish(&tenant, 3).await;
    all_delivered(&tenant, &sound, 3).await;
    tokio::time::sleep(A_MOMENT).await;
    let waiting = tenant
        .wait_for_deliveries(&broken, |all| all.len() == 3)
        .await;
    assert_eq!(attempts(&waiting), 0);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = json!({ "url": endpoint.url("/broken"), "events": ["*"], "secret": secret });
    let path = format!("/v1/webhooks/{}", broken.id);
    tenant.api.put(&path, body).await.expect(200);
    let all = all_delivered(&tenant, &broken, 3).await;
    assert_eq!(attempts(&all), 3);
}

/// The real process, killed while it sends: what it sent and nobody recorded counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_grants_no_more_than_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start().await;
    // Those under way when it is killed are recorded by nobody.
    endpoint.answer_with(Reply::Delay(Duration::from_secs(1), 200));
    let program = Path::new(env!("CARGO_BIN_EXE_tidings"));
    let mut process = Process::start(program, directory.path(), &[]).await;
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let tenant = json!({ "name": "Clinic" });
    let made = operator.post("/v1/tenants", tenant).await.expect(201);
    let api = operator.with_key(made["api_key"].as_str().unwrap());
    let limited = json!({ "url": endpoint.url("/hook"), "events": ["*"], "max_in_flight": 4,
        "rate_limit": { "per_minute": 6 } });
    api.post("/v1/webhooks", limited).await.expect(201);
    for n in 0..20 {
        let event = json!({ "type": "job.created", "data": { "n": n } });
        api.post("/v1/events", event).await.expect(202);
    }
    endpoint.wait_for(3, SOON).await;
    for _ in 0..2 {
        process.kill();
        process = Process::start(program, directory.path(), &[]).await;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert!(endpoint.hits().len() <= 6, "{}", endpoint.hits().len());
    }
    assert!(endpoint.hits().len() >= 4);
}
