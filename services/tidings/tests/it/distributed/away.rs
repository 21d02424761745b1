//! The API while its database does not answer, or is not there.

use super::{behind_proxy, launch, set_up};
use crate::app::SOON;
use crate::servers::Servers;
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::{Answer, Api, Endpoint, eventually};

/// How soon it is known.
const KNOWN_WITHIN: Duration = Duration::from_secs(8);
/// What is at once, on a machine that has more to do.
const AT_ONCE: Duration = Duration::from_millis(500);

async fn timed(ask: impl Future<Output = Answer>) -> (Answer, Duration) {
    let asked = Instant::now();
    let answer = ask.await;
    (answer, asked.elapsed())
}

/// Everybody is told at once: who reads, who writes, and whose key nobody can look up now.
async fn assert_away(tenant: &Api) {
    let unknown = tenant.with_key("tk_live_unknown");
    for _ in 0..5 {
        let event = json!({ "type": "job.created", "data": {} });
        let webhook = json!({ "url": "https://clinic.example.com/", "events": ["*"] });
        let keyed = [("idempotency-key", "k")];
        let answers = [
            timed(tenant.get("/v1/messages")).await,
            timed(tenant.post("/v1/events", event)).await,
            timed(tenant.post_with_headers("/v1/webhooks", &keyed, webhook)).await,
            timed(unknown.get("/v1/messages")).await,
        ];
        for (answer, waited) in answers {
            answer.expect_problem(503, "unavailable");
            assert!(answer.header("retry-after").is_some(), "{answer}");
            assert!(waited < AT_ONCE, "{waited:?}");
        }
    }
    tenant.get("/openapi.json").await.expect(200);
}

#[tokio::test]
async fn while_the_database_hangs_or_is_gone_the_api_says_so_at_once_and_serves_when_it_is_back() {
    let Some(mut servers) = Servers::find().await else {
        return;
    };
    let postgres = behind_proxy(&mut servers.database).await;
    let root = tempfile::tempdir().unwrap();
    let process = launch(&servers, root.path(), &[]).start().await;
    let endpoint = Endpoint::start().await;
    let tenant = set_up(&process.api_url(), &endpoint).await;
    let is_away = async || {
        eventually("it is known", KNOWN_WITHIN, async || {
            let (answer, waited) = timed(tenant.get("/v1/messages")).await;
            (answer.status == 503 && waited < AT_ONCE).then_some(())
        })
        .await;
    };
    let works = async || {
        eventually("it works", SOON, async || {
            let event = json!({ "type": "job.created", "data": {} });
            let published = tenant.post("/v1/events", event).await;
            let read = tenant.get("/v1/messages").await;
            (published.status == 202 && read.status == 200).then_some(())
        })
        .await;
    };
    // What reads when it begins does not wait longer than it takes to know.
    postgres.freeze();
    let (read, waited) = timed(tenant.get("/v1/messages")).await;
    read.expect_problem(503, "unavailable");
    assert!(waited < KNOWN_WITHIN, "{waited:?}");
    is_away().await;
    assert_away(&tenant).await;
    postgres.heal().await;
    works().await;

    postgres.cut();
    is_away().await;
    assert_away(&tenant).await;
    postgres.heal().await;
    works().await;
}
