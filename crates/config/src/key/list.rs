use super::Key;

/// Every key there is, in the order of `config/default.toml`.
pub const KEYS: &[Key] = &[
    plain(
        "data_dir",
        "TIDINGS_DATA_DIR",
        "where everything that must survive a restart is kept",
        "the path of a directory",
    ),
    secret(
        "store.url",
        "TIDINGS_STORE__URL",
        "the database",
        "sqlite: (tidings.db in data_dir), sqlite:PATH or postgres://user:password@host:5432/database",
    ),
    secret(
        "store.encryption_key",
        "TIDINGS_STORE__ENCRYPTION_KEY",
        "the key that encrypts secrets at rest",
        ENCRYPTION_KEY,
    ),
    secret(
        "store.previous_encryption_key",
        "TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY",
        "another key that secrets may be sealed with, while the key is being changed",
        ENCRYPTION_KEY,
    ),
    secret(
        "broker.url",
        "TIDINGS_BROKER__URL",
        "what carries the jobs",
        "embedded: (queue.db in data_dir) or amqp://user:password@host:5672/vhost or amqps://…, with \
         characters such as / @ # in the password percent-encoded",
    ),
    plain(
        "broker.namespace",
        "TIDINGS_BROKER__NAMESPACE",
        "what the names of the queues in RabbitMQ begin with",
        "1 to 64 letters, digits, dots, hyphens and underscores",
    ),
    plain(
        "ingress.listen",
        "TIDINGS_INGRESS__LISTEN",
        "the address and port for providers' callbacks",
        ADDRESS,
    ),
    plain(
        "ingress.public_url",
        "TIDINGS_INGRESS__PUBLIC_URL",
        "the URL under which providers reach the ingress from outside",
        "an absolute http or https URL without user, query or fragment, such as https://callbacks.example.com",
    ),
    plain(
        "ingress.trusted_proxies",
        "TIDINGS_INGRESS__TRUSTED_PROXIES",
        "the networks of your own reverse proxies",
        NETWORKS,
    ),
    plain(
        "ingress.client_address_header",
        "TIDINGS_INGRESS__CLIENT_ADDRESS_HEADER",
        "the header in which a trusted proxy names its client",
        "x-forwarded-for, forwarded or x-real-ip",
    ),
    plain(
        "ingress.max_body_bytes",
        "TIDINGS_INGRESS__MAX_BODY_BYTES",
        "the largest callback body accepted, in bytes",
        "a whole number from 1 to 1048576 (1 MiB)",
    ),
    plain(
        "ingress.body_deadline",
        "TIDINGS_INGRESS__BODY_DEADLINE",
        "how long a callback's body may take to arrive",
        MINUTE,
    ),
    plain(
        "ingress.max_connections",
        "TIDINGS_INGRESS__MAX_CONNECTIONS",
        "how many connections the ingress serves at once",
        "a whole number from 16 to 100000",
    ),
    plain(
        "ingress.max_connections_per_source",
        "TIDINGS_INGRESS__MAX_CONNECTIONS_PER_SOURCE",
        "how many connections one source address may have",
        "a whole number from 1 to 100000",
    ),
    plain(
        "ingress.journal.enabled",
        "TIDINGS_INGRESS__JOURNAL__ENABLED",
        "whether callbacks are kept on the local disk while RabbitMQ takes none",
        "true or false",
    ),
    plain(
        "ingress.journal.max_bytes",
        "TIDINGS_INGRESS__JOURNAL__MAX_BYTES",
        "how much of the disk the journal may take",
        "a whole number of bytes from 16777216 (16 MiB) to 1099511627776 (1 TiB)",
    ),
    plain(
        "ingress.rate_limit.failures_per_minute",
        "TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE",
        "failed authentications a source address may have in a minute",
        "a whole number from 1 to 1000000",
    ),
    plain(
        "ingress.rate_limit.account_per_second",
        "TIDINGS_INGRESS__RATE_LIMIT__ACCOUNT_PER_SECOND",
        "callbacks a provider account may send in a second",
        "a whole number from 1 to 1000000, or off",
    ),
    plain(
        "subscriptions.listen",
        "TIDINGS_SUBSCRIPTIONS__LISTEN",
        "the address and port of the API and the console",
        ADDRESS,
    ),
    plain(
        "subscriptions.public_url",
        "TIDINGS_SUBSCRIPTIONS__PUBLIC_URL",
        "the URL under which tenants reach the API from outside",
        "an absolute http or https URL without user, query or fragment, such as https://api.example.com",
    ),
    plain(
        "subscriptions.cors_origins",
        "TIDINGS_SUBSCRIPTIONS__CORS_ORIGINS",
        "the origins whose pages may use the API from a browser",
        "up to 32 origins, such as https://console.example.com, separated by commas",
    ),
    plain(
        "subscriptions.trusted_proxies",
        "TIDINGS_SUBSCRIPTIONS__TRUSTED_PROXIES",
        "the networks of your own reverse proxies in front of the API",
        NETWORKS,
    ),
    plain(
        "subscriptions.client_address_header",
        "TIDINGS_SUBSCRIPTIONS__CLIENT_ADDRESS_HEADER",
        "the header in which a trusted proxy names its client",
        "x-forwarded-for, forwarded or x-real-ip",
    ),
    secret(
        "subscriptions.admin_key",
        "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY",
        "the key that creates tenants and acts for the platform",
        "16 to 512 visible ASCII characters without spaces, or left out",
    ),
    plain(
        "subscriptions.failures_per_minute",
        "TIDINGS_SUBSCRIPTIONS__FAILURES_PER_MINUTE",
        "wrong keys a source address may show the API in a minute",
        "a whole number from 1 to 1000000",
    ),
    plain(
        "subscriptions.rate_limit.per_minute",
        "TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__PER_MINUTE",
        "requests a tenant may make to a process of the API in a minute",
        "a whole number from 1 to 1000000, or off",
    ),
    plain(
        "subscriptions.rate_limit.at_once",
        "TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__AT_ONCE",
        "requests a tenant may make to a process of the API at a time",
        "a whole number from 1 to 10000",
    ),
    plain(
        "runtime.admin_listen",
        "TIDINGS_RUNTIME__ADMIN_LISTEN",
        "the address and port of /livez, /readyz and /metrics",
        ADDRESS,
    ),
    plain(
        "egress.allow_networks",
        "TIDINGS_EGRESS__ALLOW_NETWORKS",
        "networks tenants' webhooks may reach besides the public internet",
        NETWORKS,
    ),
    plain(
        "egress.allow_ports",
        "TIDINGS_EGRESS__ALLOW_PORTS",
        "the ports tenants' webhooks may reach",
        "a list of ports and ranges from 1 to 65535, such as 80,443,1024-65535",
    ),
    plain(
        "egress.require_https",
        "TIDINGS_EGRESS__REQUIRE_HTTPS",
        "whether tenants' webhooks must be https",
        "true or false",
    ),
    plain(
        "egress.max_per_host",
        "TIDINGS_EGRESS__MAX_PER_HOST",
        "how many requests are under way at once to one host, over all tenants",
        "a whole number from 1 to 2048",
    ),
    secret(
        "egress.proxy",
        "TIDINGS_EGRESS__PROXY",
        "the HTTP proxy that connects to tenants' webhooks",
        "http://host:port or http://user:password@host:port",
    ),
    plain(
        "dispatcher.retry",
        "TIDINGS_DISPATCHER__RETRY",
        "how a delivery is retried after its first attempt",
        "quick, standard, or a list of 1 to 50 waits of at most 30 days, in seconds or as 5m, 2h, 1d",
    ),
    plain(
        "dispatcher.timeout",
        "TIDINGS_DISPATCHER__TIMEOUT",
        "how long one attempt may take",
        MINUTE,
    ),
    plain(
        "dispatcher.disable_after",
        "TIDINGS_DISPATCHER__DISABLE_AFTER",
        "after which time with nothing but failures a subscription is disabled",
        "a duration from 1 hour to 365 days, such as 5d, or off",
    ),
    plain(
        "dispatcher.breaker.min_requests",
        "TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS",
        "how many attempts there must be before an endpoint that fails is left alone",
        "a whole number from 1 to 10000",
    ),
    plain(
        "dispatcher.breaker.failure_ratio",
        "TIDINGS_DISPATCHER__BREAKER__FAILURE_RATIO",
        "which part of them must have failed",
        "a number from 0.01 to 1",
    ),
    plain(
        "dispatcher.breaker.window",
        "TIDINGS_DISPATCHER__BREAKER__WINDOW",
        "within which time",
        "a duration from 10 seconds to 1 hour, such as 60s",
    ),
    plain(
        "dispatcher.breaker.open",
        "TIDINGS_DISPATCHER__BREAKER__OPEN",
        "for how long it is left alone",
        "a duration from 1 second to 1 hour, such as 30s",
    ),
    plain(
        "tracker.max_attempts",
        "TIDINGS_TRACKER__MAX_ATTEMPTS",
        "how often a job is tried before it becomes a dead letter",
        "a whole number from 1 to 100",
    ),
    plain(
        "tracker.orphan_window",
        "TIDINGS_TRACKER__ORPHAN_WINDOW",
        "how long a report waits for its message",
        "a duration from 1 hour to 90 days, such as 72h",
    ),
    plain(
        "tracker.provider_degraded_ratio",
        "TIDINGS_TRACKER__PROVIDER_DEGRADED_RATIO",
        "from which part of missed ends on a provider account is degraded",
        "a number from 0.05 to 1, such as 0.3",
    ),
    plain(
        "poller.enabled",
        "TIDINGS_POLLER__ENABLED",
        "whether providers are asked about messages of which nothing is heard, and these given up",
        "true or false",
    ),
    plain(
        "poller.first_poll",
        "TIDINGS_POLLER__FIRST_POLL",
        "how long after its registration a message is asked about first, until its provider's delays are known",
        UP_TO_A_DAY,
    ),
    plain(
        "poller.first_poll_floor",
        "TIDINGS_POLLER__FIRST_POLL_FLOOR",
        "the shortest wait before the first poll, however fast a provider reports",
        UP_TO_A_DAY,
    ),
    plain(
        "poller.first_poll_ceiling",
        "TIDINGS_POLLER__FIRST_POLL_CEILING",
        "the longest wait before the first poll, however slowly a provider reports",
        UP_TO_A_DAY,
    ),
    plain(
        "poller.max_age",
        "TIDINGS_POLLER__MAX_AGE",
        "how old a message becomes of which nothing is heard, where its account says nothing else",
        "a duration from 60 seconds to 30 days, such as 24h",
    ),
    plain(
        "retention.callbacks",
        "TIDINGS_RETENTION__CALLBACKS",
        "how long callbacks are kept",
        YEARS,
    ),
    plain(
        "retention.attempts",
        "TIDINGS_RETENTION__ATTEMPTS",
        "how long attempts at webhooks are kept",
        YEARS,
    ),
    plain(
        "retention.deliveries",
        "TIDINGS_RETENTION__DELIVERIES",
        "how long deliveries are kept",
        YEARS,
    ),
    plain(
        "retention.events",
        "TIDINGS_RETENTION__EVENTS",
        "how long events are kept",
        YEARS,
    ),
    plain(
        "retention.messages",
        "TIDINGS_RETENTION__MESSAGES",
        "how long messages and their histories are kept",
        YEARS,
    ),
    plain(
        "retention.security_events",
        "TIDINGS_RETENTION__SECURITY_EVENTS",
        "how long security events are kept",
        YEARS,
    ),
    plain(
        "retention.quarantine",
        "TIDINGS_RETENTION__QUARANTINE",
        "how long refused requests are kept",
        "a duration from 1 hour to 90 days, such as 12h or 7d",
    ),
    plain(
        "retention.dead_letters",
        "TIDINGS_RETENTION__DEAD_LETTERS",
        "how long dead letters are kept",
        YEARS,
    ),
    plain(
        "retention.tallies",
        "TIDINGS_RETENTION__TALLIES",
        "how long the counts behind statistics are kept",
        "a duration from 2 days to 10 years, such as 400d",
    ),
    plain(
        "retention.polls",
        "TIDINGS_RETENTION__POLLS",
        "how long it is kept what was asked about messages",
        YEARS,
    ),
    plain(
        "retention.audit",
        "TIDINGS_RETENTION__AUDIT",
        "how long the audit log is kept",
        "a duration from 30 days to 10 years, such as 400d",
    ),
    plain(
        "security.log_events",
        "TIDINGS_SECURITY__LOG_EVENTS",
        "whether refused callbacks are logged",
        "true or false",
    ),
    plain(
        "security.alert_thresholds.window",
        "TIDINGS_SECURITY__ALERT_THRESHOLDS__WINDOW",
        "in how long what is suspicious is counted",
        "a duration from 1 minute to 1 hour, such as 5m",
    ),
    plain(
        "security.alert_thresholds.failures_per_source",
        "TIDINGS_SECURITY__ALERT_THRESHOLDS__FAILURES_PER_SOURCE",
        "failed authentications of one source that are suspicious",
        THRESHOLD,
    ),
    plain(
        "security.alert_thresholds.failures_per_account",
        "TIDINGS_SECURITY__ALERT_THRESHOLDS__FAILURES_PER_ACCOUNT",
        "failed authentications at one account that are suspicious",
        THRESHOLD,
    ),
    plain(
        "security.alert_thresholds.accounts_per_source",
        "TIDINGS_SECURITY__ALERT_THRESHOLDS__ACCOUNTS_PER_SOURCE",
        "accounts at which one source failed that are suspicious",
        "a whole number from 1 to 1000, or off",
    ),
    plain(
        "security.alert_thresholds.stale_per_account",
        "TIDINGS_SECURITY__ALERT_THRESHOLDS__STALE_PER_ACCOUNT",
        "genuine signatures at one account with a wrong time that are suspicious",
        THRESHOLD,
    ),
    plain(
        "security.alert_thresholds.new_source",
        "TIDINGS_SECURITY__ALERT_THRESHOLDS__NEW_SOURCE",
        "whether a new source of an account is suspicious",
        "true or false",
    ),
    plain(
        "telemetry.log_format",
        "TIDINGS_TELEMETRY__LOG_FORMAT",
        "the form of log lines",
        "text or json",
    ),
    plain(
        "telemetry.log_level",
        "TIDINGS_TELEMETRY__LOG_LEVEL",
        "what is logged",
        "error, warn, info, debug, trace, off, or EnvFilter directives such as info,tidings_broker=debug",
    ),
    secret(
        "telemetry.otlp_endpoint",
        "TIDINGS_TELEMETRY__OTLP_ENDPOINT",
        "the base URL of an OTLP/HTTP collector for traces",
        "an absolute http or https URL without query or fragment, such as http://127.0.0.1:4318",
    ),
];

const ENCRYPTION_KEY: &str =
    "32 bytes in standard base64, 44 characters, as printed by `openssl rand -base64 32`";
const ADDRESS: &str = "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
const NETWORKS: &str = "a list of networks in CIDR form, such as 10.0.0.0/8,fd00::/8";
const THRESHOLD: &str = "a whole number from 1 to 1000000, or off";
const YEARS: &str = "a duration from 1 to 3650 days, such as 30d";
const UP_TO_A_DAY: &str = "a duration from 1 second to 24 hours, such as 300s or 1h";
const MINUTE: &str = "a duration from 1 to 60 seconds, such as 5 or 10s";

const fn plain(
    name: &'static str,
    variable: &'static str,
    description: &'static str,
    allowed: &'static str,
) -> Key {
    Key {
        name,
        variable,
        from_file: false,
        secret: false,
        description,
        allowed,
    }
}

const fn secret(
    name: &'static str,
    variable: &'static str,
    description: &'static str,
    allowed: &'static str,
) -> Key {
    Key {
        name,
        variable,
        from_file: true,
        secret: true,
        description,
        allowed,
    }
}
