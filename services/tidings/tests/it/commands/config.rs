use super::{PROGRAM, ended_well, failed, stdout};
use std::path::Path;
use testkit::Process;

const KEY: &str = "an-admin-key-nobody-may-see";

async fn config(args: &[&str], env: &[(&str, &str)]) -> std::process::Output {
    Process::run_command(PROGRAM, &[&["config"], args].concat(), env).await
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn what_holds_is_printed_without_secrets_and_can_be_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let plain = ended_well(&config(&[], &[]).await);
    for line in [
        "data_dir = \"./tidings-data\"",
        "[ingress]",
        "listen = \"127.0.0.1:8080\"",
        "listen = \"127.0.0.1:8081\"",
        "admin_listen = \"127.0.0.1:9090\"",
        "max_body_bytes = 262144",
    ] {
        assert!(plain.lines().any(|found| found == line), "{line}: {plain}");
    }
    let file = write(directory.path(), "printed.toml", &plain);
    assert_eq!(ended_well(&config(&["--config", &file], &[]).await), plain);

    let encryption_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let secrets = [
        ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", KEY),
        ("TIDINGS_STORE__ENCRYPTION_KEY", encryption_key),
        (
            "TIDINGS_STORE__URL",
            "postgres://tidings:pass%21word@db:5432/tidings",
        ),
    ];
    let output = config(&[], &secrets).await;
    let printed = ended_well(&output);
    assert!(printed.contains("admin_key = \"***\""), "{printed}");
    assert!(printed.contains("encryption_key = \"***\""), "{printed}");
    assert!(printed.contains("tidings:***@db"), "{printed}");
    for secret in [KEY, encryption_key, "pass%21word", "pass!word"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test]
async fn the_environment_beats_the_file_and_the_file_the_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "tidings.toml",
        "data_dir = \"/from/file\"\n[ingress]\nlisten = \"127.0.0.1:7001\"\nbody_deadline = \"7s\"\n",
    );
    let env = [
        ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:7002"),
        (
            "TIDINGS_EGRESS__ALLOW_NETWORKS",
            "10.0.0.0/8,192.168.0.0/16",
        ),
        ("TIDINGS_DISPATCHER__RETRY", "1,2,3"),
    ];
    let printed = ended_well(&config(&["--config", &file], &env).await);
    for line in [
        "data_dir = \"/from/file\"",
        "listen = \"127.0.0.1:7002\"",
        "body_deadline = \"7s\"",
        "allow_networks = [\"10.0.0.0/8\", \"192.168.0.0/16\"]",
        "listen = \"127.0.0.1:8081\"",
    ] {
        assert!(
            printed.lines().any(|found| found == line),
            "{line}: {printed}"
        );
    }
    // The option may stand before the command, too.
    let before = Process::run_command(PROGRAM, &["--config", &file, "config"], &env).await;
    assert_eq!(stdout(&before), printed);
}

#[tokio::test]
async fn a_secret_is_read_from_a_file_or_set_and_never_both() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "key", &format!("{KEY}\n"));
    let named = ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE", file.as_str());
    let printed = ended_well(&config(&[], &[named]).await);
    assert!(printed.contains("admin_key = \"***\""), "{printed}");
    let both = [named, ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", KEY)];
    let output = config(&[], &both).await;
    failed(&output, 2, &["subscriptions.admin_key", "set both"]);
    assert!(!super::stderr(&output).contains(KEY));
    let missing = [("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE", "/nowhere/key")];
    failed(
        &config(&[], &missing).await,
        2,
        &["subscriptions.admin_key", "/nowhere/key"],
    );
}

#[tokio::test]
async fn what_is_no_configuration_is_refused_by_name_and_what_is_not_ours_ignored() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["config", "run", "migrate", "doctor"] {
        let env = [("TIDINGS_INGRESS__LISTENS", "127.0.0.1:1")];
        let output = Process::run_command(PROGRAM, &[command], &env).await;
        failed(
            &output,
            2,
            &["TIDINGS_INGRESS__LISTENS", "TIDINGS_INGRESS__LISTEN"],
        );
    }
    failed(
        &config(&[], &[("TIDINGS_X__Y", "1")]).await,
        2,
        &["TIDINGS_X__Y"],
    );
    let env = [
        ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
        ("TIDINGS_PORT", "tcp://10.0.0.1:80"),
        ("TIDINGS_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
    ];
    assert_eq!(
        ended_well(&config(&[], &env).await),
        ended_well(&config(&[], &[]).await)
    );

    let file = write(directory.path(), "unknown.toml", "[ingress]\nport = 1\n");
    failed(
        &config(&["--config", &file], &[]).await,
        2,
        &["ingress.port", &file],
    );
    let file = write(directory.path(), "broken.toml", "[ingress\n");
    failed(
        &config(&["--config", &file], &[]).await,
        2,
        &[&file, "line 1"],
    );
    failed(
        &config(&["--config", "/nowhere.toml"], &[]).await,
        2,
        &["/nowhere.toml"],
    );
    for (name, value, said) in [
        ("TIDINGS_INGRESS__LISTEN", "localhost", "ingress.listen"),
        (
            "TIDINGS_INGRESS__BODY_DEADLINE",
            "0",
            "ingress.body_deadline",
        ),
        ("TIDINGS_DISPATCHER__RETRY", "never", "dispatcher.retry"),
        (
            "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY",
            "short",
            "subscriptions.admin_key",
        ),
        (
            "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY",
            "",
            "subscriptions.admin_key",
        ),
        (
            "TIDINGS_STORE__ENCRYPTION_KEY",
            "c2hvcnQ=",
            "store.encryption_key",
        ),
        (
            "TIDINGS_EGRESS__ALLOW_NETWORKS",
            "10.0.0.1/8",
            "egress.allow_networks",
        ),
    ] {
        failed(&config(&[], &[(name, value)]).await, 2, &[said]);
    }
}
