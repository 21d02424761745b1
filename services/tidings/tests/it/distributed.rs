//! Processes with some of the roles each, around a PostgreSQL and a RabbitMQ.

mod access;
mod away;
mod feed;
mod key;
mod limits;
mod once;
mod plans;
mod polls;
mod types;

use crate::app::SOON;
use crate::servers::{KEY, Servers, execute};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Api, Endpoint, Ingress, Launch, Process, Proxy, eventually};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tidings");
const PHONE: &str = "+254700000001";
/// How often connections end in the middle of commits: often enough for something to have been accepted.
const ROUNDS: RangeInclusive<u64> = 16..=64;
pub const PATH: &str = "/v1/callbacks/clinic/reports";

/// With all roles, where none is named.
fn launch(servers: &Servers, data_dir: &Path, roles: &[&str]) -> Launch {
    let settings = servers.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let launch = Launch::new(PROGRAM, data_dir).settings(&settings);
    if roles.is_empty() {
        return launch;
    }
    launch.roles(roles)
}

async fn command(servers: &Servers, data_dir: &Path, args: &[&str]) -> Output {
    let mut settings = servers.settings();
    let data_dir = data_dir.display().to_string();
    settings.push(("TIDINGS_DATA_DIR".to_owned(), data_dir));
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Process::run_command(PROGRAM, args, &settings).await
}

pub fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(&[out.as_slice(), err].concat()).into_owned()
}

/// The tenant's API after its first calls: an account, a subscription, a message.
pub async fn set_up(api_url: &str, endpoint: &Endpoint) -> Api {
    let operator = Api::new(api_url, ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await;
    let key = made.expect(201)["api_key"].as_str().unwrap().to_owned();
    let tenant = operator.with_key(&key);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    tenant
        .post("/v1/provider-accounts", account)
        .await
        .expect(201);
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    tenant.post("/v1/webhooks", webhook).await.expect(201);
    let message =
        json!({ "provider_account": "clinic", "provider_message_id": "m-1", "to": PHONE });
    tenant.post("/v1/messages", message).await.expect(201);
    tenant
}

pub fn delivered() -> Value {
    serde_json::from_str(&stub_report("m-1", "DELIVRD", PHONE, None)).unwrap()
}

#[tokio::test]
async fn five_processes_do_together_what_one_does() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let mut processes = Vec::new();
    for role in [
        "ingress",
        "tracker",
        "dispatcher",
        "poller",
        "subscriptions",
    ] {
        // One directory holds each role once.
        let data_dir = root.path().join(role);
        processes.push(launch(&servers, &data_dir, &[role]).start().await);
    }
    let endpoint = Endpoint::start().await;
    let tenant = set_up(&processes[4].api_url(), &endpoint).await;
    let ingress = Ingress::new(&processes[0].ingress_url());
    ingress.post_json(PATH, delivered()).await.expect(200);
    let hits = endpoint.wait_for(1, SOON).await;
    assert_eq!(hits[0].json()["type"], "sms.delivered");
    let found = tenant.get("/v1/messages?provider_message_id=m-1").await;
    assert_eq!(found.expect(200)["data"][0]["state"], "delivered");
    for process in &processes {
        let status = process.terminate(Duration::from_secs(25)).await;
        let log = process.log();
        assert!(status.success() && !log.contains(" ERROR "), "{log}");
    }
}

#[tokio::test]
async fn a_directory_holds_each_role_once_and_tells_where_all_of_them_are() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let data_dir = root.path().join("data");
    let doctor = command(&servers, &data_dir, &["doctor"]).await;
    assert!(doctor.status.success(), "{}", said(&doctor));
    for line in [
        "no process runs in",
        "the store opens and its schema fits",
        "the encryption key is the store's",
        "the broker answers",
    ] {
        assert!(said(&doctor).contains(line), "{}", said(&doctor));
    }
    let tracker = launch(&servers, &data_dir, &["tracker"]).start().await;
    let again = command(&servers, &data_dir, &["run", "--roles", "poller,tracker"]).await;
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(said(&again).contains("tracker.lock"), "{}", said(&again));
    let doctor = command(&servers, &data_dir, &["doctor"]).await;
    let told = said(&doctor);
    assert!(doctor.status.success(), "{told}");
    for line in [
        "a process (tracker) runs here",
        "broker: answers",
        "store: takes writes",
        "tracker: consuming",
    ] {
        assert!(told.contains(line), "{line:?} is not in: {told}");
    }
    let made = command(&servers, &data_dir, &["tenant", "create", "--name", "A"]).await;
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("tk_live_"), "{}", said(&made));
    assert!(tracker.is_running());
}

