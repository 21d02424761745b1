use super::{PROGRAM, command, ended_well, failed};
use crate::servers::Backing;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Api, Ingress, Process};

const PHONE: &str = "+254700000001";

async fn run(data_dir: &Path, args: &[&str]) -> Value {
    let args: Vec<&str> = ["dead-letters"].iter().chain(args).copied().collect();
    serde_json::from_str(&ended_well(&command(data_dir, &args, &[]).await)).unwrap()
}

#[tokio::test]
async fn dead_letters_are_listed_shown_done_again_and_purged_beside_a_server() {
    let root = tempfile::tempdir().unwrap();
    let once = [("TIDINGS_TRACKER__MAX_ATTEMPTS", "1")];
    let server = Process::start(PROGRAM, root.path(), &once).await;
    let operator = Api::new(&server.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await
        .expect(201);
    let (id, key) = (
        made["id"].as_str().unwrap(),
        made["api_key"].as_str().unwrap(),
    );
    let tenant = operator.with_key(key);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    tenant
        .post("/v1/provider-accounts", account)
        .await
        .expect(201);
    let message =
        json!({ "provider_account": "clinic", "provider_message_id": "m-1", "to": PHONE });
    tenant.post("/v1/messages", message).await.expect(201);
    let file = root.path().join("tidings.db");
    let change = async |sql: &str| Backing::Files.change_store(&file, sql).await;
    change("update messages set state = 99").await;
    let body: Value = serde_json::from_str(&stub_report("m-1", "DELIVRD", PHONE, None)).unwrap();
    let ingress = Ingress::new(&server.ingress_url());
    ingress
        .post_json("/v1/callbacks/clinic/reports", body)
        .await
        .expect(200);
    let is_there = |found: &Value| found["data"].as_array().unwrap().len() == 1;
    let soon = Duration::from_secs(10);
    tenant.get_until("/v1/dead-letters", is_there, soon).await;

    assert_eq!(
        run(root.path(), &["list"]).await["data"],
        json!([]),
        "the platform has none"
    );
    let of_tenant = ["--tenant", id];
    let with = |args: &[&'static str]| [args, &of_tenant].concat();
    let listed = run(root.path(), &with(&["list", "--account", "clinic"])).await;
    let letter = &listed["data"][0];
    assert!(
        letter["reason"].as_str().unwrap().contains("state 99"),
        "{letter}"
    );
    assert!(letter.get("body_base64").is_none(), "{letter}");
    let letter_id = letter["id"].as_str().unwrap();
    let shown = run(
        root.path(),
        &[&["show", letter_id], &of_tenant[..]].concat(),
    )
    .await;
    assert!(shown["body_base64"].is_string(), "{shown}");
    let dry = run(root.path(), &with(&["requeue", "--all", "--dry-run"])).await;
    assert_eq!(dry, json!({ "matching": 1 }));

    change("update messages set state = 0").await;
    let asked = run(
        root.path(),
        &[&["requeue", letter_id], &of_tenant[..]].concat(),
    )
    .await;
    assert_eq!(asked, json!({ "matching": 1, "requeueing": 1 }));
    let is_gone = |found: &Value| found["data"] == json!([]);
    tenant.get_until("/v1/dead-letters", is_gone, soon).await;
    let purged = run(root.path(), &with(&["purge", "--kind", "callback.v1"])).await;
    assert_eq!(purged, json!({ "matching": 0, "purged": 0 }));
    assert_eq!(
        run(root.path(), &with(&["cancel", "--all"])).await["cancelled"],
        0
    );

    let refuse = async |args: &[&str], said: &str| {
        let args: Vec<&str> = ["dead-letters"].iter().chain(args).copied().collect();
        failed(&command(root.path(), &args, &[]).await, 2, &[said]);
    };
    refuse(&["purge"], "--all").await;
    refuse(&["purge", "--all", "--kind", "x"], "--all").await;
    refuse(&["show", "../tenants"], "dlt_").await;
    refuse(&["show", "dlt_1"], "there is no such dead letter").await;
    refuse(&["list", "--queue", "x"], "callbacks.v1").await;
    drop(server);
    let output = command(root.path(), &["dead-letters", "list"], &[]).await;
    failed(&output, 1, &["does not answer"]);
}
