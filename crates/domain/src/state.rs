//! The state of a message, and the order in which statements about it win.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageState)]
pub enum State {
    /// Registered; no provider has said anything yet.
    Pending,
    /// The provider or the network took it.
    Sent,
    /// It reached the phone.
    Delivered,
    /// It did not, and will not.
    Failed,
    /// The provider or the network refused it.
    Rejected,
    /// Its validity ended before the phone was reached.
    Expired,
    /// The provider says that it does not know.
    Unknown,
}

impl State {
    /// Every state, in the order of the glossary.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Sent,
        Self::Delivered,
        Self::Failed,
        Self::Expired,
        Self::Rejected,
        Self::Unknown,
    ];

    /// Its name in the API, in events and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a provider is not expected to say more. `unknown` is final and may still be
    /// corrected by a higher report.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Sent)
    }

    /// Whether nobody is asked any more what became of the message.
    pub fn is_decided(self) -> bool {
        Self::DECIDED.contains(&self)
    }

    /// The type of the event that tells a change to this state; `pending` is never told.
    pub const fn event_type(self) -> Option<&'static str> {
        match self {
            Self::Pending => None,
            Self::Sent => Some("sms.sent"),
            Self::Delivered => Some("sms.delivered"),
            Self::Failed => Some("sms.failed"),
            Self::Rejected => Some("sms.rejected"),
            Self::Expired => Some("sms.expired"),
            Self::Unknown => Some("sms.unknown"),
        }
    }

    pub(crate) const DECIDED: [Self; 4] =
        [Self::Delivered, Self::Failed, Self::Expired, Self::Rejected];

    pub(crate) const fn conflict_bit(self) -> Option<u32> {
        match self {
            Self::Delivered => Some(0),
            Self::Failed => Some(1),
            Self::Expired => Some(2),
            Self::Rejected => Some(3),
            Self::Pending | Self::Sent | Self::Unknown => None,
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Sent => 1,
            Self::Unknown => 2,
            Self::Failed | Self::Expired | Self::Rejected => 3,
            Self::Delivered => 4,
        }
    }

    const fn ordinal(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Sent => 1,
            Self::Unknown => 2,
            Self::Failed => 3,
            Self::Expired => 4,
            Self::Rejected => 5,
            Self::Delivered => 6,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How strongly a statement about a message stands. The state of a message is that of its greatest
/// standing: the fields are compared in this order, so the end is the same for any order and any
/// duplication of the statements. The time at which we received one is never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Standing {
    /// The number of a forced manual state; 0 for everything a provider says.
    pub override_number: u32,
    is_delivered: bool,
    /// Which try to send this is about, from 1.
    pub send_attempt: u32,
    rank: u8,
    /// When it happened by the provider's clock; none is the smallest.
    pub provider_time: Option<Timestamp>,
    ordinal: u8,
}

impl Standing {
    /// The standing of a statement.
    pub const fn new(
        state: State,
        override_number: u32,
        send_attempt: u32,
        provider_time: Option<Timestamp>,
    ) -> Self {
        Self {
            override_number,
            is_delivered: matches!(state, State::Delivered),
            send_attempt,
            rank: state.rank(),
            provider_time,
            ordinal: state.ordinal(),
        }
    }

    /// The standing of a message that was only registered.
    pub const fn registered() -> Self {
        Self::new(State::Pending, 0, 1, None)
    }

    /// The state it stands for.
    pub fn state(self) -> State {
        State::ALL
            .into_iter()
            .find(|state| state.ordinal() == self.ordinal)
            .unwrap_or(State::Pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(state: State, seconds: Option<i64>) -> Standing {
        Standing::new(
            state,
            0,
            1,
            seconds.map(|s| Timestamp::from_millis(s * 1_000)),
        )
    }

    #[test]
    fn the_ranks_order_the_states() {
        let order = [
            State::Pending,
            State::Sent,
            State::Unknown,
            State::Failed,
            State::Expired,
            State::Rejected,
            State::Delivered,
        ];
        for pair in order.windows(2) {
            assert!(at(pair[0], None) < at(pair[1], None), "{pair:?}");
        }
    }

    #[test]
    fn a_later_failure_wins_over_an_earlier_rejection_but_never_over_delivered() {
        assert!(at(State::Failed, Some(2)) > at(State::Rejected, Some(1)));
        assert!(at(State::Failed, Some(9)) < at(State::Delivered, None));
        assert!(at(State::Sent, Some(9)) < at(State::Failed, None));
    }

    #[test]
    fn delivered_of_an_earlier_send_attempt_wins_and_a_new_attempt_reopens_a_failure() {
        let second = |state| Standing::new(state, 0, 2, None);
        assert!(at(State::Delivered, None) > second(State::Failed));
        assert!(second(State::Pending) > at(State::Rejected, Some(5)));
    }

    #[test]
    fn a_forced_state_wins_over_everything_but_the_next_one() {
        let forced = Standing::new(State::Failed, 1, 1, None);
        assert!(forced > at(State::Delivered, Some(1)));
        assert!(Standing::new(State::Sent, 2, 1, None) > forced);
    }

    fn standing() -> impl Strategy<Value = Standing> {
        (0usize..7, 0u32..3, 1u32..4, proptest::option::of(0i64..5)).prop_map(
            |(state, forced, attempt, time)| {
                Standing::new(
                    State::ALL[state],
                    forced,
                    attempt,
                    time.map(Timestamp::from_millis),
                )
            },
        )
    }

    proptest! {
        #[test]
        fn a_standing_knows_its_state(s in 0usize..7) {
            prop_assert_eq!(Standing::new(State::ALL[s], 0, 1, None).state(), State::ALL[s]);
        }

        #[test]
        fn the_greatest_is_the_same_in_any_order(
            mut standings in proptest::collection::vec(standing(), 1..8),
            rotate in 0usize..8,
        ) {
            let greatest = standings.iter().copied().max();
            let middle = rotate % standings.len();
            standings.rotate_left(middle);
            let duplicated: Vec<_> = standings.iter().chain(&standings).copied().rev().collect();
            prop_assert_eq!(duplicated.into_iter().reduce(Ord::max), greatest);
        }
    }
}
