use std::path::Path;
use std::time::Duration;

use tidings_config::{ClientAddressHeader, RetryPolicy, StoreUrl};

use crate::{from_environment, from_text, refusal};

/// That the variable takes the first values and refuses the second, naming itself and quoting them.
fn takes(variable: &str, accepted: &[&str], refused: &[&str]) {
    for value in accepted {
        from_environment(&[(variable, value)]).unwrap();
    }
    for value in refused {
        let error = refusal(&[(variable, value)]);
        assert!(error.contains(variable), "{error}");
        assert!(error.contains("; it must be "), "{error}");
    }
}

#[test]
fn numbers_keep_to_their_bounds() {
    takes(
        "TIDINGS_INGRESS__MAX_BODY_BYTES",
        &["1", "1048576"],
        &["0", "1048577", "", "-1", "1.5", "1k"],
    );
    takes(
        "TIDINGS_TRACKER__MAX_ATTEMPTS",
        &["1", "100"],
        &["0", "101", "x", "4294967297"],
    );
    takes(
        "TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE",
        &["1", "1000000"],
        &["0", "1000001", "off"],
    );
}

#[test]
fn durations_keep_to_their_bounds_in_every_unit() {
    for variable in [
        "TIDINGS_INGRESS__BODY_DEADLINE",
        "TIDINGS_DISPATCHER__TIMEOUT",
    ] {
        takes(
            variable,
            &["1", "60", "60s", "1m"],
            &["0", "61", "2m", "1h", "500ms", "", "ten"],
        );
    }
    let config = from_text("dispatcher.timeout = 7\ningress.body_deadline = \"8s\"").unwrap();
    assert_eq!(config.dispatcher.timeout, Duration::from_secs(7));
    assert_eq!(config.ingress.body_deadline, Duration::from_secs(8));
}

#[test]
fn an_account_rate_is_a_number_or_off() {
    let variable = "TIDINGS_INGRESS__RATE_LIMIT__ACCOUNT_PER_SECOND";
    takes(
        variable,
        &["1", "1000000"],
        &["1000001", "-1", "", "unlimited"],
    );
    for off in ["off", "none", "0"] {
        let config = from_environment(&[(variable, off)]).unwrap();
        assert_eq!(config.ingress.rate_limit.account_per_second, None);
    }
    let config = from_text("ingress.rate_limit.account_per_second = 50").unwrap();
    assert_eq!(config.ingress.rate_limit.account_per_second, Some(50));
}

#[test]
fn a_listener_is_an_address_and_a_port() {
    for variable in [
        "TIDINGS_INGRESS__LISTEN",
        "TIDINGS_SUBSCRIPTIONS__LISTEN",
        "TIDINGS_RUNTIME__ADMIN_LISTEN",
    ] {
        takes(
            variable,
            &["0.0.0.0:80", "[::]:8080", "127.0.0.1:0"],
            &[
                "8080",
                ":8080",
                "localhost:8080",
                "127.0.0.1",
                "127.0.0.1:65536",
                "",
            ],
        );
    }
}

#[test]
fn a_wrong_value_is_quoted_with_what_is_allowed() {
    assert_eq!(
        refusal(&[("TIDINGS_INGRESS__LISTEN", "localhost:8080")]),
        "`ingress.listen`, set by TIDINGS_INGRESS__LISTEN in the environment, is \"localhost:8080\"; \
         it must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"
    );
}

