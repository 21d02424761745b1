//! `tidings audit`, beside a running server.

use super::*;
use crate::commands::{PROGRAM, command, ended_well, failed};
use crate::servers::Backing;
use std::path::Path;
use testkit::{ADMIN_KEY, Process};

async fn verify(root: &Path, args: &[&str]) -> std::process::Output {
    let args: Vec<&str> = ["audit", "verify"].iter().chain(args).copied().collect();
    command(root, &args, &[]).await
}

#[tokio::test]
async fn the_log_is_verified_and_exported_and_what_was_tampered_with_is_named() {
    let root = tempfile::tempdir().unwrap();
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    let operator = Api::new(&server.api_url(), ADMIN_KEY);
    let mut tenants = Vec::new();
    for name in ["Clinic", "Hospital"] {
        let body = json!({ "name": name });
        let made = operator.post("/v1/tenants", body).await.expect(201);
        let path = format!("/v1/tenants/{}", text(&made, "id"));
        patch(&operator, &path, json!({ "name": "Ward" })).await;
        tenants.push(text(&made, "id"));
    }
    let four = |found: &Value| found["head"]["position"] == 4;
    let chain = operator.get_until("/v1/audit/chain", four, SOON).await;
    let head = format!("4:{}", text(&chain["head"], "hash"));
    let said = ended_well(&verify(root.path(), &[]).await);
    assert!(said.contains("4 entries after position 0"), "{said}");
    assert!(said.contains(&head), "{said}");
    ended_well(&verify(root.path(), &["--head", &head]).await);

    let export = async |args: &[&str]| {
        let args: Vec<&str> = ["audit", "export"].iter().chain(args).copied().collect();
        let printed = ended_well(&command(root.path(), &args, &[]).await);
        let lines = printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    assert_eq!(Value::from(export(&[]).await), chain["data"]);
    let of_one = export(&["--tenant", &tenants[1]]).await;
    assert!(of_one.iter().all(|it| it["tenant_id"] == tenants[1]));
    assert_eq!(of_one.len(), 2);
    assert_eq!(export(&["--to", "2020-01-01T00:00:00Z"]).await.len(), 0);
    assert_eq!(export(&["--from", "2020-01-01T00:00:00Z"]).await.len(), 4);
    let wrong = verify(root.path(), &["--head", "4:zz"]).await;
    failed(&wrong, 2, &["64 hexadecimal digits"]);

    let file = root.path().join("tidings.db");
    let change = async |sql: &str| assert_eq!(Backing::Files.change_store(&file, sql).await, 1);
    let second = text(&chain["data"][1], "id");
    change("update audit_entries set actor_type = 'tidings' where position = 2").await;
    let broken = verify(root.path(), &[]).await;
    failed(&broken, 1, &["position 2", &second, "its hash is another"]);
    change("update audit_entries set actor_type = 'operator' where position = 2").await;
    ended_well(&verify(root.path(), &[]).await);
    // Whoever cuts the end off, and the head with it, is found out by the head that was noted.
    change("delete from audit_entries where position = 4").await;
    let broken = verify(root.path(), &[]).await;
    failed(
        &broken,
        1,
        &["after position 3", "does not end with its head"],
    );
    change(
        "update audit_head set position = 3, \
         hash = (select hash from audit_entries where position = 3)",
    )
    .await;
    ended_well(&verify(root.path(), &[]).await);
    let broken = verify(root.path(), &["--head", &head]).await;
    failed(&broken, 1, &["does not end with its head"]);
    change("delete from audit_entries where position = 2").await;
    let broken = verify(root.path(), &[]).await;
    failed(&broken, 1, &["the entry at position 2 is missing"]);
    drop(server);
    failed(&verify(root.path(), &[]).await, 1, &["does not answer"]);
}
