use std::fmt::Write;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;

use crate::key::KEYS;
use crate::secret::REDACTED;
use crate::section::store::DEFAULT_FILE;
use crate::{BrokerUrl, Config, RetryPolicy, Secret, StoreUrl, redact};

/// The configuration as TOML, in the order of the keys; a key without a value is left out.
pub(crate) fn render(config: &Config) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        let Some(value) = value(config, key.name) else {
            continue;
        };
        let (parent, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        // Writing to a String cannot fail.
        if parent != section {
            let _ = writeln!(text, "\n[{parent}]");
            section = parent;
        }
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

fn value(config: &Config, name: &str) -> Option<Value> {
    let value = match name {
        "data_dir" => config.data_dir.display().to_string().into(),
        "store.url" => store_url(&config.store.url, &config.data_dir).into(),
        "store.encryption_key" => hidden(config.store.encryption_key.as_ref())?,
        "store.previous_encryption_key" => hidden(config.store.previous_encryption_key.as_ref())?,
        "broker.url" => broker_url(&config.broker.url).into(),
        "broker.namespace" => config.broker.namespace.clone().into(),
        "ingress.listen" => config.ingress.listen.to_string().into(),
        "ingress.public_url" => config.ingress.public_url.clone()?.into(),
        "ingress.trusted_proxies" => networks(&config.ingress.trusted_proxies),
        "ingress.client_address_header" => config.ingress.client_address_header.name().into(),
        "ingress.max_body_bytes" => integer(config.ingress.max_body_bytes),
        "ingress.body_deadline" => duration(config.ingress.body_deadline),
        "ingress.rate_limit.failures_per_minute" => {
            config.ingress.rate_limit.failures_per_minute.into()
        }
        "ingress.rate_limit.account_per_second" => config
            .ingress
            .rate_limit
            .account_per_second
            .map_or("off".into(), Value::from),
        "subscriptions.listen" => config.subscriptions.listen.to_string().into(),
        "subscriptions.public_url" => config.subscriptions.public_url.clone()?.into(),
        "subscriptions.cors_origins" => {
            let origins = config.subscriptions.cors_origins.iter();
            list(origins.map(|origin| origin.as_str().into()))
        }
        "subscriptions.trusted_proxies" => networks(&config.subscriptions.trusted_proxies),
        "subscriptions.client_address_header" => {
            config.subscriptions.client_address_header.name().into()
        }
        "subscriptions.admin_key" => hidden(config.subscriptions.admin_key.as_ref())?,
        "subscriptions.failures_per_minute" => config.subscriptions.failures_per_minute.into(),
        "subscriptions.rate_limit.per_minute" => config
            .subscriptions
            .rate_limit
            .per_minute
            .map_or("off".into(), Value::from),
        "subscriptions.rate_limit.at_once" => integer(config.subscriptions.rate_limit.at_once),
        "runtime.admin_listen" => config.runtime.admin_listen.to_string().into(),
        "egress.allow_networks" => networks(&config.egress.allow_networks),
        "egress.allow_ports" => list(config.egress.allow_ports.iter().map(ports)),
        "egress.require_https" => config.egress.require_https.into(),
        "egress.proxy" => config.egress.proxy.as_ref().map(redact::url)?.into(),
        "dispatcher.retry" => retry(config.dispatcher.retry.as_ref()?),
        "egress.max_per_host" => integer(config.egress.max_per_host),
        "dispatcher.breaker.min_requests" => config.dispatcher.breaker.min_requests.into(),
        "dispatcher.breaker.failure_ratio" => config.dispatcher.breaker.failure_ratio.into(),
        "dispatcher.breaker.window" => duration(config.dispatcher.breaker.window),
        "dispatcher.breaker.open" => duration(config.dispatcher.breaker.open),
        "dispatcher.timeout" => duration(config.dispatcher.timeout),
        "dispatcher.disable_after" => config
            .dispatcher
            .disable_after
            .map_or("off".into(), duration),
        "tracker.max_attempts" => config.tracker.max_attempts.into(),
        "tracker.orphan_window" => duration(config.tracker.orphan_window),
        "poller.enabled" => config.poller.enabled.into(),
        "poller.first_poll" => duration(config.poller.first_poll),
        "poller.first_poll_floor" => duration(config.poller.first_poll_floor),
        "poller.first_poll_ceiling" => duration(config.poller.first_poll_ceiling),
        "poller.max_age" => duration(config.poller.max_age),
        "retention.callbacks" => duration(config.retention.callbacks),
        "retention.attempts" => duration(config.retention.attempts),
        "retention.deliveries" => duration(config.retention.deliveries),
        "retention.events" => duration(config.retention.events),
        "retention.messages" => duration(config.retention.messages),
        "retention.security_events" => duration(config.retention.security_events),
        "retention.quarantine" => duration(config.retention.quarantine),
        "retention.dead_letters" => duration(config.retention.dead_letters),
        "retention.polls" => duration(config.retention.polls),
        "retention.audit" => duration(config.retention.audit),
        "telemetry.log_format" => config.telemetry.log_format.name().into(),
        "telemetry.log_level" => config.telemetry.log_level.clone().into(),
        "telemetry.otlp_endpoint" => config
            .telemetry
            .otlp_endpoint
            .as_ref()
            .map(redact::url)?
            .into(),
        _ => return None,
    };
    Some(value)
}

fn store_url(url: &StoreUrl, data_dir: &Path) -> String {
    match url {
        // As it is written by default: a path in data_dir may contain what a sqlite: URL may not.
        StoreUrl::Sqlite(path) if *path == data_dir.join(DEFAULT_FILE) => "sqlite:".to_owned(),
        StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreUrl::Postgres(url) => redact::url(url),
    }
}

fn broker_url(url: &BrokerUrl) -> String {
    match url {
        BrokerUrl::Embedded => "embedded:".to_owned(),
        BrokerUrl::Amqp(url) => redact::url(url),
    }
}

/// That there is a secret, and no more: this text is refused when it is read as one.
fn hidden(secret: Option<&Secret>) -> Option<Value> {
    secret.map(|_| REDACTED.into())
}

fn list(values: impl Iterator<Item = Value>) -> Value {
    Value::Array(values.collect())
}

fn networks(networks: &[IpNet]) -> Value {
    list(networks.iter().map(|network| network.to_string().into()))
}

fn ports(range: &RangeInclusive<u16>) -> Value {
    if range.start() == range.end() {
        return u32::from(*range.start()).into();
    }
    format!("{}-{}", range.start(), range.end()).into()
}

fn retry(policy: &RetryPolicy) -> Value {
    match policy {
        RetryPolicy::Quick => "quick".into(),
        RetryPolicy::Standard => "standard".into(),
        RetryPolicy::Delays(delays) => list(delays.iter().copied().map(duration)),
    }
}

fn duration(duration: Duration) -> Value {
    format!("{}s", duration.as_secs()).into()
}

fn integer(number: usize) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
