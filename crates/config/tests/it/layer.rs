use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tidings_config::{BrokerUrl, ClientAddressHeader, Config, LogFormat, Mode, StoreUrl};

use crate::{from_both, from_environment, from_text, refusal};

#[test]
fn nothing_said_is_the_documented_defaults() {
    let config = from_environment(&[]).unwrap();
    assert_eq!(config.data_dir, Path::new("./tidings-data"));
    assert!(matches!(&config.store.url, StoreUrl::Sqlite(path)
        if path == Path::new("./tidings-data/tidings.db")));
    assert!(config.store.encryption_key.is_none());
    assert!(matches!(config.broker.url, BrokerUrl::Embedded));
    assert_eq!(config.mode(), Mode::Embedded);
    assert_eq!(config.ingress.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.ingress.public_url, None);
    assert!(config.ingress.trusted_proxies.is_empty());
    assert_eq!(
        config.ingress.client_address_header,
        ClientAddressHeader::XForwardedFor
    );
    assert_eq!(config.ingress.max_body_bytes, 262_144);
    assert_eq!(config.ingress.body_deadline, Duration::from_secs(5));
    assert_eq!(config.ingress.rate_limit.failures_per_minute, 120);
    assert_eq!(config.ingress.rate_limit.account_per_second, None);
    assert_eq!(config.subscriptions.listen.to_string(), "127.0.0.1:8081");
    assert!(config.subscriptions.admin_key.is_none());
    assert_eq!(config.runtime.admin_listen.to_string(), "127.0.0.1:9090");
    assert!(config.egress.allow_networks.is_empty());
    assert_eq!(
        config.egress.allow_ports,
        [80..=80, 443..=443, 1024..=65535]
    );
    assert!(!config.egress.require_https);
    assert_eq!(config.dispatcher.retry, None);
    assert_eq!(config.dispatcher.timeout, Duration::from_secs(10));
    assert_eq!(config.tracker.max_attempts, 5);
    assert_eq!(config.telemetry.log_format, LogFormat::Text);
    assert_eq!(
        config.telemetry.log_level,
        "info,actix_server=warn,actix_http=off,lapin=off"
    );
    assert!(config.telemetry.otlp_endpoint.is_none());
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let file = "[tracker]\nmax_attempts = 7\n[ingress]\nmax_body_bytes = 1000\n\
                [ingress.rate_limit]\nfailures_per_minute = 3\n";
    let config = from_both(file, &[("TIDINGS_TRACKER__MAX_ATTEMPTS", "9")]).unwrap();
    assert_eq!(config.tracker.max_attempts, 9);
    assert_eq!(config.ingress.max_body_bytes, 1000);
    assert_eq!(config.ingress.rate_limit.failures_per_minute, 3);
    assert_eq!(config.ingress.body_deadline, Duration::from_secs(5));
}

#[test]
fn a_list_is_replaced_and_not_added_to() {
    let file = "egress.allow_ports = [80, 443, 8443]\n";
    assert_eq!(from_text(file).unwrap().egress.allow_ports.len(), 3);
    let config = from_both(file, &[("TIDINGS_EGRESS__ALLOW_PORTS", "443")]).unwrap();
    assert_eq!(config.egress.allow_ports, [443..=443]);
}

#[test]
fn every_level_is_reached_from_the_environment() {
    let config = from_environment(&[
        ("TIDINGS_DATA_DIR", "/var/lib/tidings"),
        ("TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE", "1"),
    ])
    .unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/tidings"));
    assert!(matches!(&config.store.url, StoreUrl::Sqlite(path)
        if path == Path::new("/var/lib/tidings/tidings.db")));
    assert_eq!(config.ingress.rate_limit.failures_per_minute, 1);
}

#[test]
fn what_kubernetes_injects_is_ignored() {
    from_environment(&[
        ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
        ("TIDINGS_SERVICE_PORT_HTTP", "80"),
        ("TIDINGS_PORT", "tcp://10.0.0.1:80"),
        ("TIDINGS_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("TIDINGS_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("TIDINGS_STORE_PORT", "tcp://10.0.0.2:5432"),
        ("PATH", "/bin"),
    ])
    .unwrap();
}

#[test]
fn an_unknown_variable_is_refused_with_its_name_and_the_one_meant() {
    assert_eq!(
        refusal(&[("TIDINGS_STORE__URI", "postgres://u:hunter2@h/d")]),
        "unknown variable TIDINGS_STORE__URI in the environment; did you mean TIDINGS_STORE__URL?"
    );
    assert_eq!(
        refusal(&[("TIDINGS__STORE__URL_FILE", "x")]),
        "unknown variable TIDINGS__STORE__URL_FILE in the environment; did you mean \
         TIDINGS_STORE__URL_FILE?"
    );
    assert_eq!(
        refusal(&[("TIDINGS_SMTP__HOST", "mail")]),
        "unknown variable TIDINGS_SMTP__HOST in the environment"
    );
    // Only what may be a secret has a file twin.
    assert!(refusal(&[("TIDINGS_INGRESS__LISTEN_FILE", "x")]).starts_with("unknown variable"));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_refused_by_its_name() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let error = Config::load(None, [(bytes(b"TIDINGS_DATA_DIR"), bytes(b"/\xff"))]).unwrap_err();
    assert!(
        error.to_string().starts_with(
            "`data_dir`, set by TIDINGS_DATA_DIR in the environment, is not valid UTF-8"
        )
    );
    Config::load(None, [(bytes(b"OTHER\xff"), bytes(b"\xff"))]).unwrap();
}

#[test]
fn an_unknown_key_in_the_file_is_refused_with_its_dotted_name() {
    let error = from_text("[ingress]\nlisten_address = \"x\"\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("unknown key `ingress.listen_address` in "),
        "{error}"
    );
    let error = from_text("datadir = \"x\"\n").unwrap_err().to_string();
    assert!(
        error.ends_with("tidings.toml; did you mean `data_dir`?"),
        "{error}"
    );
}

#[test]
fn a_wrong_value_in_the_file_is_told_with_the_file() {
    let error = from_text("[tracker]\nmax_attempts = 0\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("`tracker.max_attempts`, set in /"),
        "{error}"
    );
    assert!(
        error.ends_with("tidings.toml, is 0; it must be a whole number from 1 to 100"),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_path() {
    let none: [(&str, &str); 0] = [];
    let error = Config::load(Some(Path::new("/no/such.toml")), none)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the configuration file \"/no/such.toml\" cannot be read: "),
        "{error}"
    );
    let error = from_text("data_dir = \n").unwrap_err().to_string();
    assert!(
        error.contains("tidings.toml is not valid TOML: line 1: "),
        "{error}"
    );
    let error = from_text(&"#\n".repeat(600_000)).unwrap_err().to_string();
    assert!(
        error.ends_with("it is larger than 1048576 bytes"),
        "{error}"
    );
}
