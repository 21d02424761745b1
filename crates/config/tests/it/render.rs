use crate::{KEY, from_environment, from_text};

#[test]
fn what_is_rendered_reads_back_as_the_same() {
    let plain: &[(&str, &str)] = &[];
    let changed: &[(&str, &str)] = &[
        ("TIDINGS_DATA_DIR", "/var/lib/a \"quoted\" dir?"),
        ("TIDINGS_INGRESS__LISTEN", "[::1]:80"),
        ("TIDINGS_INGRESS__PUBLIC_URL", "https://a.example/in"),
        ("TIDINGS_INGRESS__TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8"),
        ("TIDINGS_INGRESS__CLIENT_ADDRESS_HEADER", "x-real-ip"),
        ("TIDINGS_INGRESS__MAX_BODY_BYTES", "1"),
        ("TIDINGS_INGRESS__BODY_DEADLINE", "1m"),
        ("TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE", "1"),
        ("TIDINGS_INGRESS__RATE_LIMIT__ACCOUNT_PER_SECOND", "2"),
        ("TIDINGS_SUBSCRIPTIONS__LISTEN", "0.0.0.0:1"),
        (
            "TIDINGS_SUBSCRIPTIONS__CORS_ORIGINS",
            "https://a.example,http://localhost:3000",
        ),
        ("TIDINGS_SUBSCRIPTIONS__TRUSTED_PROXIES", "10.0.0.0/8"),
        ("TIDINGS_SUBSCRIPTIONS__CLIENT_ADDRESS_HEADER", "forwarded"),
        ("TIDINGS_RUNTIME__ADMIN_LISTEN", "0.0.0.0:2"),
        ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.1"),
        ("TIDINGS_EGRESS__ALLOW_PORTS", "1,2-3"),
        ("TIDINGS_EGRESS__REQUIRE_HTTPS", "true"),
        ("TIDINGS_DISPATCHER__RETRY", "1,1d"),
        ("TIDINGS_DISPATCHER__TIMEOUT", "3"),
        ("TIDINGS_TRACKER__MAX_ATTEMPTS", "3"),
        ("TIDINGS_TELEMETRY__LOG_FORMAT", "json"),
        ("TIDINGS_TELEMETRY__LOG_LEVEL", "warn,tidings=debug"),
        ("TIDINGS_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ];
    for variables in [plain, changed] {
        let config = from_environment(variables).unwrap();
        let again = from_text(&config.render()).unwrap();
        assert_eq!(format!("{config:?}"), format!("{again:?}"));
        assert_eq!(config.render(), again.render());
    }
}

#[test]
fn a_store_of_its_own_is_rendered_with_its_path() {
    let config = from_environment(&[("TIDINGS_STORE__URL", "sqlite:/srv/t.db")]).unwrap();
    assert!(config.render().contains("url = \"sqlite:/srv/t.db\"\n"));
}

#[test]
fn what_is_rendered_hides_passwords_and_cannot_pass_for_a_secret() {
    let config = from_environment(&[
        (
            "TIDINGS_STORE__URL",
            "postgres://tidings:hunter2@db:5432/tidings",
        ),
        ("TIDINGS_STORE__ENCRYPTION_KEY", KEY),
        ("TIDINGS_BROKER__URL", "amqp://tidings:hunter2@mq"),
        (
            "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY",
            "hunter2-hunter2-hunter2",
        ),
    ])
    .unwrap();
    let text = config.render();
    let beginning = "data_dir = \"./tidings-data\"\n\n[store]\n\
                     url = \"postgres://tidings:***@db:5432/tidings\"\nencryption_key = \"***\"\n\n\
                     [broker]\nurl = \"amqp://tidings:***@mq\"\nnamespace = \"tidings\"\n\n[ingress]\n";
    assert!(text.starts_with(beginning), "{text}");
    let error = from_text(&text).unwrap_err().to_string();
    assert!(error.starts_with("`store.encryption_key`"), "{error}");
}
