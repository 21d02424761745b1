//! `tidings keys rotate`.

use super::{ONE, OTHER, stop};
use crate::commands::{PROGRAM, command, ended_well, failed, stderr, stdout};
use crate::secrets::{Secrets, operator};
use broker::Broker;
use domain::Clock;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use store::quarantine::Filter;
use testkit::Process;
use wire::{Envelope, Job, Queue, SecurityJob};

const KEY: &str = "TIDINGS_STORE__ENCRYPTION_KEY";
const PREVIOUS: &str = "TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY";
const NO_SETTINGS: &[(&str, &str)] = &[];
/// What is sealed, under any key.
const SEALED: &str = "select hex(checks) from provider_accounts union all select hex(status_api) from \
                      provider_accounts union all select hex(secret) from \
                      subscriptions union all select hex(headers) from subscriptions union all \
                      select hex(endpoint_secret) from subscriptions union all select hex(secret) from \
                      previous_secrets union all select hex(sealed) from quarantine union all select \
                      hex(value) from installation where name = 'encryption_check'";

async fn rotate(data_dir: &Path, settings: &[(&str, &str)]) -> Output {
    command(data_dir, &["keys", "rotate"], settings).await
}

/// A stopped installation with something sealed in it.
async fn installation(data_dir: &Path, settings: &[(&str, &str)]) -> Secrets {
    let server = Process::start(PROGRAM, data_dir, settings).await;
    let secrets = Secrets::make("clinic", &server, &server).await;
    stop(server).await;
    secrets
}

/// A start opens everything; what it logged.
async fn assert_opens(data_dir: &Path, settings: &[(&str, &str)], secrets: &[&Secrets]) -> String {
    let server = Process::start(PROGRAM, data_dir, settings).await;
    for secrets in secrets {
        secrets.assert_open(&server, &server).await;
    }
    let log = server.log();
    stop(server).await;
    log
}

fn query(data_dir: &Path, sql: &str) -> Vec<String> {
    let store = rusqlite::Connection::open(data_dir.join("tidings.db")).unwrap();
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn change(data_dir: &Path, sql: &str) -> usize {
    let store = rusqlite::Connection::open(data_dir.join("tidings.db")).unwrap();
    store.execute(sql, []).unwrap()
}

fn read(data_dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(data_dir.join(file)).ok()
}

const FILE: &str = "encryption.key";
const PREVIOUS_FILE: &str = "encryption.key.previous";

#[tokio::test]
async fn a_kept_key_is_replaced_and_everything_opens_with_the_new_one() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let output = rotate(dir, NO_SETTINGS).await;
    failed(&output, 2, &["there is no store at", "tidings run"]);
    let server = Process::start(PROGRAM, dir, NO_SETTINGS).await;
    let secrets = Secrets::make("clinic", &server, &server).await;
    let old = read(dir, FILE).unwrap();
    failed(&rotate(dir, NO_SETTINGS).await, 2, &["tidings.lock"]);
    assert_eq!(read(dir, FILE).unwrap(), old);
    stop(server).await;

    let output = rotate(dir, NO_SETTINGS).await;
    let told = ended_well(&output);
    let counts = "sealed again: 1 provider accounts, 1 status APIs, 1 webhooks, 1 refused requests, 3 headers, credentials \
                  and replaced secrets of webhooks\n";
    assert!(told.starts_with(counts), "{told}");
    let new = read(dir, FILE).unwrap();
    assert_ne!(new, old);
    assert!(!told.contains(&old) && !told.contains(&new), "{told}");
    assert_eq!(stderr(&output), "");
    let mode = fs::metadata(dir.join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(read(dir, PREVIOUS_FILE), None);
    let log = assert_opens(dir, NO_SETTINGS, &[&secrets]).await;
    assert!(!log.contains("being changed") && !log.contains("not finished"));

    // The old key opens nothing any more.
    fs::write(dir.join(FILE), &old).unwrap();
    let output = command(dir, &["run"], NO_SETTINGS).await;
    failed(&output, 2, &["encryption.key is not the key of this store"]);
    assert_eq!(read(dir, FILE).unwrap(), old);
}

/// The files are laid as a kill after each step leaves them.
#[tokio::test]
async fn wherever_a_rotation_dies_a_start_opens_everything_and_running_it_again_finishes_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let secrets = installation(dir, NO_SETTINGS).await;
    let old = read(dir, FILE).unwrap();
    // The old key was copied.
    fs::write(dir.join(PREVIOUS_FILE), &old).unwrap();
    let log = assert_opens(dir, NO_SETTINGS, &[&secrets]).await;
    assert!(log.contains("a change of the encryption key was not finished"));
    // The new one was written, half.
    fs::write(dir.join("encryption.key.new"), "MTEy").unwrap();
    assert_opens(dir, NO_SETTINGS, &[&secrets]).await;
    // The new one is there, and nothing is sealed with it but what this start makes: as when it died
    // among the rows.
    fs::write(dir.join(FILE), OTHER).unwrap();
    let server = Process::start(PROGRAM, dir, NO_SETTINGS).await;
    let more = Secrets::make("more", &server, &server).await;
    stop(server).await;
    let log = assert_opens(dir, NO_SETTINGS, &[&secrets, &more]).await;
    assert!(log.contains("run `tidings keys rotate` to finish it"));
    let doctor = ended_well(&command(dir, &["doctor"], NO_SETTINGS).await);
    assert!(doctor.contains("was not finished"), "{doctor}");

    let told = ended_well(&rotate(dir, NO_SETTINGS).await);
    assert!(told.contains("1 provider accounts, 1 status APIs, 1 webhooks, 1 refused"));
    assert_eq!(read(dir, FILE).unwrap(), OTHER, "the new key stays");
    assert_eq!(read(dir, PREVIOUS_FILE), None);
    assert_opens(dir, NO_SETTINGS, &[&secrets, &more]).await;
    // Everything was sealed, and the old key not yet removed.
    fs::write(dir.join(PREVIOUS_FILE), &old).unwrap();
    assert_opens(dir, NO_SETTINGS, &[&secrets, &more]).await;
    let told = ended_well(&rotate(dir, NO_SETTINGS).await);
    assert!(told.contains("0 provider accounts, 0 status APIs, 0 webhooks, 0 refused"));
    assert_eq!(read(dir, FILE).unwrap(), OTHER);
    assert_eq!(read(dir, PREVIOUS_FILE), None);

    // Beside the previous key a missing one is not replaced.
    fs::rename(dir.join(FILE), dir.join(PREVIOUS_FILE)).unwrap();
    for args in [&["run"][..], &["keys", "rotate"]] {
        let output = command(dir, args, NO_SETTINGS).await;
        failed(&output, 2, &["encryption.key is missing"]);
        assert_eq!(read(dir, FILE), None);
    }
}

