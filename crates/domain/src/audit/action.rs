//! What may be done.

/// What was done, by its stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The operator, or the command line, made a tenant.
    TenantCreated,
    /// A tenant has another name or plan.
    TenantUpdated,
    /// A tenant was suspended.
    TenantSuspended,
    /// A tenant may do again what it might.
    TenantResumed,
    /// A tenant was deleted.
    TenantDeleted,
    /// A plan was made.
    PlanCreated,
    /// A plan has other limits.
    PlanUpdated,
    /// A plan was deleted.
    PlanDeleted,
    /// A key was made.
    KeyCreated,
    /// A key was revoked.
    KeyRevoked,
    /// A member was added.
    MemberCreated,
    /// A member has another name or role.
    MemberUpdated,
    /// A member was removed.
    MemberDeleted,
    /// A link into the console was made.
    ConsoleLinkCreated,
    /// A link into the console was used.
    ConsoleLinkUsed,
    /// A provider account was made.
    ProviderAccountCreated,
    /// A provider account was changed.
    ProviderAccountUpdated,
    /// A provider account has another token.
    ProviderAccountTokenRotated,
    /// A provider account was deleted.
    ProviderAccountDeleted,
    /// A webhook was made.
    WebhookCreated,
    /// A webhook was changed.
    WebhookUpdated,
    /// A webhook was enabled.
    WebhookEnabled,
    /// A webhook was disabled.
    WebhookDisabled,
    /// A webhook has another secret.
    WebhookSecretRotated,
    /// A webhook was deleted.
    WebhookDeleted,
    /// A delivery is tried again.
    DeliveryRetried,
    /// A delivery was cancelled.
    DeliveryCancelled,
    /// Many deliveries of a webhook are tried again.
    DeliveriesRetried,
    /// Many deliveries of a webhook are cancelled.
    DeliveriesCancelled,
    /// A replay was begun.
    ReplayCreated,
    /// A replay was paused.
    ReplayPaused,
    /// A replay goes on.
    ReplayResumed,
    /// A replay was cancelled.
    ReplayCancelled,
    /// An event type was brought.
    EventTypeCreated,
    /// An event type has another version.
    EventTypeVersionAdded,
    /// Something else is said of an event type.
    EventTypeUpdated,
    /// A person said what became of a message.
    MessageStateSet,
    /// A person said so against what was known better.
    MessageStateForced,
    /// A refused request was taken in.
    QuarantineIngested,
    /// Dead letters are to be done again.
    DeadLettersRequeued,
    /// Dead letters are not to be done again.
    DeadLettersCancelled,
    /// Dead letters were purged.
    DeadLettersPurged,
    /// A phone number is erased.
    ErasureBegun,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 43] = [
        Self::TenantCreated,
        Self::TenantUpdated,
        Self::TenantSuspended,
        Self::TenantResumed,
        Self::TenantDeleted,
        Self::PlanCreated,
        Self::PlanUpdated,
        Self::PlanDeleted,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::MemberCreated,
        Self::MemberUpdated,
        Self::MemberDeleted,
        Self::ConsoleLinkCreated,
        Self::ConsoleLinkUsed,
        Self::ProviderAccountCreated,
        Self::ProviderAccountUpdated,
        Self::ProviderAccountTokenRotated,
        Self::ProviderAccountDeleted,
        Self::WebhookCreated,
        Self::WebhookUpdated,
        Self::WebhookEnabled,
        Self::WebhookDisabled,
        Self::WebhookSecretRotated,
        Self::WebhookDeleted,
        Self::DeliveryRetried,
        Self::DeliveryCancelled,
        Self::DeliveriesRetried,
        Self::DeliveriesCancelled,
        Self::ReplayCreated,
        Self::ReplayPaused,
        Self::ReplayResumed,
        Self::ReplayCancelled,
        Self::EventTypeCreated,
        Self::EventTypeVersionAdded,
        Self::EventTypeUpdated,
        Self::MessageStateSet,
        Self::MessageStateForced,
        Self::QuarantineIngested,
        Self::DeadLettersRequeued,
        Self::DeadLettersCancelled,
        Self::DeadLettersPurged,
        Self::ErasureBegun,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantCreated => "tenant.created",
            Self::TenantUpdated => "tenant.updated",
            Self::TenantSuspended => "tenant.suspended",
            Self::TenantResumed => "tenant.resumed",
            Self::TenantDeleted => "tenant.deleted",
            Self::PlanCreated => "plan.created",
            Self::PlanUpdated => "plan.updated",
            Self::PlanDeleted => "plan.deleted",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::MemberCreated => "member.created",
            Self::MemberUpdated => "member.updated",
            Self::MemberDeleted => "member.deleted",
            Self::ConsoleLinkCreated => "console_link.created",
            Self::ConsoleLinkUsed => "console_link.used",
            Self::ProviderAccountCreated => "provider_account.created",
            Self::ProviderAccountUpdated => "provider_account.updated",
            Self::ProviderAccountTokenRotated => "provider_account.token_rotated",
            Self::ProviderAccountDeleted => "provider_account.deleted",
            Self::WebhookCreated => "webhook.created",
            Self::WebhookUpdated => "webhook.updated",
            Self::WebhookEnabled => "webhook.enabled",
            Self::WebhookDisabled => "webhook.disabled",
            Self::WebhookSecretRotated => "webhook.secret_rotated",
            Self::WebhookDeleted => "webhook.deleted",
            Self::DeliveryRetried => "delivery.retried",
            Self::DeliveryCancelled => "delivery.cancelled",
            Self::DeliveriesRetried => "deliveries.retried",
            Self::DeliveriesCancelled => "deliveries.cancelled",
            Self::ReplayCreated => "replay.created",
            Self::ReplayPaused => "replay.paused",
            Self::ReplayResumed => "replay.resumed",
            Self::ReplayCancelled => "replay.cancelled",
            Self::EventTypeCreated => "event_type.created",
            Self::EventTypeVersionAdded => "event_type.version_added",
            Self::EventTypeUpdated => "event_type.updated",
            Self::MessageStateSet => "message.state_set",
            Self::MessageStateForced => "message.state_forced",
            Self::QuarantineIngested => "quarantine.ingested",
            Self::DeadLettersRequeued => "dead_letters.requeued",
            Self::DeadLettersCancelled => "dead_letters.cancelled",
            Self::DeadLettersPurged => "dead_letters.purged",
            Self::ErasureBegun => "erasure.begun",
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
