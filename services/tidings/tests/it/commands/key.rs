mod rotate;

use super::{PROGRAM, command, ended_well, failed};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, Ingress, Process};

const ONE: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const OTHER: &str = "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const SECRET: &str = "a-key-of-a-provider-0";

/// Makes an account whose check is sealed with the store's key.
async fn account(server: &Process) {
    let tenant = Api::new(&server.api_url(), ADMIN_KEY);
    let auth = json!([{ "type": "api_key", "header": "x-api-key", "key": SECRET }]);
    let body = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    tenant.post("/v1/provider-accounts", body).await.expect(201);
}

/// The account's check can still be opened.
async fn assert_opens(server: &Process) {
    let body: Value = serde_json::from_str(&testkit::providers::stub_report(
        "m",
        "DELIVRD",
        "+254700000001",
        None,
    ))
    .unwrap();
    let headers = [("content-type", "application/json"), ("x-api-key", SECRET)];
    let ingress = Ingress::new(&server.ingress_url());
    let answer = ingress
        .post_raw("/v1/callbacks/clinic/reports", &headers, body.to_string())
        .await;
    answer.expect(200);
}

async fn stop(server: Process) {
    assert!(
        server.terminate(Duration::from_secs(25)).await.success(),
        "{}",
        server.log()
    );
}

/// Everything in the directory that somebody keeps.
fn files(data_dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = ["encryption.key", "queue.db"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::fs::read(data_dir.join(name)).ok()?)))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_store_made_with_another_key_is_refused_and_unharmed() {
    let root = tempfile::tempdir().unwrap();
    let with = |key| [("TIDINGS_STORE__ENCRYPTION_KEY", key)];
    let server = Process::start(PROGRAM, root.path(), &with(ONE)).await;
    account(&server).await;
    stop(server).await;
    assert!(
        !root.path().join("encryption.key").exists(),
        "a configured key is not written down"
    );
    let before = files(root.path());
    for _ in 0..2 {
        let output = command(root.path(), &["run"], &with(OTHER)).await;
        failed(
            &output,
            2,
            &[
                "store.encryption_key is not the key of this store",
                "restore the key",
            ],
        );
        assert!(!super::stderr(&output).contains(OTHER));
        // A key left out is not replaced by a fresh one.
        let output = command(root.path(), &["run"], &[]).await;
        failed(
            &output,
            2,
            &["encryption.key is missing", "restore the key"],
        );
        assert_eq!(files(root.path()), before);
    }
    let output = command(root.path(), &["doctor"], &with(OTHER)).await;
    failed(&output, 1, &[]);
    assert!(
        super::stdout(&output).contains("problem  store.encryption_key"),
        "{output:?}"
    );
    let server = Process::start(PROGRAM, root.path(), &with(ONE)).await;
    assert_opens(&server).await;
}

#[tokio::test]
async fn a_lost_key_file_is_not_replaced_by_a_fresh_one() {
    let root = tempfile::tempdir().unwrap();
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    account(&server).await;
    stop(server).await;
    let path = root.path().join("encryption.key");
    let key = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for args in [&["run"][..], &["run"], &["doctor"]] {
        let output = command(root.path(), args, &[]).await;
        assert!(!output.status.success(), "{output:?}");
        let said = format!("{}{}", super::stdout(&output), super::stderr(&output));
        assert!(said.contains("encryption.key is missing"), "{said}");
        assert!(said.contains("restore the key"), "{said}");
        assert!(
            !path.exists(),
            "a wrong key would be taken for the lost one"
        );
    }
    // One that is none, or another, is refused and stays as it is.
    for (text, said) in [
        ("", "0 bytes"),
        ("not base64!", "base64"),
        (OTHER, "is not the key"),
    ] {
        std::fs::write(&path, text).unwrap();
        failed(
            &command(root.path(), &["run"], &[]).await,
            2,
            &["encryption.key", said],
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    // Put back, or given as configuration, it opens everything again.
    std::fs::write(&path, format!("{key}\n")).unwrap();
    ended_well(&command(root.path(), &["doctor"], &[]).await);
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    assert_opens(&server).await;
    stop(server).await;
    std::fs::remove_file(&path).unwrap();
    let settings = [("TIDINGS_STORE__ENCRYPTION_KEY", key.as_str())];
    let server = Process::start(PROGRAM, root.path(), &settings).await;
    assert_opens(&server).await;
}