#[tokio::test]
async fn a_wrong_key_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let secrets = installation(dir, NO_SETTINGS).await;
    let right = read(dir, FILE).unwrap();
    let sealed = query(dir, SEALED);
    assert_eq!(sealed.len(), 8);
    fs::write(dir.join(FILE), OTHER).unwrap();
    let output = rotate(dir, NO_SETTINGS).await;
    failed(&output, 2, &["encryption.key is not the key of this store"]);
    assert_eq!(read(dir, FILE).unwrap(), OTHER);
    assert_eq!(read(dir, PREVIOUS_FILE), None);
    for settings in [&[(KEY, ONE)][..], &[(KEY, ONE), (PREVIOUS, OTHER)]] {
        let output = rotate(dir, settings).await;
        failed(&output, 2, &["store.encryption_key is not the key"]);
        let asks = stderr(&output).contains("set store.previous_encryption_key");
        assert_eq!(asks, settings.len() == 1, "{output:?}");
        assert!(!stderr(&output).contains(ONE) && !stderr(&output).contains(OTHER));
    }
    assert_eq!(query(dir, SEALED), sealed);
    fs::write(dir.join(FILE), right).unwrap();
    assert_opens(dir, NO_SETTINGS, &[&secrets]).await;
}

#[tokio::test]
async fn a_configured_key_is_changed_beside_the_previous_one() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let (old, both, new) = (
        &[(KEY, ONE)],
        &[(KEY, OTHER), (PREVIOUS, ONE)],
        &[(KEY, OTHER)],
    );
    let secrets = installation(dir, old).await;
    let log = assert_opens(dir, both, &[&secrets]).await;
    assert!(log.contains("the encryption key is being changed"));
    let before = query(dir, SEALED);
    let told = ended_well(&rotate(dir, both).await);
    assert!(told.contains("1 provider accounts, 1 status APIs, 1 webhooks, 1 refused"));
    assert!(told.contains("take store.previous_encryption_key out"));
    for settings in [&both[..], new] {
        let told = ended_well(&rotate(dir, settings).await);
        assert!(told.contains("0 provider accounts, 0 status APIs, 0 webhooks, 0 refused"));
        assert!(!told.contains(ONE) && !told.contains(OTHER), "{told}");
    }
    assert!(!dir.join(FILE).exists() && !dir.join(PREVIOUS_FILE).exists());
    let output = command(dir, &["run"], old).await;
    failed(&output, 2, &["store.encryption_key is not the key of"]);
    assert_opens(dir, new, &[&secrets]).await;

    // A job that came late has brought something of the old key.
    let late = format!("update quarantine set sealed = x'{}'", before[6]);
    assert_eq!(change(dir, &late), 1);
    let asked = [
        "1 secrets are sealed with another key",
        "set store.previous_encryption_key",
    ];
    failed(&rotate(dir, new).await, 2, &asked);
    let told = ended_well(&rotate(dir, both).await);
    assert!(told.contains("0 provider accounts, 0 status APIs, 0 webhooks, 1 refused"));
    assert_opens(dir, new, &[&secrets]).await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_named_and_holds_only_itself_up() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let secrets = installation(dir, NO_SETTINGS).await;
    let old = read(dir, FILE).unwrap();
    let damage = "update provider_accounts set checks = substr(checks, 1, length(checks) - 1)";
    let damaged = |dir: &Path| query(dir, "select hex(checks) from provider_accounts");
    assert_eq!(change(dir, damage), 1);
    let broken = damaged(dir);
    for counts in [
        "0 provider accounts, 1 status APIs, 1 webhooks, 1 refused",
        "0 provider accounts, 0 status APIs, 0 webhooks",
    ] {
        let output = rotate(dir, NO_SETTINGS).await;
        failed(
            &output,
            1,
            &["1 secrets cannot be opened", "keep the previous key"],
        );
        let named = format!(
            "left as it is: {}, the sealed secret was altered",
            secrets.account
        );
        for said in [counts, &named] {
            assert!(stdout(&output).contains(said), "{said}: {output:?}");
        }
        assert_eq!(damaged(dir), broken);
        assert_eq!(read(dir, PREVIOUS_FILE).as_deref(), Some(old.as_str()));
    }
    // Without the previous key nothing starts.
    let new = read(dir, FILE).unwrap();
    let output = command(dir, &["run"], &[(KEY, &new)]).await;
    failed(&output, 2, &["store.encryption_key is not the key"]);
    let server = Process::start(PROGRAM, dir, NO_SETTINGS).await;
    secrets.assert_webhook_opens(&server).await;
    secrets.assert_quarantined_opens(&server).await;
    let account = format!("/v1/provider-accounts/{}", secrets.account);
    operator(&server).delete(&account).await.expect(204);
    let webhooks = operator(&server).get("/v1/webhooks").await.expect(200);
    let webhook = webhooks["data"][0]["id"].as_str().unwrap();
    let webhook = format!("/v1/webhooks/{webhook}");
    operator(&server).delete(&webhook).await.expect(204);
    stop(server).await;
    ended_well(&rotate(dir, NO_SETTINGS).await);
    assert_eq!(read(dir, FILE).unwrap(), new);
    assert_eq!(read(dir, PREVIOUS_FILE), None);
    // The secret of a webhook that was deleted is sealed with the others, and not missed.
    let told = ended_well(&rotate(dir, NO_SETTINGS).await);
    assert!(told.contains("0 provider accounts, 0 status APIs, 1 webhooks, 1 refused"));
    let damage = "update subscriptions set secret = substr(secret, 1, length(secret) - 1)";
    assert_eq!(change(dir, damage), 1);
    let told = ended_well(&rotate(dir, NO_SETTINGS).await);
    assert!(told.contains("0 provider accounts, 0 status APIs, 0 webhooks, 1 refused"));
    assert_eq!(read(dir, PREVIOUS_FILE), None);
}

