//! The names of all metrics, in one table.

/// A metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `tidings_callbacks_total`
    Callbacks,
    /// `tidings_security_events_total`
    SecurityEvents,
    /// `tidings_reports_total`
    Reports,
    /// `tidings_messages_state_changes_total`
    StateChanges,
    /// `tidings_orphans`
    Orphans,
    /// `tidings_orphans_oldest_seconds`
    OrphansOldest,
    /// `tidings_dead_letters`
    DeadLetters,
    /// `tidings_orphans_expired_total`
    OrphansExpired,
    /// `tidings_reports_missed_ratio`
    ReportsMissed,
    /// `tidings_subscriptions`
    Subscriptions,
    /// `tidings_subscriptions_disabled_total`
    SubscriptionsDisabled,
    /// `tidings_breakers`
    Breakers,
    /// `tidings_replays`
    Replays,
    /// `tidings_audit_head_position`
    AuditHeadPosition,
    /// `tidings_audit_head_hash`
    AuditHeadHash,
    /// `tidings_feed_readers`
    FeedReaders,
    /// `tidings_shards_owned`
    ShardsOwned,
    /// `tidings_events_total`
    Events,
    /// `tidings_amqp_messages_total`
    AmqpMessages,
    /// `tidings_limit_refusals_total`
    LimitRefusals,
    /// `tidings_deliveries_total`
    Deliveries,
    /// `tidings_attempts_total`
    Attempts,
    /// `tidings_conversions_total`
    Conversions,
    /// `tidings_queue_depth`
    QueueDepth,
    /// `tidings_queue_oldest_seconds`
    QueueOldest,
    /// `tidings_stage_seconds`
    Stages,
    /// `tidings_journal_bytes`
    JournalBytes,
    /// `tidings_journal_oldest_seconds`
    JournalOldest,
    /// `tidings_journal_records_total`
    JournalRecords,
    /// `tidings_suspicious_activity_total`
    SuspiciousActivity,
    /// `tidings_connections_refused_total`
    ConnectionsRefused,
    /// `tidings_polls_total`
    Polls,
    /// `tidings_poll_oldest_overdue_seconds`
    PollOldestOverdue,
    /// `tidings_provider_breakers`
    ProviderBreakers,
    /// `tidings_webhook_trials_total`
    Trials,
    /// `tidings_build_info`
    BuildInfo,
}

impl Name {
    /// Every name there is.
    pub const ALL: [Self; 36] = [
        Self::Callbacks,
        Self::SecurityEvents,
        Self::Reports,
        Self::StateChanges,
        Self::Orphans,
        Self::OrphansOldest,
        Self::DeadLetters,
        Self::OrphansExpired,
        Self::ReportsMissed,
        Self::Subscriptions,
        Self::SubscriptionsDisabled,
        Self::Breakers,
        Self::Replays,
        Self::AuditHeadPosition,
        Self::AuditHeadHash,
        Self::FeedReaders,
        Self::ShardsOwned,
        Self::Events,
        Self::AmqpMessages,
        Self::LimitRefusals,
        Self::Deliveries,
        Self::Attempts,
        Self::Conversions,
        Self::QueueDepth,
        Self::QueueOldest,
        Self::Stages,
        Self::JournalBytes,
        Self::JournalOldest,
        Self::JournalRecords,
        Self::SuspiciousActivity,
        Self::ConnectionsRefused,
        Self::Polls,
        Self::PollOldestOverdue,
        Self::ProviderBreakers,
        Self::Trials,
        Self::BuildInfo,
    ];