#[test]
fn networks_are_cidrs_from_text_or_arrays() {
    let variable = "TIDINGS_INGRESS__TRUSTED_PROXIES";
    takes(
        variable,
        &["", "10.0.0.0/8", "10.0.0.0/8, fd00::/8", "192.0.2.7"],
        &["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,", "proxy"],
    );
    let error = refusal(&[(variable, "10.0.0.1/8")]);
    assert!(
        error.contains("an address inside 10.0.0.0/8: write 10.0.0.0/8"),
        "{error}"
    );
    let config = from_text("egress.allow_networks = [\"10.0.0.0/8\", \"::1\"]").unwrap();
    let networks: Vec<_> = config
        .egress
        .allow_networks
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn origins_are_named_one_by_one() {
    let variable = "TIDINGS_SUBSCRIPTIONS__CORS_ORIGINS";
    takes(
        variable,
        &[
            "",
            "https://a.example",
            "https://a.example, http://localhost:3000/",
        ],
        &[
            "*",
            "null",
            "a.example",
            "https://a.example/path",
            "https://*.example",
        ],
    );
    let error = refusal(&[(variable, "*")]);
    assert!(error.contains("holds \"*\": name each origin"), "{error}");
    let many = vec!["https://a.example"; 33].join(",");
    assert!(refusal(&[(variable, &many)]).contains("holds 33 origins"));
    let text = "subscriptions.cors_origins = [\"https://A.example:443\"]";
    let config = from_text(text).unwrap();
    assert_eq!(config.subscriptions.cors_origins, ["https://a.example"]);
}

#[test]
fn ports_are_single_ones_and_ranges() {
    takes(
        "TIDINGS_EGRESS__ALLOW_PORTS",
        &["443", "80,443", "1-65535"],
        &["", "0", "65536", "9-8", "80,,443", "https"],
    );
    let config = from_text("egress.allow_ports = [443, \"8000-8999\"]").unwrap();
    assert_eq!(config.egress.allow_ports, [443..=443, 8000..=8999]);
}

#[test]
fn a_switch_is_true_or_false() {
    takes(
        "TIDINGS_EGRESS__REQUIRE_HTTPS",
        &["true", "false"],
        &["yes", "1", "", "TRUE"],
    );
    assert!(
        from_text("egress.require_https = true")
            .unwrap()
            .egress
            .require_https
    );
}

#[test]
fn a_client_address_header_is_one_of_three() {
    let variable = "TIDINGS_INGRESS__CLIENT_ADDRESS_HEADER";
    takes(
        variable,
        &["x-forwarded-for", "forwarded", "X-Real-IP"],
        &["", "cf-connecting-ip"],
    );
    let config = from_environment(&[(variable, "forwarded")]).unwrap();
    assert_eq!(
        config.ingress.client_address_header,
        ClientAddressHeader::Forwarded
    );
}

#[test]
fn a_retry_policy_is_a_preset_or_a_list_of_waits() {
    let retry = |text: &str| from_text(text).unwrap().dispatcher.retry.unwrap();
    let waits = RetryPolicy::Delays([5, 300, 7200].map(Duration::from_secs).to_vec());
    assert_eq!(retry("dispatcher.retry = \"quick\""), RetryPolicy::Quick);
    assert_eq!(
        retry("dispatcher.retry = \"standard\""),
        RetryPolicy::Standard
    );
    assert_eq!(retry("dispatcher.retry = [5, 300, 7200]"), waits);
    assert_eq!(retry("dispatcher.retry = \"5, 5m,2h\""), waits);
    assert_eq!(
        retry("dispatcher.retry = 5"),
        RetryPolicy::Delays(vec![Duration::from_secs(5)])
    );
    let fifty = ["1"; 50].join(",");
    let fifty_one = ["1"; 51].join(",");
    takes(
        "TIDINGS_DISPATCHER__RETRY",
        &["", "quick", "standard", "30d", "2592000", &fifty],
        &["31d", "2592001", "1,,2", "Quick", "slow", &fifty_one],
    );
    from_text("dispatcher.retry = []").unwrap_err();
    from_text("dispatcher.retry = [[1]]").unwrap_err();
    from_text("dispatcher.retry = [1.5]").unwrap_err();
}

#[test]
fn a_preset_that_is_not_known_is_refused_with_those_that_are() {
    assert_eq!(
        refusal(&[("TIDINGS_DISPATCHER__RETRY", "slow")]),
        "`dispatcher.retry`, set by TIDINGS_DISPATCHER__RETRY in the environment, holds \"slow\"; \
         it must be quick, standard, or a list of 1 to 50 waits of at most 30 days, in seconds or as 5m, 2h, 1d"
    );
}

#[test]
fn a_public_url_is_absolute_and_loses_its_last_slash() {
    let variable = "TIDINGS_INGRESS__PUBLIC_URL";
    takes(
        variable,
        &["http://10.0.0.1:8080"],
        &[
            "callbacks.example.com",
            "ftp://a.example",
            "https://a.example/?x",
            "https://a.example#x",
            "/",
        ],
    );
    let url = |text| {
        from_environment(&[(variable, text)])
            .unwrap()
            .ingress
            .public_url
    };
    assert_eq!(
        url("https://a.example/").as_deref(),
        Some("https://a.example")
    );
    assert_eq!(
        url("https://a.example/in/").as_deref(),
        Some("https://a.example/in")
    );
    assert_eq!(url(""), None);
    assert!(
        refusal(&[(variable, "https://u:p@a.example")]).contains("contains a user or a password")
    );
}

#[test]
fn a_log_format_is_text_or_json_and_a_level_is_not_empty() {
    takes(
        "TIDINGS_TELEMETRY__LOG_FORMAT",
        &["text", "json"],
        &["", "pretty", "JSON"],
    );
    takes(
        "TIDINGS_TELEMETRY__LOG_LEVEL",
        &["debug", "info,tidings_broker=debug"],
        &["", " ", "a\nb"],
    );
}

#[test]
fn a_proxy_is_an_address_and_perhaps_a_user() {
    let variable = "TIDINGS_EGRESS__PROXY";
    takes(
        variable,
        &["", "http://proxy:3128", "http://u:p@[::1]:3128/"],
        &[
            "proxy:3128",
            "https://proxy",
            "socks5://proxy",
            "http://proxy/a",
            "http://proxy?a",
        ],
    );
    let config = from_environment(&[(variable, "http://u:p@proxy:3128")]).unwrap();
    let proxy = config.egress.proxy.clone().unwrap();
    assert_eq!(proxy.reveal(), "http://u:p@proxy:3128");
    let rendered = config.render();
    assert!(
        !rendered.contains("u:p") && rendered.contains("proxy:3128"),
        "{rendered}"
    );
}

#[test]
fn an_otlp_endpoint_is_a_base_url() {
    let variable = "TIDINGS_TELEMETRY__OTLP_ENDPOINT";
    takes(
        variable,
        &["http://127.0.0.1:4318"],
        &["127.0.0.1:4318", "grpc://a:4317", "http://a?x=1"],
    );
    let endpoint = |text| {
        from_environment(&[(variable, text)])
            .unwrap()
            .telemetry
            .otlp_endpoint
    };
    assert_eq!(
        endpoint("https://u:p@otlp.example/x/").unwrap().reveal(),
        "https://u:p@otlp.example/x"
    );
    assert!(endpoint("").is_none());
}

#[test]
fn a_sqlite_store_is_a_file() {
    let path = |url| match from_environment(&[("TIDINGS_STORE__URL", url)])
        .unwrap()
        .store
        .url
    {
        StoreUrl::Sqlite(path) => path,
        StoreUrl::Postgres(_) => panic!("not a file"),
    };
    assert_eq!(path("sqlite:"), Path::new("./tidings-data/tidings.db"));
    assert_eq!(
        path("sqlite:db/my tidings.db"),
        Path::new("db/my tidings.db")
    );
    assert_eq!(path("sqlite:/var/t.db"), Path::new("/var/t.db"));
    assert_eq!(path("sqlite:///var/t.db"), Path::new("/var/t.db"));
    takes(
        "TIDINGS_STORE__URL",
        &[
            "postgres://db/t",
            "postgresql://db/t",
            "postgres://u:p@a,b:5432/t",
            "postgres:///t?host=/run",
        ],
        &[
            "",
            "sqlite",
            "sqlite::memory:",
            "sqlite://t.db",
            "sqlite:t.db?mode=ro",
            "sqlite:dir/",
            "mysql://db/t",
            "postgres://",
            "postgres:db",
            "postgres://db/t\n",
        ],
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    for text in [
        "data_dir = \"\"",
        "data_dir = [\"a\"]",
        "ingress.listen = 8080",
        "tracker.max_attempts = 1.5",
        "tracker.max_attempts = [1]",
        "tracker.max_attempts = 1979-05-27",
        "egress.allow_ports = [{ first = 1 }]",
        "store.url = [\"sqlite:\"]",
        "store.url_file = 1",
    ] {
        let error = from_text(text).unwrap_err().to_string();
        assert!(error.contains("; it must be "), "{error}");
    }
}

#[test]
fn the_first_poll_lies_between_its_floor_and_its_ceiling() {
    for variable in [
        "TIDINGS_POLLER__FIRST_POLL_FLOOR",
        "TIDINGS_POLLER__FIRST_POLL",
        "TIDINGS_POLLER__FIRST_POLL_CEILING",
    ] {
        takes(variable, &["300s", "5m"], &["0", "25h", "", "soon"]);
    }
    takes(
        "TIDINGS_POLLER__MAX_AGE",
        &["60", "24h", "30d"],
        &["59", "31d", "0"],
    );
    takes("TIDINGS_POLLER__ENABLED", &["true", "false"], &["", "off"]);
    let under = refusal(&[("TIDINGS_POLLER__FIRST_POLL", "29s")]);
    assert!(
        under.contains("is under poller.first_poll_floor"),
        "{under}"
    );
    let over = refusal(&[("TIDINGS_POLLER__FIRST_POLL", "61m")]);
    assert!(over.contains("is over poller.first_poll_ceiling"), "{over}");
}