#[tokio::test]
async fn a_kept_key_stays_beside_the_new_one_as_long_as_a_job_may_need_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let secrets = installation(dir, NO_SETTINGS).await;
    // What was refused is still on its way to the store.
    let job = quarantined(dir).await;
    assert_eq!(change(dir, "delete from quarantine"), 1);
    let queue = dir.join("queue.db");
    let broker = Broker::open_embedded(&queue, Clock::system()).unwrap();
    broker.publish(Queue::Security, job).await.unwrap();
    broker.close().await;
    drop(broker);
    for _ in 0..2 {
        let told = ended_well(&rotate(dir, NO_SETTINGS).await);
        assert!(told.contains("1 jobs that wait in the queue"), "{told}");
        assert!(read(dir, PREVIOUS_FILE).is_some());
    }
    let server = Process::start(PROGRAM, dir, NO_SETTINGS).await;
    let one = |found: &serde_json::Value| found["data"].as_array().unwrap().len() == 1;
    let soon = crate::app::SOON;
    operator(&server)
        .get_until("/v1/quarantine", one, soon)
        .await;
    stop(server).await;
    let told = ended_well(&rotate(dir, NO_SETTINGS).await);
    assert!(told.contains("0 provider accounts, 0 status APIs, 0 webhooks, 1 refused"));
    assert_eq!(read(dir, PREVIOUS_FILE), None);
    assert_opens(dir, NO_SETTINGS, &[&secrets]).await;
}

/// The job that brought what is in quarantine.
async fn quarantined(data_dir: &Path) -> Vec<u8> {
    let store = store::Store::open_sqlite(
        &data_dir.join("tidings.db"),
        Clock::system(),
        domain::Random::system(),
    )
    .unwrap();
    let window = store::page::Window {
        before: None,
        limit: 1,
    };
    let (platform, all) = (domain::id::TenantId::PLATFORM, Filter::default());
    let page = store.list_quarantine(platform, all, window).await.unwrap();
    let kept = page.items[0].clone();
    let job = SecurityJob {
        quarantined: vec![wire::Quarantined {
            id: kept.id,
            tenant_id: kept.tenant_id,
            provider_account: kept.provider_account,
            kind: kept.kind,
            reason: kept.reason,
            received_at: kept.received_at,
            source_ip: kept.source_ip.parse().unwrap(),
            size_bytes: kept.size_bytes,
            sealed: kept.sealed,
        }],
        ..SecurityJob::default()
    };
    let envelope = Envelope {
        job: Job::Security(job),
        traceparent: None,
    };
    envelope.to_bytes().unwrap()
}
