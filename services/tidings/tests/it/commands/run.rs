use super::{PROGRAM, command, failed};
use crate::servers::KEY;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, Launch, Process};

const SOON: Duration = Duration::from_secs(25);

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_server_tells_where_it_listens_and_keeps_its_files_to_itself() {
    let root = tempfile::tempdir().unwrap();
    let data_dir = root.path().join("deep/data");
    let server = Process::start(PROGRAM, &data_dir, &[]).await;
    assert_eq!(mode(&data_dir), 0o700);
    for file in ["encryption.key", "tidings.db", "queue.db"] {
        assert_eq!(mode(&data_dir.join(file)), 0o600, "{file}");
    }
    let text = std::fs::read_to_string(data_dir.join("addresses.json")).unwrap();
    let addresses: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<_> = addresses.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 3, "{addresses}");
    for (name, path) in [
        ("ingress", "/v1/callbacks/a/reports"),
        ("subscriptions", "/v1/events"),
        ("admin", "/livez"),
    ] {
        let url = format!("http://{}", addresses[name].as_str().unwrap());
        assert!(
            Api::anonymous(&url)
                .get(path)
                .await
                .header("x-request-id")
                .is_some(),
            "{name}"
        );
        let log = server.log();
        assert!(log.contains(addresses[name].as_str().unwrap()), "{log}");
    }
    // Another on the same directory is told who is in its way, and disturbs nobody.
    let lock = data_dir.join("tidings.lock").display().to_string();
    for args in [&["run"][..], &["migrate"]] {
        failed(&command(&data_dir, args, &[]).await, 2, &[&lock]);
    }
    Api::anonymous(&server.admin_url())
        .get("/readyz")
        .await
        .expect(200);
    assert!(server.terminate(SOON).await.success(), "{}", server.log());
    // Its key was made once.
    let key = std::fs::read(data_dir.join("encryption.key")).unwrap();
    let again = Process::start(PROGRAM, &data_dir, &[]).await;
    assert_eq!(std::fs::read(data_dir.join("encryption.key")).unwrap(), key);
    assert!(again.terminate(SOON).await.success());
}

#[tokio::test]
async fn roles_are_named_rightly_and_all_of_them_where_the_queue_is_embedded() {
    let root = tempfile::tempdir().unwrap();
    let all = "this process must run all roles";
    for roles in ["ingress", "ingress,tracker", "subscriptions"] {
        let output = command(root.path(), &["run", "--roles", roles], &[]).await;
        failed(&output, 2, &["broker.url", all]);
    }
    for roles in ["nonsense", "ingress,nonsense", "", "Ingress"] {
        let output = command(root.path(), &["run", "--roles", roles], &[]).await;
        failed(
            &output,
            2,
            &["the roles are: ingress, tracker, dispatcher, poller, subscriptions"],
        );
    }
    let every = ["--roles", "subscriptions,poller,dispatcher,tracker,ingress"];
    let server = Launch::new(PROGRAM, root.path()).args(&every).start().await;
    assert!(server.terminate(SOON).await.success());
}

#[tokio::test]
async fn without_an_admin_key_nobody_makes_tenants_over_the_api_and_the_log_says_so() {
    let root = tempfile::tempdir().unwrap();
    let launch = Launch::new(PROGRAM, root.path());
    let server = launch
        .without_setting("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY")
        .start()
        .await;
    for key in [ADMIN_KEY, "x"] {
        let answer = Api::new(&server.api_url(), key)
            .post("/v1/tenants", json!({ "name": "A" }))
            .await;
        answer.expect_problem(401, "unauthorized");
    }
    assert!(
        server.log().contains("subscriptions.admin_key is not set"),
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let root = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (variable, name) in [
        ("TIDINGS_INGRESS__LISTEN", "ingress"),
        ("TIDINGS_SUBSCRIPTIONS__LISTEN", "subscriptions"),
        ("TIDINGS_RUNTIME__ADMIN_LISTEN", "admin"),
    ] {
        let output = command(root.path(), &["run"], &[(variable, &address)]).await;
        let said = format!("the {name} listener cannot bind {address}");
        failed(&output, 1, &[&said, "configure another"]);
    }
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command(root.path(), &["listen", "--port", &port], &[]).await;
    failed(&output, 1, &[&address]);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_with_what_would() {
    let root = tempfile::tempdir().unwrap();
    let broker = ("TIDINGS_BROKER__URL", "amqp://127.0.0.1:9/");
    let store = (
        "TIDINGS_STORE__URL",
        "postgres://u:secret-word@127.0.0.1:9/d",
    );
    let key = ("TIDINGS_STORE__ENCRYPTION_KEY", KEY);
    for (settings, said) in [
        (vec![broker], &["store.url", "sqlite", "postgres://"]),
        (
            vec![broker, store],
            &["store.encryption_key", "openssl rand", "same"],
        ),
        (
            vec![("TIDINGS_BROKER__URL", "amqp://h/?verify=no"), store, key],
            &["broker.url", "verify", "cacertfile"],
        ),
        (
            vec![
                broker,
                (
                    "TIDINGS_STORE__URL",
                    "postgres://u:secret-word@h/d?sslmode=maybe",
                ),
                key,
            ],
            &["store.url", "maybe", "verify-full"],
        ),
    ] {
        let output = command(root.path(), &["run"], &settings).await;
        failed(&output, 2, said);
        assert!(!super::stderr(&output).contains("secret-word"));
    }
}

#[tokio::test]
async fn a_state_that_a_person_forced_is_in_the_log_without_the_reason_and_the_number() {
    let root = tempfile::tempdir().unwrap();
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    let api = Api::new(&server.api_url(), ADMIN_KEY);
    let auth = json!([{ "type": "token" }]);
    let account = json!({ "provider": "stub", "slug": "clinic", "auth": auth });
    api.post("/v1/provider-accounts", account).await.expect(201);
    let message = json!({ "provider_account": "clinic", "provider_message_id": "m-1",
        "to": "+254700000001" });
    let made = api.post("/v1/messages", message).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/messages/{id}/state");
    let plain = json!({ "state": "sent", "reason": "it left the modem" });
    api.post(&path, plain).await.expect(200);
    let said = "the state of a message was forced";
    assert!(!server.log().contains(said), "{}", server.log());
    let forced = json!({ "state": "failed", "reason": "Amina says so", "force": true });
    api.post(&path, forced).await.expect(200);
    let log = server.log();
    let line = log.lines().find(|line| line.contains(said)).unwrap();
    for part in [id, "ten_", "failed", "operator"] {
        assert!(line.contains(part), "{line}");
    }
    for secret in ["254700000001", "Amina"] {
        assert!(!log.contains(secret), "{log}");
    }
}
