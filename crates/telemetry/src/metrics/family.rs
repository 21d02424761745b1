//! The registered families, one field each.

use super::{Name, Stage};
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, Result,
};

/// From the half millisecond a report needs to the hour a tenant may be away.
const STAGE_BUCKETS: [f64; 20] = [
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 300.0, 900.0, 3600.0,
];

/// Told from the start, so that the first of a kind is seen as an increase.
const REPORT_OUTCOMES: [&str; 6] = [
    "applied",
    "duplicate",
    "stale",
    "orphaned",
    "unmapped",
    "dead",
];

const JOURNAL_OUTCOMES: [&str; 3] = ["kept", "forwarded", "confirmed_late"];
const DISABLED: [&str; 3] = ["gone", "asked", "failing"];
const SIGNALS: [&str; 5] = [
    "failures_of_source",
    "failures_of_account",
    "accounts_of_source",
    "new_source",
    "skewed_clock",
];

pub(super) struct Families {
    pub callbacks: IntCounterVec,
    pub security_events: IntCounterVec,
    pub reports: IntCounterVec,
    pub state_changes: IntCounterVec,
    pub orphans: IntGauge,
    pub orphans_oldest: Gauge,
    pub dead_letters: IntGaugeVec,
    pub orphans_expired: IntCounter,
    pub reports_missed: GaugeVec,
    pub subscriptions: IntGaugeVec,
    pub subscriptions_disabled: IntCounterVec,
    pub breakers: IntGaugeVec,
    pub replays: IntGaugeVec,
    pub audit_head_position: IntGauge,
    pub audit_head_hash: IntGauge,
    pub feed_readers: IntGauge,
    pub shards_owned: IntGauge,
    pub events: IntCounterVec,
    pub amqp_messages: IntCounterVec,
    pub limit_refusals: IntCounterVec,
    pub deliveries: IntCounterVec,
    pub attempts: IntCounterVec,
    pub trials: IntCounterVec,
    pub conversions: IntCounterVec,
    pub queue_depth: IntGaugeVec,
    pub queue_oldest: GaugeVec,
    /// In the order of [`Stage::ALL`], looked up once: a stage is told for every message.
    pub stages: [Histogram; 4],
    pub journal_bytes: IntGauge,
    pub journal_oldest: Gauge,
    pub journal_records: IntCounterVec,
    pub suspicious_activity: IntCounterVec,
    pub connections_refused: IntCounterVec,
    pub polls: IntCounterVec,
    pub poll_oldest_overdue: Gauge,
    pub provider_breakers: IntGaugeVec,
    pub build_info: IntGaugeVec,
}

impl Families {
    pub(super) fn register(registry: &Registry) -> Result<Self> {
        let told = |name: Name, values: &[&str]| {
            let family = counter(registry, name)?;
            for value in values {
                family.with_label_values(&[*value]);
            }
            Ok::<_, prometheus::Error>(family)
        };
        let stages = HistogramOpts::from(opts(Name::Stages)).buckets(STAGE_BUCKETS.to_vec());
        let stages = enter(registry, HistogramVec::new(stages, Name::Stages.labels())?)?;
        Ok(Self {
            callbacks: counter(registry, Name::Callbacks)?,
            security_events: counter(registry, Name::SecurityEvents)?,
            reports: told(Name::Reports, &REPORT_OUTCOMES)?,
            state_changes: counter(registry, Name::StateChanges)?,
            orphans: enter(registry, IntGauge::with_opts(opts(Name::Orphans))?)?,
            orphans_oldest: enter(registry, Gauge::with_opts(opts(Name::OrphansOldest))?)?,
            dead_letters: int_gauge(registry, Name::DeadLetters)?,
            orphans_expired: enter(registry, IntCounter::with_opts(opts(Name::OrphansExpired))?)?,
            reports_missed: enter(
                registry,
                GaugeVec::new(opts(Name::ReportsMissed), Name::ReportsMissed.labels())?,
            )?,
            subscriptions: int_gauge(registry, Name::Subscriptions)?,
            subscriptions_disabled: told(Name::SubscriptionsDisabled, &DISABLED)?,
            breakers: int_gauge(registry, Name::Breakers)?,
            replays: int_gauge(registry, Name::Replays)?,
            audit_head_position: enter(
                registry,
                IntGauge::with_opts(opts(Name::AuditHeadPosition))?,
            )?,
            audit_head_hash: enter(registry, IntGauge::with_opts(opts(Name::AuditHeadHash))?)?,
            feed_readers: enter(registry, IntGauge::with_opts(opts(Name::FeedReaders))?)?,
            shards_owned: enter(registry, IntGauge::with_opts(opts(Name::ShardsOwned))?)?,
            events: counter(registry, Name::Events)?,
            amqp_messages: told(Name::AmqpMessages, &["accepted", "replayed", "refused"])?,
            limit_refusals: told(Name::LimitRefusals, &["events_per_day", "webhooks"])?,
            deliveries: counter(registry, Name::Deliveries)?,
            attempts: counter(registry, Name::Attempts)?,
            trials: counter(registry, Name::Trials)?,
            conversions: counter(registry, Name::Conversions)?,
            queue_depth: int_gauge(registry, Name::QueueDepth)?,
            queue_oldest: enter(
                registry,
                GaugeVec::new(opts(Name::QueueOldest), Name::QueueOldest.labels())?,
            )?,
            stages: Stage::ALL.map(|stage| stages.with_label_values(&[stage.as_str()])),
            journal_bytes: enter(registry, IntGauge::with_opts(opts(Name::JournalBytes))?)?,
            journal_oldest: enter(registry, Gauge::with_opts(opts(Name::JournalOldest))?)?,
            journal_records: told(Name::JournalRecords, &JOURNAL_OUTCOMES)?,
            suspicious_activity: told(Name::SuspiciousActivity, &SIGNALS)?,
            connections_refused: told(Name::ConnectionsRefused, &["ingress"])?,
            polls: counter(registry, Name::Polls)?,
            poll_oldest_overdue: enter(registry, Gauge::with_opts(opts(Name::PollOldestOverdue))?)?,
            provider_breakers: int_gauge(registry, Name::ProviderBreakers)?,
            build_info: int_gauge(registry, Name::BuildInfo)?,
        })
    }
}

fn counter(registry: &Registry, name: Name) -> Result<IntCounterVec> {
    enter(registry, IntCounterVec::new(opts(name), name.labels())?)
}

fn int_gauge(registry: &Registry, name: Name) -> Result<IntGaugeVec> {
    enter(registry, IntGaugeVec::new(opts(name), name.labels())?)
}

fn opts(name: Name) -> Opts {
    Opts::new(name.as_str(), name.help())
}

fn enter<C: Collector + Clone + 'static>(registry: &Registry, family: C) -> Result<C> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}