    /// The name as Prometheus knows it.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The labels, in the order their values are given.
    pub const fn labels(self) -> &'static [&'static str] {
        self.row().1
    }

    /// What the number says.
    pub const fn help(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::Callbacks => (
                "tidings_callbacks_total",
                &["provider", "outcome"],
                "Callbacks answered by the ingress, by what it answered.",
            ),
            Self::SecurityEvents => (
                "tidings_security_events_total",
                &["type"],
                "Requests refused for their authentication, and other security events.",
            ),
            Self::Reports => (
                "tidings_reports_total",
                &["outcome"],
                "Reports of providers, by what they did to their message.",
            ),
            Self::StateChanges => (
                "tidings_messages_state_changes_total",
                &["provider", "state"],
                "Messages that came into a state.",
            ),
            Self::Orphans => (
                "tidings_orphans",
                &[],
                "Reports that wait for their message.",
            ),
            Self::OrphansOldest => (
                "tidings_orphans_oldest_seconds",
                &[],
                "How long the oldest orphan has waited.",
            ),
            Self::DeadLetters => (
                "tidings_dead_letters",
                &["queue"],
                "Jobs that were given up and wait for people.",
            ),
            Self::OrphansExpired => (
                "tidings_orphans_expired_total",
                &[],
                "Reports that were given up because their message never came.",
            ),
            Self::ReportsMissed => (
                "tidings_reports_missed_ratio",
                &["provider"],
                "Which part of the messages that ended in the last hour no callback ended.",
            ),
            Self::Subscriptions => (
                "tidings_subscriptions",
                &["state"],
                "Subscriptions, by their state.",
            ),
            Self::SubscriptionsDisabled => (
                "tidings_subscriptions_disabled_total",
                &["reason"],
                "Subscriptions that were disabled by anybody but their owners, by why.",
            ),
            Self::Breakers => (
                "tidings_breakers",
                &["state"],
                "Breakers of subscriptions, by their state.",
            ),
            Self::FeedReaders => (
                "tidings_feed_readers",
                &[],
                "Requests that wait for events at the feed.",
            ),
            Self::Replays => (
                "tidings_replays",
                &["state"],
                "Replays that are remembered, by their state.",
            ),
            Self::AuditHeadPosition => (
                "tidings_audit_head_position",
                &[],
                "The position of the newest entry of the audit log, as it was told last.",
            ),
            Self::AuditHeadHash => (
                "tidings_audit_head_hash",
                &[],
                "The first 48 bits of that entry's hash, as a number.",
            ),
            Self::ShardsOwned => (
                "tidings_shards_owned",
                &[],
                "Shards this process holds a lease for.",
            ),
            Self::AmqpMessages => (
                "tidings_amqp_messages_total",
                &["outcome"],
                "Messages of publishers taken from RabbitMQ, by what became of them.",
            ),
            Self::LimitRefusals => (
                "tidings_limit_refusals_total",
                &["limit"],
                "What was refused because a limit of its tenant's plan is used up, by the limit.",
            ),
            Self::Events => (
                "tidings_events_total",
                &["source"],
                "Events accepted, by their source.",
            ),
            Self::Deliveries => (
                "tidings_deliveries_total",
                &["outcome"],
                "Deliveries that came to an end, by how they ended.",
            ),
            Self::Attempts => (
                "tidings_attempts_total",
                &["class"],
                "Requests made to tenants, by the class of their result.",
            ),
            Self::Conversions => (
                "tidings_conversions_total",
                &["outcome"],
                "Events made to the version that a subscription wants, or not.",
            ),
            Self::QueueDepth => (
                "tidings_queue_depth",
                &["queue"],
                "Jobs that wait in a queue of the broker.",
            ),
            Self::QueueOldest => (
                "tidings_queue_oldest_seconds",
                &["queue"],
                "How long the oldest job of a queue has waited.",
            ),
            Self::Stages => (
                "tidings_stage_seconds",
                &["stage"],
                "Time from a callback's receipt to a stage of its way to the tenant.",
            ),
            Self::JournalBytes => (
                "tidings_journal_bytes",
                &[],
                "How much of the disk the journal of the ingress takes.",
            ),
            Self::JournalOldest => (
                "tidings_journal_oldest_seconds",
                &[],
                "How long the oldest callback in the journal has waited.",
            ),
            Self::JournalRecords => (
                "tidings_journal_records_total",
                &["outcome"],
                "Callbacks in the journal: kept, forwarded, or confirmed late by the broker.",
            ),
            Self::SuspiciousActivity => (
                "tidings_suspicious_activity_total",
                &["signal"],
                "Suspicious activity told to the platform tenant, by what is suspicious.",
            ),
            Self::ConnectionsRefused => (
                "tidings_connections_refused_total",
                &["listener"],
                "Connections closed at once because their source had too many.",
            ),
            Self::Polls => (
                "tidings_polls_total",
                &["provider", "outcome"],
                "Messages their provider was asked about, or that were given up, by what came of it.",
            ),
            Self::PollOldestOverdue => (
                "tidings_poll_oldest_overdue_seconds",
                &[],
                "For how long the message has been due to be asked about that has been for longest.",
            ),
            Self::ProviderBreakers => (
                "tidings_provider_breakers",
                &["provider", "state"],
                "Accounts whose provider is left alone for a while, by why.",
            ),
            Self::Trials => (
                "tidings_webhook_trials_total",
                &["kind", "class"],
                "Tests and checks of endpoints that people asked for, by what came of them.",
            ),
            Self::BuildInfo => (
                "tidings_build_info",
                &["version"],
                "Always 1; the labels tell what runs.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_follow_the_house_rule() {
        let names: HashSet<_> = Name::ALL.iter().map(|name| name.as_str()).collect();
        assert_eq!(names.len(), Name::ALL.len());
        for name in names {
            assert!(name.starts_with("tidings_"), "{name}");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
        }
    }
}
