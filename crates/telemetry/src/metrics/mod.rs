//! Metrics in the Prometheus text format.

mod family;
mod name;

use crate::Error;
use family::Families;
use prometheus::{Registry, TextEncoder};
use std::fmt;
use std::sync::Arc;

pub use name::Name;

/// The content type of [`Metrics::render`]: the Prometheus text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How far a callback has come since it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its report is applied to the message, and committed.
    State,
    /// Its event has a sequence, and is fanned out.
    Event,
    /// The first attempt of a delivery has started.
    FirstAttempt,
    /// A tenant answered with a 2xx.
    Delivered,
}

impl Stage {
    /// Every stage, in the order they happen.
    pub const ALL: [Self; 4] = [
        Self::State,
        Self::Event,
        Self::FirstAttempt,
        Self::Delivered,
    ];

    /// The value of the `stage` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Event => "event",
            Self::FirstAttempt => "first_attempt",
            Self::Delivered => "delivered",
        }
    }
}

/// All metrics of one instance. Clones share the same numbers; two instances share nothing.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
}

impl Metrics {
    /// Every family registered, `tidings_build_info` telling `version`.
    ///
    /// # Errors
    /// [`Error::Metric`] when two families have the same name, which a test rules out.
    pub fn new(version: &str) -> Result<Self, Error> {
        let registry = Registry::new();
        let families = Families::register(&registry)?;
        families.build_info.with_label_values(&[version]).set(1);
        Ok(Self {
            registry,
            families: Arc::new(families),
        })
    }