#[tokio::test]
async fn a_database_nobody_migrated_ends_the_start_and_migrating_is_done_once() {
    let Some(servers) = Servers::find_bare().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let run = command(&servers, root.path(), &["run", "--roles", "tracker"]).await;
    assert_eq!(run.status.code(), Some(3), "{}", said(&run));
    assert!(said(&run).contains("tidings migrate"), "{}", said(&run));
    // Two at once: one migrates, the other waits and finds nothing to do.
    let (one, other) = tokio::join!(
        command(&servers, root.path(), &["migrate"]),
        command(&servers, root.path(), &["migrate"]),
    );
    assert!(one.status.success() && other.status.success());
    let both = said(&one) + &said(&other);
    assert_eq!(both.matches("applied 20261123220000").count(), 1, "{both}");
    assert_eq!(both.matches("up to date").count(), 1, "{both}");
    launch(&servers, root.path(), &["tracker"]).start().await;
}

#[tokio::test]
async fn another_key_than_the_stores_is_refused() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    drop(launch(&servers, root.path(), &["tracker"]).start().await);
    let other = KEY.replace('M', "N");
    let mut settings = servers.settings();
    settings.retain(|(name, _)| name != "TIDINGS_STORE__ENCRYPTION_KEY");
    settings.push(("TIDINGS_STORE__ENCRYPTION_KEY".to_owned(), other));
    let data_dir = root.path().display().to_string();
    settings.push(("TIDINGS_DATA_DIR".to_owned(), data_dir));
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let run = Process::run_command(PROGRAM, &["run"], &settings).await;
    assert_eq!(run.status.code(), Some(2), "{}", said(&run));
    assert!(
        said(&run).contains("store.encryption_key is not the key of this store"),
        "{}",
        said(&run)
    );
}

/// What comes before the servers are there is answered 503, never 401, and works once they are.
#[tokio::test]
async fn a_process_whose_servers_are_away_lives_and_serves_as_soon_as_they_are_there() {
    let Some(mut servers) = Servers::find().await else {
        return;
    };
    let postgres = behind_proxy(&mut servers.database).await;
    let rabbit = behind_proxy(&mut servers.amqp).await;
    postgres.cut();
    rabbit.cut();
    let root = tempfile::tempdir().unwrap();
    let process = launch(&servers, root.path(), &[])
        .without_waiting_for_ready()
        .start()
        .await;
    let admin = Api::anonymous(&process.admin_url());
    admin.get("/livez").await.expect(200);
    let ready = admin.get("/readyz").await.expect(503);
    for check in ["store", "broker"] {
        assert_eq!(ready["checks"][check]["ok"], false, "{ready}");
    }
    let ingress = Ingress::new(&process.ingress_url());
    let refused = ingress.post_json(PATH, delivered()).await;
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let refused = operator.post("/v1/tenants", json!({ "name": "A" })).await;
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");

    postgres.heal().await;
    rabbit.heal().await;
    let is_ready = |said: &Value| said["ready"] == true;
    admin
        .get_until("/readyz", is_ready, Duration::from_secs(20))
        .await;
    let endpoint = Endpoint::start().await;
    set_up(&process.api_url(), &endpoint).await;
    ingress.post_json(PATH, delivered()).await.expect(200);
    endpoint.wait_for(1, SOON).await;

    // The database is away: what is known is still accepted, and done when it is back.
    postgres.cut();
    let other = stub_report("m-1", "UNDELIV", PHONE, None);
    let other: Value = serde_json::from_str(&other).unwrap();
    ingress.post_json(PATH, other).await.expect(200);
    let event = || json!({ "type": "job.created", "data": {} });
    let refused = operator.post("/v1/events", event()).await;
    refused.expect_problem(503, "unavailable");
    postgres.heal().await;
    let is_told = |hits: &[testkit::Hit]| {
        let types = hits.iter().map(|hit| hit.json()["type"].clone());
        types.filter(|found| found == "sms.status.conflict").count() == 1
    };
    endpoint.wait_until(is_told, Duration::from_secs(20)).await;
    eventually("the API serves again", SOON, async || {
        let published = operator.post("/v1/events", event()).await;
        (published.status == 202).then_some(())
    })
    .await;
}

/// What a provider says twice is one fact, whichever door it comes to, and after restarts too.
#[tokio::test]
async fn a_callback_that_comes_to_two_doors_and_again_after_a_restart_is_one() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let door = |name: &str| launch(&servers, &root.path().join(name), &["ingress"]);
    let others = launch(
        &servers,
        &root.path().join("others"),
        &["tracker", "dispatcher", "subscriptions"],
    );
    let (others, one, two) = tokio::join!(others.start(), door("one").start(), door("two").start());
    let endpoint = Endpoint::start().await;
    let tenant = set_up(&others.api_url(), &endpoint).await;
    let post = async |process: &Process| {
        let ingress = Ingress::new(&process.ingress_url());
        let answer = ingress.post_json(PATH, delivered()).await.expect(200);
        answer["callback_id"].as_str().unwrap().to_owned()
    };
    let id = post(&one).await;
    assert_eq!(post(&two).await, id);
    one.kill();
    let one = door("one").start().await;
    assert_eq!(post(&one).await, id);
    let path = format!("/v1/callbacks/{id}");
    let is_all = |found: &Value| found["receipts"] == 3 && found["status"] == "processed";
    tenant.get_until(&path, is_all, SOON).await;
    let message = tenant.get("/v1/messages?provider_message_id=m-1").await;
    let history = &message.expect(200)["data"][0]["history"];
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    assert_eq!(endpoint.wait_for(1, SOON).await.len(), 1);
}

