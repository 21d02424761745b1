//! All points, in one list.

/// A place between two effects, named after the crate and the step. `docs/ARCHITECTURE.md` says for each
/// between which effects it is, and what holds after a death there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// `ingress.before_publish`
    IngressBeforePublish,
    /// `ingress.after_publish`
    IngressAfterPublish,
    /// `ingress.before_journal`
    IngressBeforeJournal,
    /// `ingress.after_journal`
    IngressAfterJournal,
    /// `ingress.before_forward`
    IngressBeforeForward,
    /// `ingress.after_forward`
    IngressAfterForward,
    /// `broker.after_claim`
    BrokerAfterClaim,
    /// `broker.after_isolation`
    BrokerAfterIsolation,
    /// `tracker.between_commits`
    TrackerBetweenCommits,
    /// `store.before_apply`
    StoreBeforeApply,
    /// `store.before_changes`
    StoreBeforeChanges,
    /// `tracker.before_hint`
    TrackerBeforeHint,
    /// `tracker.before_retry`
    TrackerBeforeRetry,
    /// `tracker.before_dead_letter`
    TrackerBeforeDeadLetter,
    /// `tracker.before_forget_letters`
    TrackerBeforeForgetLetters,
    /// `broker.before_ack`
    BrokerBeforeAck,
    /// `broker.before_forget`
    BrokerBeforeForget,
    /// `broker.after_ack`
    BrokerAfterAck,
    /// `poller.after_lease`
    PollerAfterLease,
    /// `poller.before_record`
    PollerBeforeRecord,
    /// `subscriptions.before_event_hint`
    SubscriptionsBeforeEventHint,
    /// `subscriptions.before_message_hint`
    SubscriptionsBeforeMessageHint,
    /// `subscriptions.before_request`
    SubscriptionsBeforeRequest,
    /// `subscriptions.before_answer`
    SubscriptionsBeforeAnswer,
    /// `store.before_stamp`
    StoreBeforeStamp,
    /// `dispatcher.after_fan_out`
    DispatcherAfterFanOut,
    /// `dispatcher.after_claim`
    DispatcherAfterClaim,
    /// `dispatcher.before_set_aside`
    DispatcherBeforeSetAside,
    /// `dispatcher.after_backlog`
    DispatcherAfterBacklog,
    /// `dispatcher.after_later`
    DispatcherAfterLater,
    /// `store.before_recovery`
    StoreBeforeRecovery,
    /// `dispatcher.after_recovery`
    DispatcherAfterRecovery,
    /// `dispatcher.after_grant`
    DispatcherAfterGrant,
    /// `dispatcher.before_send`
    DispatcherBeforeSend,
    /// `dispatcher.after_send`
    DispatcherAfterSend,
    /// `dispatcher.before_record`
    DispatcherBeforeRecord,
    /// `store.before_record`
    StoreBeforeRecord,
    /// `dispatcher.after_record`
    DispatcherAfterRecord,
    /// `store.before_adopt`
    StoreBeforeAdopt,
    /// `dispatcher.after_adopt`
    DispatcherAfterAdopt,
    /// `dispatcher.after_leave`
    DispatcherAfterLeave,
    /// `store.after_give`
    StoreAfterGive,
    /// `dispatcher.before_release`
    DispatcherBeforeRelease,
}

impl Point {
    /// Every point there is, along the way of a callback.
    pub const ALL: [Self; 43] = [
        Self::IngressBeforePublish,
        Self::IngressAfterPublish,
        Self::IngressBeforeJournal,
        Self::IngressAfterJournal,
        Self::IngressBeforeForward,
        Self::IngressAfterForward,
        Self::BrokerAfterClaim,
        Self::BrokerAfterIsolation,
        Self::TrackerBetweenCommits,
        Self::StoreBeforeApply,
        Self::StoreBeforeChanges,
        Self::TrackerBeforeHint,
        Self::TrackerBeforeRetry,
        Self::TrackerBeforeDeadLetter,
        Self::TrackerBeforeForgetLetters,
        Self::BrokerBeforeAck,
        Self::BrokerBeforeForget,
        Self::BrokerAfterAck,
        Self::PollerAfterLease,
        Self::PollerBeforeRecord,
        Self::SubscriptionsBeforeEventHint,
        Self::SubscriptionsBeforeMessageHint,
        Self::SubscriptionsBeforeRequest,
        Self::SubscriptionsBeforeAnswer,
        Self::StoreBeforeStamp,
        Self::DispatcherAfterFanOut,
        Self::DispatcherAfterClaim,
        Self::DispatcherBeforeSetAside,
        Self::DispatcherAfterBacklog,
        Self::DispatcherAfterLater,
        Self::StoreBeforeRecovery,
        Self::DispatcherAfterRecovery,
        Self::DispatcherAfterGrant,
        Self::DispatcherBeforeSend,
        Self::DispatcherAfterSend,
        Self::DispatcherBeforeRecord,
        Self::StoreBeforeRecord,
        Self::DispatcherAfterRecord,
        Self::StoreBeforeAdopt,
        Self::DispatcherAfterAdopt,
        Self::DispatcherAfterLeave,
        Self::StoreAfterGive,
        Self::DispatcherBeforeRelease,
    ];