    /// Every metric there is: what a dashboard or an alert may name.
    pub const fn names() -> &'static [Name] {
        &Name::ALL
    }

    /// Everything, as text of [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_else(|error| {
                tracing::error!(%error, "metrics cannot be rendered");
                String::new()
            })
    }

    /// The ingress answered a callback.
    pub fn callback(&self, provider: &str, outcome: &str) {
        self.families
            .callbacks
            .with_label_values(&[provider, outcome])
            .inc();
    }

    /// Something was refused or suspicious.
    pub fn security_event(&self, kind: &str) {
        self.families
            .security_events
            .with_label_values(&[kind])
            .inc();
    }

    /// A report was applied, or was not: `applied duplicate stale orphaned unmapped dead`.
    pub fn report(&self, outcome: &str) {
        self.families.reports.with_label_values(&[outcome]).inc();
    }

    /// A message came into `state`.
    pub fn state_change(&self, provider: &str, state: &str) {
        self.families
            .state_changes
            .with_label_values(&[provider, state])
            .inc();
    }

    /// How many reports wait for their message, and for how long the oldest has.
    pub fn set_orphans(&self, count: u64, oldest_seconds: f64) {
        self.families.orphans.set(gauge(count));
        self.families.orphans_oldest.set(oldest_seconds);
    }

    /// How many dead letters of a queue there are.
    pub fn set_dead_letters(&self, queue: &str, count: u64) {
        self.families
            .dead_letters
            .with_label_values(&[queue])
            .set(gauge(count));
    }

    /// Reports were given up because their message never came.
    pub fn orphans_expired(&self, count: u64) {
        self.families.orphans_expired.inc_by(count);
    }

    /// Which part of the messages that ended lately no callback ended, of each provider of which any did;
    /// not a number where too few did to say.
    pub fn set_reports_missed<'a>(
        &self,
        providers: impl IntoIterator<Item = (&'a str, Option<f64>)>,
    ) {
        let family = &self.families.reports_missed;
        family.reset();
        for (provider, ratio) in providers {
            family
                .with_label_values(&[provider])
                .set(ratio.unwrap_or(f64::NAN));
        }
    }

    /// How many subscriptions are in `state`.
    pub fn set_subscriptions(&self, state: &str, count: u64) {
        self.families
            .subscriptions
            .with_label_values(&[state])
            .set(gauge(count));
    }

    /// A subscription was disabled, and not by its owner.
    pub fn subscription_disabled(&self, reason: &str) {
        self.families
            .subscriptions_disabled
            .with_label_values(&[reason])
            .inc();
    }

    /// How many breakers of subscriptions are in `state`.
    pub fn set_breakers(&self, state: &str, count: u64) {
        self.families
            .breakers
            .with_label_values(&[state])
            .set(gauge(count));
    }

    /// How many replays are in `state`.
    pub fn set_replays(&self, state: &str, count: u64) {
        self.families
            .replays
            .with_label_values(&[state])
            .set(gauge(count));
    }

    /// The head of the audit log: its position, and as much of its hash as every reader of numbers keeps.
    pub fn set_audit_head(&self, position: i64, hash: &[u8; 32]) {
        let beginning = hash.iter().take(6);
        let number = beginning.fold(0, |number, byte| (number << 8) | i64::from(*byte));
        self.families.audit_head_position.set(position);
        self.families.audit_head_hash.set(number);
    }

    /// How many requests wait for events at the feed.
    pub fn set_feed_readers(&self, count: u64) {
        self.families.feed_readers.set(gauge(count));
    }

    /// How many shards this instance owns.
    pub fn set_shards_owned(&self, count: u64) {
        self.families.shards_owned.set(gauge(count));
    }

    /// An event was accepted from `source`.
    pub fn event(&self, source: &str) {
        self.families.events.with_label_values(&[source]).inc();
    }

    /// A message of a publisher was taken from RabbitMQ: `accepted replayed refused`.
    pub fn amqp_message(&self, outcome: &str) {
        self.families
            .amqp_messages
            .with_label_values(&[outcome])
            .inc();
    }

    /// Something was refused because a limit of the plan is used up: `events_per_day webhooks`.
    pub fn limit_refusal(&self, limit: &str) {
        self.families
            .limit_refusals
            .with_label_values(&[limit])
            .inc();
    }

    /// A delivery came to an end.
    pub fn delivery(&self, outcome: &str) {
        self.families.deliveries.with_label_values(&[outcome]).inc();
    }

    /// An attempt ended; `class` is `2xx` or the stable name of its error.
    pub fn attempt(&self, class: &str) {
        self.families.attempts.with_label_values(&[class]).inc();
    }

    /// An event was `converted` to the version that a subscription wants, or that `failed`.
    pub fn conversion(&self, outcome: &str) {
        self.families
            .conversions
            .with_label_values(&[outcome])
            .inc();
    }

    /// A test or a check (`kind`) of an endpoint ended.
    pub fn trial(&self, kind: &str, class: &str) {
        self.families.trials.with_label_values(&[kind, class]).inc();
    }

    /// How many jobs wait in `queue`, and for how long the oldest has.
    pub fn queue(&self, queue: &str, depth: u64, oldest_seconds: f64) {
        self.families
            .queue_depth
            .with_label_values(&[queue])
            .set(gauge(depth));
        self.families
            .queue_oldest
            .with_label_values(&[queue])
            .set(oldest_seconds);
    }

    /// How much of the disk the journal takes, and how long its oldest record has waited.
    pub fn set_journal(&self, bytes: u64, oldest_seconds: f64) {
        self.families.journal_bytes.set(gauge(bytes));
        self.families.journal_oldest.set(oldest_seconds);
    }

    /// A callback was `kept` in the journal, `forwarded` from there, or `confirmed_late`.
    pub fn journal(&self, outcome: &str) {
        self.families
            .journal_records
            .with_label_values(&[outcome])
            .inc();
    }

    /// Suspicious activity was told to the platform tenant.
    pub fn suspicious_activity(&self, signal: &str) {
        self.families
            .suspicious_activity
            .with_label_values(&[signal])
            .inc();
    }

    /// A connection to `listener` was closed because its source had too many.
    pub fn connection_refused(&self, listener: &str) {
        self.families
            .connections_refused
            .with_label_values(&[listener])
            .inc();
    }

    /// A provider was asked about a message, or a message was given up.
    pub fn poll(&self, provider: &str, outcome: &str) {
        self.families
            .polls
            .with_label_values(&[provider, outcome])
            .inc();
    }

    /// For how long the message has been due to be asked about that has been for longest.
    pub fn set_poll_oldest_overdue(&self, seconds: f64) {
        self.families.poll_oldest_overdue.set(seconds);
    }

    /// How many accounts of a provider are left alone for this reason.
    pub fn set_provider_breakers(&self, provider: &str, state: &str, count: u64) {
        self.families
            .provider_breakers
            .with_label_values(&[provider, state])
            .set(gauge(count));
    }

    /// A callback reached `stage`, `seconds` after it was received.
    pub fn stage(&self, stage: Stage, seconds: f64) {
        let [committed, stamped, attempted, delivered] = &self.families.stages;
        match stage {
            Stage::State => committed,
            Stage::Event => stamped,
            Stage::FirstAttempt => attempted,
            Stage::Delivered => delivered,
        }
        .observe(seconds);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything_once() -> Metrics {
        let metrics = Metrics::new("1.2.3").unwrap();
        metrics.callback("orange", "accepted");
        metrics.security_event("signature_mismatch");
        metrics.report("applied");
        metrics.state_change("orange", "delivered");
        metrics.set_orphans(3, 1.5);
        metrics.set_dead_letters("jobs", 2);
        metrics.orphans_expired(2);
        metrics.set_reports_missed([("orange", Some(0.25))]);
        metrics.set_subscriptions("active", 7);
        metrics.subscription_disabled("failing");
        metrics.set_breakers("open", 1);
        metrics.set_replays("running", 2);
        metrics.set_audit_head(42, &[1; 32]);
        metrics.set_feed_readers(3);
        metrics.amqp_message("refused");
        metrics.limit_refusal("webhooks");
        metrics.set_shards_owned(64);
        metrics.event("api");
        metrics.delivery("delivered");
        metrics.attempt("status_5xx");
        metrics.queue("jobs", 12, 0.25);
        metrics.stage(Stage::FirstAttempt, 0.004);
        metrics.set_journal(4096, 2.5);
        metrics.journal("kept");
        metrics.suspicious_activity("new_source");
        metrics.connection_refused("ingress");
        metrics.poll("mtn", "reported");
        metrics.set_poll_oldest_overdue(12.0);
        metrics.set_provider_breakers("mtn", "open", 2);
        metrics.trial("check", "ok");
        metrics.conversion("converted");
        metrics
    }

    #[test]
    fn every_name_is_rendered_with_its_help_and_its_labels() {
        let text = everything_once().render();
        for name in Metrics::names() {
            assert!(
                text.contains(&format!("# HELP {} {}\n", name.as_str(), name.help())),
                "{name:?}"
            );
            for label in name.labels() {
                let labelled = text.lines().any(|line| {
                    line.starts_with(name.as_str()) && line.contains(&format!("{label}=\""))
                });
                assert!(labelled, "{name:?} has no label {label}");
            }
        }
        assert_eq!(text.matches("# HELP").count(), Metrics::names().len());
    }

    #[test]
    fn of_missed_reports_only_the_last_look_is_told() {
        let metrics = everything_once();
        metrics.set_reports_missed([("mtn", None), ("stub", Some(0.5))]);
        let text = metrics.render();
        assert!(text.contains("tidings_reports_missed_ratio{provider=\"mtn\"} NaN\n"));
        assert!(text.contains("tidings_reports_missed_ratio{provider=\"stub\"} 0.5\n"));
        assert!(!text.contains("tidings_reports_missed_ratio{provider=\"orange\"}"));
    }

    #[test]
    fn numbers_are_rendered_as_they_were_told() {
        let text = everything_once().render();
        for line in [
            r#"tidings_callbacks_total{outcome="accepted",provider="orange"} 1"#,
            r#"tidings_messages_state_changes_total{provider="orange",state="delivered"} 1"#,
            r#"tidings_reports_total{outcome="applied"} 1"#,
            r#"tidings_reports_total{outcome="dead"} 0"#,
            "tidings_orphans 3",
            "tidings_orphans_oldest_seconds 1.5",
            r#"tidings_dead_letters{queue="jobs"} 2"#,
            "tidings_orphans_expired_total 2",
            r#"tidings_subscriptions{state="active"} 7"#,
            r#"tidings_subscriptions_disabled_total{reason="failing"} 1"#,
            r#"tidings_webhook_trials_total{class="ok",kind="check"} 1"#,
            r#"tidings_conversions_total{outcome="converted"} 1"#,
            r#"tidings_breakers{state="open"} 1"#,
            r#"tidings_replays{state="running"} 2"#,
            "tidings_audit_head_position 42",
            "tidings_audit_head_hash 1103823438081",
            "tidings_feed_readers 3",
            r#"tidings_amqp_messages_total{outcome="refused"} 1"#,
            r#"tidings_limit_refusals_total{limit="webhooks"} 1"#,
            "tidings_shards_owned 64",
            r#"tidings_queue_depth{queue="jobs"} 12"#,
            r#"tidings_queue_oldest_seconds{queue="jobs"} 0.25"#,
            "tidings_journal_bytes 4096",
            "tidings_journal_oldest_seconds 2.5",
            r#"tidings_journal_records_total{outcome="kept"} 1"#,
            r#"tidings_suspicious_activity_total{signal="new_source"} 1"#,
            r#"tidings_connections_refused_total{listener="ingress"} 1"#,
            r#"tidings_polls_total{outcome="reported",provider="mtn"} 1"#,
            "tidings_poll_oldest_overdue_seconds 12",
            r#"tidings_provider_breakers{provider="mtn",state="open"} 2"#,
            r#"tidings_stage_seconds_bucket{stage="first_attempt",le="0.005"} 1"#,
            r#"tidings_stage_seconds_bucket{stage="first_attempt",le="0.003"} 0"#,
            r#"tidings_stage_seconds_bucket{stage="delivered",le="3600"} 0"#,
            r#"tidings_build_info{version="1.2.3"} 1"#,
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in\n{text}"
            );
        }
    }

    #[test]
    fn two_instances_share_no_number_and_clones_share_all() {
        let one = Metrics::new("1").unwrap();
        let other = Metrics::new("1").unwrap();
        one.clone().event("api");
        assert!(
            one.render()
                .contains(r#"tidings_events_total{source="api"} 1"#)
        );
        assert!(!other.render().contains("tidings_events_total"));
    }

    #[test]
    fn a_hostile_label_value_stays_on_its_line() {
        let metrics = Metrics::new("1").unwrap();
        metrics.callback("a\"\n\\b", "accepted");
        assert!(metrics.render().contains(r#"provider="a\"\n\\b""#));
    }
}
