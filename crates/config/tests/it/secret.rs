use tidings_config::{BrokerUrl, KEYS, StoreUrl};

use crate::{KEY, from_both, from_environment, refusal, write};

/// Another 32 bytes.
const OTHER: &str = "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const ADMIN_KEY: &str = "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY";
const ADMIN_KEY_FILE: &str = "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE";

#[test]
fn an_admin_key_is_unset_or_long_enough() {
    for refused in [
        "",
        "short",
        "fifteen-letters",
        "sixteen or more with spaces",
        "sechzehn-Zeichen-ä",
    ] {
        let error = refusal(&[(ADMIN_KEY, refused)]);
        assert!(
            error.contains("it must be 16 to 512 visible ASCII characters"),
            "{error}"
        );
        assert!(refused.is_empty() || !error.contains(refused), "{error}");
    }
    from_environment(&[(ADMIN_KEY, &"k".repeat(513))]).unwrap_err();
    let config = from_environment(&[(ADMIN_KEY, "exactly-sixteen-")]).unwrap();
    assert_eq!(
        config.subscriptions.admin_key.unwrap().reveal(),
        "exactly-sixteen-"
    );
}

#[test]
fn an_encryption_key_is_32_bytes_of_base64() {
    let variable = "TIDINGS_STORE__ENCRYPTION_KEY";
    let config = from_environment(&[(variable, KEY)]).unwrap();
    assert_eq!(config.store.encryption_key.unwrap().reveal(), KEY);
    let unpadded = KEY.trim_end_matches('=');
    for refused in [
        "",
        "hunter2!",
        "aHVudGVyMg==",
        unpadded,
        &format!("{KEY}\n"),
        &"A".repeat(44),
    ] {
        let error = refusal(&[(variable, refused)]);
        assert!(
            error.contains("it must be 32 bytes in standard base64"),
            "{error}"
        );
        assert!(refused.is_empty() || !error.contains(refused), "{error}");
    }
}

#[test]
fn a_previous_encryption_key_is_another_one_beside_the_key() {
    let key = ("TIDINGS_STORE__ENCRYPTION_KEY", KEY);
    let previous = "TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY";
    let config = from_environment(&[key, (previous, OTHER)]).unwrap();
    let read = config.store.previous_encryption_key.unwrap();
    assert_eq!(read.reveal(), OTHER);
    let error = refusal(&[key, (previous, "aHVudGVyMg==")]);
    assert!(error.contains("holds 7 bytes"), "{error}");
    let error = refusal(&[key, (previous, KEY)]);
    assert!(
        error.starts_with("`store.previous_encryption_key` is the same key as"),
        "{error}"
    );
    assert!(!error.contains(KEY), "{error}");
    let error = refusal(&[(previous, OTHER)]);
    assert!(error.contains("`store.encryption_key` is not"), "{error}");
    assert!(!error.contains(OTHER), "{error}");
}

#[test]
fn every_secret_is_read_from_a_file_without_its_last_newline() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(directory.path(), name, text);
    let config = from_environment(&[
        (
            "TIDINGS_STORE__URL_FILE",
            &file("store", "postgres://u:p@db/t\n"),
        ),
        (
            "TIDINGS_STORE__ENCRYPTION_KEY_FILE",
            &file("key", &format!("{KEY}\n")),
        ),
        (
            "TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY_FILE",
            &file("previous", &format!("{OTHER}\n")),
        ),
        (
            "TIDINGS_BROKER__URL_FILE",
            &file("broker", "amqp://u:p@mq\r\n"),
        ),
        (ADMIN_KEY_FILE, &file("admin", "a-long-enough-key")),
        (
            "TIDINGS_EGRESS__PROXY_FILE",
            &file("proxy", "http://u:p@proxy:3128\n"),
        ),
        (
            "TIDINGS_TELEMETRY__OTLP_ENDPOINT_FILE",
            &file("otlp", "https://token@o.example\n"),
        ),
    ])
    .unwrap();
    let proxy = config.egress.proxy.as_ref().unwrap();
    assert_eq!(proxy.reveal(), "http://u:p@proxy:3128");
    assert!(
        matches!(&config.store.url, StoreUrl::Postgres(url) if url.reveal() == "postgres://u:p@db/t")
    );
    assert_eq!(config.store.encryption_key.unwrap().reveal(), KEY);
    let previous = config.store.previous_encryption_key.unwrap();
    assert_eq!(previous.reveal(), OTHER);
    assert!(matches!(&config.broker.url, BrokerUrl::Amqp(url) if url.reveal() == "amqp://u:p@mq"));
    assert_eq!(
        config.subscriptions.admin_key.unwrap().reveal(),
        "a-long-enough-key"
    );
    assert_eq!(
        config.telemetry.otlp_endpoint.unwrap().reveal(),
        "https://token@o.example"
    );
    assert_eq!(KEYS.iter().filter(|key| key.from_file).count(), 7);
}

