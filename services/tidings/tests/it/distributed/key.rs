//! The encryption key is changed while processes run.

use super::{command, launch, said};
use crate::secrets::Secrets;
use crate::servers::{KEY, Servers};
use std::path::Path;
use std::time::Duration;
use testkit::Process;

const CURRENT: &str = "TIDINGS_STORE__ENCRYPTION_KEY";
const PREVIOUS: &str = "TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY";

/// All roles, with these keys.
async fn start(servers: &Servers, data_dir: &Path, key: &str, previous: Option<&str>) -> Process {
    let mut process = launch(servers, data_dir, &[]).setting(CURRENT, key);
    if let Some(previous) = previous {
        process = process.setting(PREVIOUS, previous);
    }
    process.start().await
}

async fn stop(process: Process) {
    let ended = process.terminate(Duration::from_secs(25)).await;
    assert!(ended.success(), "{}", process.log());
}

#[tokio::test]
async fn the_key_is_changed_with_two_processes_running_and_nothing_is_closed_to_either_of_them() {
    let Some(mut servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let (here, there) = (root.path().join("one"), root.path().join("other"));
    let (old, new) = (KEY.to_owned(), KEY.replace('M', "N"));
    let mut one = start(&servers, &here, &old, None).await;
    let mut other = start(&servers, &there, &old, None).await;
    let first = Secrets::make("first", &one, &other).await;
    // First each opens what the new key will seal.
    stop(one).await;
    one = start(&servers, &here, &old, Some(&new)).await;
    first.assert_open(&one, &other).await;
    stop(other).await;
    other = start(&servers, &there, &old, Some(&new)).await;
    // Then each seals with it; in between one does and the other does not.
    stop(one).await;
    one = start(&servers, &here, &new, Some(&old)).await;
    let second = Secrets::make("second", &one, &other).await;
    let third = Secrets::make("third", &other, &one).await;
    for secrets in [&first, &second, &third] {
        secrets.assert_open(&one, &other).await;
        secrets.assert_open(&other, &one).await;
    }
    stop(other).await;
    other = start(&servers, &there, &new, Some(&old)).await;

    // Beside them.
    servers.key.clone_from(&new);
    let without = command(&servers, root.path(), &["keys", "rotate"]).await;
    assert_eq!(without.status.code(), Some(2), "{}", said(&without));
    assert!(said(&without).contains("set store.previous_encryption_key"));
    servers.previous = Some(old.clone());
    let (rotated, meanwhile) = tokio::join!(
        command(&servers, root.path(), &["keys", "rotate"]),
        command(&servers, root.path(), &["keys", "rotate"]),
    );
    for output in [&rotated, &meanwhile] {
        assert!(output.status.success(), "{}", said(output));
    }
    let again = command(&servers, root.path(), &["keys", "rotate"]).await;
    let told = said(&again);
    assert!(
        told.contains("0 provider accounts, 0 status APIs, 0 webhooks, 0 refused"),
        "{told}"
    );
    assert!(one.is_running() && other.is_running());
    let fourth = Secrets::make("fourth", &one, &other).await;
    let all = [&first, &second, &third, &fourth];
    for secrets in all {
        secrets.assert_open(&one, &other).await;
    }

    // The previous key is taken away from one after the other.
    servers.previous = None;
    stop(one).await;
    one = start(&servers, &here, &new, None).await;
    for secrets in all {
        secrets.assert_open(&one, &other).await;
        secrets.assert_open(&other, &one).await;
    }
    stop(other).await;
    other = start(&servers, &there, &new, None).await;
    for secrets in all {
        secrets.assert_open(&one, &other).await;
    }
    servers.key = old;
    let late = command(&servers, root.path(), &["run", "--roles", "poller"]).await;
    assert_eq!(late.status.code(), Some(2), "{}", said(&late));
    assert!(said(&late).contains("store.encryption_key is not the key of this store"));
}