    /// Its name, as a test tells it to the process.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IngressBeforePublish => "ingress.before_publish",
            Self::IngressAfterPublish => "ingress.after_publish",
            Self::IngressBeforeJournal => "ingress.before_journal",
            Self::IngressAfterJournal => "ingress.after_journal",
            Self::IngressBeforeForward => "ingress.before_forward",
            Self::IngressAfterForward => "ingress.after_forward",
            Self::BrokerAfterClaim => "broker.after_claim",
            Self::BrokerAfterIsolation => "broker.after_isolation",
            Self::TrackerBetweenCommits => "tracker.between_commits",
            Self::StoreBeforeApply => "store.before_apply",
            Self::StoreBeforeChanges => "store.before_changes",
            Self::TrackerBeforeHint => "tracker.before_hint",
            Self::TrackerBeforeRetry => "tracker.before_retry",
            Self::TrackerBeforeDeadLetter => "tracker.before_dead_letter",
            Self::TrackerBeforeForgetLetters => "tracker.before_forget_letters",
            Self::BrokerBeforeAck => "broker.before_ack",
            Self::BrokerBeforeForget => "broker.before_forget",
            Self::BrokerAfterAck => "broker.after_ack",
            Self::PollerAfterLease => "poller.after_lease",
            Self::PollerBeforeRecord => "poller.before_record",
            Self::SubscriptionsBeforeEventHint => "subscriptions.before_event_hint",
            Self::SubscriptionsBeforeMessageHint => "subscriptions.before_message_hint",
            Self::SubscriptionsBeforeRequest => "subscriptions.before_request",
            Self::SubscriptionsBeforeAnswer => "subscriptions.before_answer",
            Self::StoreBeforeStamp => "store.before_stamp",
            Self::DispatcherAfterFanOut => "dispatcher.after_fan_out",
            Self::DispatcherAfterClaim => "dispatcher.after_claim",
            Self::DispatcherBeforeSetAside => "dispatcher.before_set_aside",
            Self::DispatcherAfterBacklog => "dispatcher.after_backlog",
            Self::DispatcherAfterLater => "dispatcher.after_later",
            Self::StoreBeforeRecovery => "store.before_recovery",
            Self::DispatcherAfterRecovery => "dispatcher.after_recovery",
            Self::DispatcherAfterGrant => "dispatcher.after_grant",
            Self::DispatcherBeforeSend => "dispatcher.before_send",
            Self::DispatcherAfterSend => "dispatcher.after_send",
            Self::DispatcherBeforeRecord => "dispatcher.before_record",
            Self::StoreBeforeRecord => "store.before_record",
            Self::DispatcherAfterRecord => "dispatcher.after_record",
            Self::StoreBeforeAdopt => "store.before_adopt",
            Self::DispatcherAfterAdopt => "dispatcher.after_adopt",
            Self::DispatcherAfterLeave => "dispatcher.after_leave",
            Self::StoreAfterGive => "store.after_give",
            Self::DispatcherBeforeRelease => "dispatcher.before_release",
        }
    }

    /// Whether it is reached only on servers: the embedded queue makes one commit of what RabbitMQ needs
    /// two steps for, and an embedded dispatcher has no other to give shards to.
    pub const fn is_of_servers(self) -> bool {
        matches!(
            self,
            Self::IngressBeforeJournal
                | Self::IngressAfterJournal
                | Self::IngressBeforeForward
                | Self::IngressAfterForward
                | Self::BrokerAfterIsolation
                | Self::BrokerBeforeForget
                | Self::DispatcherAfterLeave
                | Self::StoreAfterGive
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/ARCHITECTURE.md");

    /// The first cells of the table under this heading.
    fn told(heading: &str) -> Vec<&'static str> {
        let section = PAGE.lines().skip_while(|line| *line != heading).skip(1);
        section
            .take_while(|line| !line.starts_with("## "))
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn the_architecture_page_tells_every_point_in_this_order_and_no_other() {
        assert_eq!(told("## Failpoints"), Point::ALL.map(Point::as_str));
    }

    #[test]
    fn names_are_a_crate_and_a_step_and_distinct() {
        let mut names = Point::ALL.map(Point::as_str).to_vec();
        for name in &names {
            let parts: Vec<&str> = name.split('.').collect();
            assert!(parts.len() == 2 && !parts.contains(&""), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
