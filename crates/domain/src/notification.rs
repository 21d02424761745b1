//! Notifications: what became of all messages of one, counted.

use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::state::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A notification of the platform, as its messages make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The platform's own id of it.
    pub notification_id: String,
    /// Its messages.
    pub counts: Counts,
    /// When its first message was registered.
    pub created_at: Timestamp,
    /// When its first message was sent.
    pub sent_at: Option<Timestamp>,
    /// When its last message so far was delivered.
    pub last_delivered_at: Option<Timestamp>,
}

/// How many messages are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotificationCounts)]
pub struct Counts {
    /// Registered, and nothing heard of.
    pub pending: u32,
    /// Taken by a provider.
    pub sent: u32,
    /// On the phone.
    pub delivered: u32,
    /// Not delivered, and not going to be.
    pub failed: u32,
    /// Not delivered in time.
    pub expired: u32,
    /// Refused.
    pub rejected: u32,
    /// Of which the provider does not know.
    pub unknown: u32,
}

impl Counts {
    /// How many there are.
    pub const fn total(&self) -> u32 {
        self.pending + self.sent + self.ended()
    }

    /// The state they make together: as long as one is not final, `sent` once another left `pending`;
    /// then `delivered` if all are, else the worst of the other ends.
    pub const fn state(&self) -> State {
        if self.pending == self.total() {
            State::Pending
        } else if self.pending + self.sent > 0 {
            State::Sent
        } else if self.rejected > 0 {
            State::Rejected
        } else if self.expired > 0 {
            State::Expired
        } else if self.failed > 0 {
            State::Failed
        } else if self.unknown > 0 {
            State::Unknown
        } else {
            State::Delivered
        }
    }

    const fn ended(&self) -> u32 {
        self.delivered + self.failed + self.expired + self.rejected + self.unknown
    }
}

impl Notification {
    /// When all of it was delivered, while it is.
    pub fn delivered_at(&self) -> Option<Timestamp> {
        self.last_delivered_at
            .filter(|_| self.counts.state() == State::Delivered)
    }
}

/// What is shown of a notification, and told when its state changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification, examples(json!({
    "notification_id": "reminder-7",
    "state": "sent",
    "counts": {
        "pending": 0,
        "sent": 3,
        "delivered": 117,
        "failed": 0,
        "expired": 0,
        "rejected": 0,
        "unknown": 0,
    },
    "messages": 120,
    "created_at": "2026-11-23T21:09:00.000Z",
    "sent_at": "2026-11-23T21:09:01.100Z",
    "delivered_at": null,
})))]
pub struct NotificationData<'a> {
    /// Your id of it.
    notification_id: &'a str,
    /// The state that its messages make together.
    state: State,
    /// How many are in which state.
    counts: Counts,
    /// How many there are.
    messages: u32,
    /// When its first message was registered.
    created_at: Timestamp,
    /// When its first message was sent.
    sent_at: Option<Timestamp>,
    /// When its last message was delivered, once all are.
    delivered_at: Option<Timestamp>,
}

impl<'a> From<&'a Notification> for NotificationData<'a> {
    fn from(notification: &'a Notification) -> Self {
        let counts = notification.counts;
        Self {
            notification_id: &notification.notification_id,
            state: counts.state(),
            counts,
            messages: counts.total(),
            created_at: notification.created_at,
            sent_at: notification.sent_at,
            delivered_at: notification.delivered_at(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_ends_when_all_its_messages_have_and_as_the_worst_of_them() {
        let none = Counts::default();
        for (counts, state) in [
            (none, State::Pending),
            (Counts { pending: 3, ..none }, State::Pending),
            (
                Counts {
                    pending: 2,
                    sent: 1,
                    ..none
                },
                State::Sent,
            ),
            (
                Counts {
                    pending: 1,
                    failed: 1,
                    ..none
                },
                State::Sent,
            ),
            (
                Counts {
                    sent: 1,
                    delivered: 8,
                    ..none
                },
                State::Sent,
            ),
            (
                Counts {
                    delivered: 2,
                    ..none
                },
                State::Delivered,
            ),
            (
                Counts {
                    delivered: 8,
                    unknown: 1,
                    ..none
                },
                State::Unknown,
            ),
            (
                Counts {
                    failed: 1,
                    unknown: 5,
                    ..none
                },
                State::Failed,
            ),
            (
                Counts {
                    failed: 5,
                    expired: 1,
                    ..none
                },
                State::Expired,
            ),
            (
                Counts {
                    rejected: 1,
                    expired: 2,
                    delivered: 7,
                    ..none
                },
                State::Rejected,
            ),
        ] {
            assert_eq!(counts.state(), state, "{counts:?}");
        }
    }

    #[test]
    fn when_it_was_delivered_is_shown_while_all_of_it_is() {
        let mut notification = Notification {
            tenant_id: TenantId::PLATFORM,
            notification_id: "reminder-7".to_owned(),
            counts: Counts {
                delivered: 2,
                ..Counts::default()
            },
            created_at: Timestamp::from_millis(0),
            sent_at: None,
            last_delivered_at: Some(Timestamp::from_millis(5)),
        };
        assert_eq!(notification.delivered_at(), notification.last_delivered_at);
        notification.counts.sent = 1;
        assert_eq!(notification.delivered_at(), None);
    }
}