/// A database that does not answer costs the first caller a wait, and nobody else.
#[tokio::test]
async fn while_the_database_hangs_callers_of_unknown_accounts_are_told_at_once_to_come_again() {
    let Some(mut servers) = Servers::find().await else {
        return;
    };
    let postgres = behind_proxy(&mut servers.database).await;
    let root = tempfile::tempdir().unwrap();
    let process = launch(&servers, root.path(), &[]).start().await;
    let endpoint = Endpoint::start().await;
    set_up(&process.api_url(), &endpoint).await;
    let ingress = Ingress::new(&process.ingress_url());
    // What is looked up while the accounts are loaded again, as after one was made, is not remembered.
    for _ in 0..2 {
        ingress.post_json(PATH, delivered()).await.expect(200);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
    postgres.freeze();
    let mut waits = Vec::new();
    for number in 0..4 {
        let path = format!("/v1/callbacks/unknown-{number}/reports");
        let asked = std::time::Instant::now();
        let refused = ingress.post_json(&path, delivered()).await;
        waits.push(asked.elapsed());
        refused.expect_problem(503, "unavailable");
        assert!(refused.header("retry-after").is_some(), "{refused}");
    }
    let at_once = waits
        .iter()
        .filter(|wait| **wait < Duration::from_millis(500));
    assert!(at_once.count() >= 3, "{waits:?}");
    ingress.post_json(PATH, delivered()).await.expect(200);
    postgres.heal().await;
}

/// Connections end in the middle of commits, on a server that has forgotten which run it is, as after a
/// crash: nobody can tell what became of those commits, and nothing may be left lying because of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_nobody_can_tell_of_leave_no_delivery_behind() {
    let Some(mut servers) = Servers::find().await else {
        return;
    };
    let database = servers.database.clone();
    let proxy = behind_proxy(&mut servers.database).await;
    let root = tempfile::tempdir().unwrap();
    let process = launch(&servers, root.path(), &[]).start().await;
    let endpoint = Endpoint::start().await;
    let tenant = set_up(&process.api_url(), &endpoint).await;
    let mut accepted = BTreeSet::new();
    for round in 0..*ROUNDS.end() {
        let until = tokio::time::Instant::now() + Duration::from_millis(500 + round * 7);
        let crash = async {
            tokio::time::sleep_until(until - Duration::from_millis(100)).await;
            // What is under way gets to its end, and its answer to nobody.
            proxy.freeze();
            tokio::time::sleep(Duration::from_millis(50)).await;
            execute(&database, "truncate server_run").await;
            proxy.cut();
            proxy.heal().await;
        };
        let publishers = [(); 4].map(|()| publish_until(&tenant, until));
        let (told, ()) = tokio::join!(join_all(publishers), crash);
        accepted.extend(told.into_iter().flatten());
        if round >= *ROUNDS.start() && accepted.len() > 100 {
            break;
        }
    }
    assert!(accepted.len() > 100, "{}", accepted.len());
    endpoint
        .wait_until(
            |hits| {
                let told: BTreeSet<&str> = hits.iter().map(testkit::Hit::webhook_id).collect();
                accepted.iter().all(|id| told.contains(id.as_str()))
            },
            SOON * 2,
        )
        .await;
    let ended = process.terminate(Duration::from_secs(25)).await;
    assert!(ended.success(), "{}", process.log());
}

/// The ids of what was accepted until then.
async fn publish_until(tenant: &Api, until: tokio::time::Instant) -> Vec<String> {
    let mut accepted = Vec::new();
    while tokio::time::Instant::now() < until {
        let event = json!({ "type": "job.created", "data": {} });
        let answer = tenant.post("/v1/events", event).await;
        if answer.status == 202 {
            accepted.push(answer.body["id"].as_str().unwrap().to_owned());
        }
    }
    accepted
}

/// Puts a proxy before a server; its URL then names the proxy.
pub async fn behind_proxy(url: &mut String) -> Proxy {
    let (_, after_user) = url.split_once('@').unwrap();
    let target = after_user.split('/').next().unwrap().to_owned();
    let proxy = Proxy::start(&target).await;
    *url = proxy.url(url);
    proxy
}