#[test]
fn only_one_newline_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "admin", "a-long-enough-key\n\n");
    let error = refusal(&[(ADMIN_KEY_FILE, &path)]);
    assert!(
        error.contains(&format!("from the file {path} named by {ADMIN_KEY_FILE}")),
        "{error}"
    );
    assert!(!error.contains("a-long-enough-key"), "{error}");
}

#[test]
fn a_value_and_its_file_together_are_refused() {
    let error = refusal(&[
        (ADMIN_KEY, "a-long-enough-key"),
        (ADMIN_KEY_FILE, "/run/key"),
    ]);
    assert_eq!(
        error,
        "`subscriptions.admin_key` is set both by TIDINGS_SUBSCRIPTIONS__ADMIN_KEY in the environment \
         and by TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE in the environment: keep one of them"
    );
    let file =
        "[subscriptions]\nadmin_key = \"a-long-enough-key\"\nadmin_key_file = \"/run/key\"\n";
    let error = from_both(file, &[]).unwrap_err().to_string();
    assert!(
        error.starts_with("`subscriptions.admin_key` is set both in "),
        "{error}"
    );
}

#[test]
fn a_later_layer_decides_between_a_value_and_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "admin", "from-the-secret-file");
    let key = |text: &str, variable, value: &str| {
        let config = from_both(text, &[(variable, value)]).unwrap();
        config.subscriptions.admin_key.unwrap().reveal().to_owned()
    };
    // The file that was overridden is not even there.
    let file = "[subscriptions]\nadmin_key_file = \"/no/such/file\"\n";
    assert_eq!(
        key(file, ADMIN_KEY, "from-the-environment"),
        "from-the-environment"
    );
    let file = "[subscriptions]\nadmin_key = \"from-the-configuration\"\n";
    assert_eq!(key(file, ADMIN_KEY_FILE, &path), "from-the-secret-file");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let error = refusal(&[(ADMIN_KEY_FILE, "/no/such/file")]);
    assert!(
        error.starts_with(
            "`subscriptions.admin_key` cannot be read from the file \"/no/such/file\", named by \
             TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE in the environment: "
        ),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "big", &"k".repeat(64 * 1024 + 1));
    assert!(refusal(&[(ADMIN_KEY_FILE, &path)]).contains("larger than 65536 bytes"));
}

#[test]
fn no_error_shows_a_secret() {
    for key in KEYS.iter().filter(|key| key.secret) {
        for value in [
            "hunter2",
            "postgres://u:hunter2@h /",
            "amqp://u:hunter2/x@h",
            "http://u:hunter2@h?",
        ] {
            let Err(error) = from_environment(&[(key.variable, value)]) else {
                continue;
            };
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let text = format!("{} = [\"hunter2\"]\n", key.name);
        let error = from_both(&text, &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_configuration_shown_for_debugging_shows_no_secret() {
    let config = from_environment(&[
        ("TIDINGS_STORE__URL", "postgres://u:hunter2@db/t"),
        ("TIDINGS_STORE__ENCRYPTION_KEY", KEY),
        ("TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY", OTHER),
        ("TIDINGS_BROKER__URL", "amqp://u:hunter2@mq"),
        (ADMIN_KEY, "hunter2-hunter2-hunter2"),
        (
            "TIDINGS_TELEMETRY__OTLP_ENDPOINT",
            "https://hunter2@o.example",
        ),
    ])
    .unwrap();
    for shown in [format!("{config:?}"), config.render()] {
        assert!(
            !shown.contains("hunter2") && !shown.contains(KEY) && !shown.contains(OTHER),
            "{shown}"
        );
    }
}
