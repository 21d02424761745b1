//! Two pollers around one database.

use super::{PHONE, PROGRAM};
use crate::app::SOON;
use crate::servers::Servers;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, Endpoint, Hit, Launch, Process, Reply};

const KEY: &str = "the-key-of-the-status-api";
const ACCOUNTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const EACH: usize = 60;
const SETTINGS: [(&str, &str); 2] = [
    ("TIDINGS_POLLER__FIRST_POLL", "2s"),
    ("TIDINGS_POLLER__FIRST_POLL_FLOOR", "1s"),
];

async fn start(servers: &Servers, root: &Path, name: &str, roles: &[&str]) -> Process {
    let settings = servers.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(SETTINGS)
        .collect();
    let launch = Launch::new(PROGRAM, root.join(name)).settings(&settings);
    launch.roles(roles).start().await
}

/// An account whose provider knows all of its messages as delivered.
async fn make_account(tenant: &Api, provider: &Endpoint, slug: &str) {
    let ids = (0..EACH).map(|number| json!({ "messageId": id(slug, number), "status": "DELIVRD" }));
    let body = json!({ "messages": ids.collect::<Vec<Value>>() }).to_string();
    let known = Reply::with(200, &[("content-type", "application/json")], body);
    provider.answer_at(&format!("/{slug}/status"), known);
    let url = provider.url(&format!("/{slug}"));
    let body = json!({ "provider": "stub", "slug": slug,
        "auth": [{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }],
        "status_api": { "base_url": url, "key": KEY } });
    tenant.post("/v1/provider-accounts", body).await.expect(201);
}

fn id(slug: &str, number: usize) -> String {
    format!("{slug}-{number}")
}

/// How often each message was asked about.
fn asked(hits: &[Hit]) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for hit in hits {
        let (_, ids) = hit.path.split_once("ids=").unwrap();
        for id in ids.split(',') {
            *asked.entry(id.to_owned()).or_default() += 1;
        }
    }
    asked
}

#[tokio::test]
async fn two_pollers_ask_about_each_message_once_and_one_goes_on_when_the_other_ends() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let rest = ["ingress", "tracker", "dispatcher", "subscriptions"];
    let rest = start(&servers, root.path(), "rest", &rest).await;
    let one = start(&servers, root.path(), "one", &["poller"]).await;
    let other = start(&servers, root.path(), "other", &["poller"]).await;
    let provider = Endpoint::start().await;
    let operator = Api::new(&rest.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await;
    let tenant = operator.with_key(made.expect(201)["api_key"].as_str().unwrap());
    for slug in ACCOUNTS {
        make_account(&tenant, &provider, slug).await;
    }
    let register = async |slug: &str, number: usize| {
        let body = json!({ "provider_account": slug, "to": PHONE,
            "provider_message_id": id(slug, number) });
        tenant.post("/v1/messages", body).await.expect(201)
    };
    for number in 0..EACH - 1 {
        for slug in ACCOUNTS {
            register(slug, number).await;
        }
    }
    let all = ACCOUNTS.len() * (EACH - 1);
    let hits = provider
        .wait_until(|hits| asked(hits).len() == all, SOON * 3)
        .await;
    let twice: Vec<_> = asked(&hits)
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
    let none_pending = |found: &Value| found["data"].as_array().unwrap().is_empty();
    tenant
        .get_until("/v1/messages?state=pending", none_pending, SOON)
        .await;

    // One ends politely: its accounts are free at once.
    let status = one.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{}", one.log());
    for slug in ACCOUNTS {
        register(slug, EACH - 1).await;
    }
    let all = ACCOUNTS.len() * EACH;
    let hits = provider
        .wait_until(|hits| asked(hits).len() == all, SOON)
        .await;
    assert!(asked(&hits).values().all(|times| *times == 1));
    for process in [&rest, &one, &other] {
        assert!(!process.log().contains(KEY));
    }
}
