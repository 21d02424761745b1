//! A message, and how a report changes it.

mod find;

pub use find::{Match, find_match};

use crate::account::{Environment, Slug};
use crate::clock::Timestamp;
use crate::cost::Cost;
use crate::id::{AccountId, MessageId, TenantId};
use crate::json::Raw;
use crate::parts::Parts;
use crate::poll::{Due, Plan};
use crate::report::{FailureClass, Report};
use crate::send_attempt::{MAX_SEND_ATTEMPTS, SendAttempt, Sending};
use crate::state::{Standing, State};
use utoipa::ToSchema;

/// One SMS the platform sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What the platform said of it when it registered it.
    pub registration: Registration,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// The greatest standing so far; its state is the message's state.
    pub standing: Standing,
    /// What was said of single parts, once anything was. The standing follows from it then.
    pub parts: Option<Parts>,
    /// How often the state has changed. `(message, transition)` names one event.
    pub transition: u32,
    /// The number of the newest send attempt, from 1.
    pub send_attempt: u32,
    /// The send attempts from the second on; the first is the registration.
    pub sent_again: Vec<SendAttempt>,
    /// Which contradicting states were reported: four bits for each send attempt.
    pub decided_seen: i64,
    /// When we learned that it was sent: the provider's time, else when we received the report.
    pub sent_at: Option<Timestamp>,
    /// When we learned that it was delivered, likewise.
    pub delivered_at: Option<Timestamp>,
    /// The provider's raw reason, while the state is not delivered.
    pub failure_reason: Option<String>,
    /// What kind of reason that is.
    pub failure_class: Option<FailureClass>,
    /// The network, as last named by an applied report.
    pub network_code: Option<String>,
    /// What it cost, as an applied report said last.
    pub told_cost: Option<Cost>,
    /// When its provider is asked about it.
    pub due: Due,
}

/// What the platform says of a message when it registers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The provider account it was sent through.
    pub account_id: AccountId,
    /// That account's slug.
    pub provider_account: Slug,
    /// That account's provider.
    pub provider: String,
    /// The provider's id of the message.
    pub provider_message_id: Option<String>,
    /// The platform's own reference. One of the two is there.
    pub client_reference: Option<String>,
    /// The recipient in E.164.
    pub to: String,
    /// The sender the phone saw.
    pub from: Option<String>,
    /// The platform's unit it belongs to.
    pub notification_id: Option<String>,
    /// How many parts it was sent in.
    pub parts: u32,
    /// What it cost, as the provider told the platform.
    pub cost: Option<Cost>,
    /// The platform's own object, kept as it was.
    pub metadata: Option<Raw>,
    /// Where it belongs.
    pub environment: Environment,
}

impl Registration {
    /// Whether both say the same, so that registering again changes nothing.
    pub fn is_same(&self, other: &Self) -> bool {
        let metadata_is_same = match (&self.metadata, &other.metadata) {
            (Some(one), Some(two)) => one.means_the_same(two),
            (None, None) => true,
            _ => false,
        };
        let one = Self {
            metadata: None,
            ..self.clone()
        };
        metadata_is_same
            && one
                == Self {
                    metadata: None,
                    ..other.clone()
                }
    }
}

/// What a report did to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether it now is what the message stands on.
    pub outcome: Outcome,
    /// The change of state, if there was one.
    pub transition: Option<Transition>,
    /// Whether one more part is delivered, and others are not.
    pub is_partial: bool,
    /// Contradictions this report brought to light, each for the first time.
    pub conflicts: Vec<[State; 2]>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ToSchema)]
#[schema(as = ReportOutcome, rename_all = "lowercase")]
pub enum Outcome {
    /// It won: the message stands on it.
    Applied,
    /// The same statement was heard before.
    Duplicate,
    /// It lost against a greater standing: history only.
    Stale,
    /// No message is known for it yet: parked.
    Orphaned,
    /// Its word is not on the provider's list: history only.
    Unmapped,
}

impl Outcome {
    /// Its name in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Orphaned => "orphaned",
            Self::Unmapped => "unmapped",
        }
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Applied,
            Self::Duplicate,
            Self::Stale,
            Self::Orphaned,
            Self::Unmapped,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Its number in the message's life, from 1.
    pub number: u32,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
}

impl Message {
    /// A message that was just registered.
    pub const fn register(
        id: MessageId,
        tenant_id: TenantId,
        registration: Registration,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant_id,
            registration,
            created_at: now,
            updated_at: now,
            standing: Standing::registered(),
            parts: None,
            transition: 0,
            send_attempt: 1,
            sent_again: Vec::new(),
            decided_seen: 0,
            sent_at: None,
            delivered_at: None,
            failure_reason: None,
            failure_class: None,
            network_code: None,
            told_cost: None,
            due: Due::never(now),
        }
    }

    /// Has its provider asked from now on, as for a message that was just sent, unless its state is
    /// decided. `jitter` in `0.0..1.0`.
    pub fn poll_from(&mut self, now: Timestamp, plan: Plan, jitter: f64) {
        self.due = if self.state().is_decided() {
            Due::never(now)
        } else {
            Due::begin(plan, now, jitter)
        };
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.standing.state()
    }

    /// What it cost, as far as anybody said.
    pub fn cost(&self) -> Option<&Cost> {
        self.told_cost.as_ref().or(self.registration.cost.as_ref())
    }

    /// How many of its parts reached the phone.
    pub fn parts_delivered(&self) -> u32 {
        let total = self.registration.parts;
        match &self.parts {
            Some(parts) => parts.delivered(total),
            None if self.state() == State::Delivered => total,
            None => 0,
        }
    }

    /// From registration to delivery, in milliseconds; zero when it was delivered before it was
    /// registered.
    pub fn delivery_duration_ms(&self) -> Option<i64> {
        // A report may be older than the registration of its message.
        Some((self.delivered_at?.as_millis() - self.created_at.as_millis()).max(0))
    }

    /// Its send attempts, oldest first.
    pub fn sendings(&self) -> impl Iterator<Item = Sending<'_>> + Clone {
        let later = self.sent_again.iter().map(SendAttempt::sending);
        std::iter::once(self.first_sending()).chain(later)
    }

    /// The send attempt of this number; the first one where there is none of it.
    pub fn sending(&self, number: u32) -> Sending<'_> {
        let later = self.sent_again.iter();
        let of_number = later.rev().find(|attempt| attempt.number == number);
        of_number.map_or_else(|| self.first_sending(), SendAttempt::sending)
    }

    /// The send attempt that is going on.
    pub fn newest_sending(&self) -> Sending<'_> {
        self.sending(self.send_attempt)
    }

    fn first_sending(&self) -> Sending<'_> {
        let registration = &self.registration;
        Sending {
            number: 1,
            account_id: registration.account_id,
            provider_account: &registration.provider_account,
            provider: &registration.provider,
            provider_message_id: registration.provider_message_id.as_deref(),
            client_reference: registration.client_reference.as_deref(),
            created_at: self.created_at,
        }
    }

    /// Takes in that it is sent again: it is pending again, unless it is delivered, or a person forced
    /// its state. The attempt's number must be the next.
    pub fn send_again(&mut self, attempt: SendAttempt, now: Timestamp) -> Option<Transition> {
        self.send_attempt = attempt.number;
        self.sent_again.push(attempt);
        self.updated_at = now;
        let standing = Standing::new(State::Pending, 0, self.send_attempt, None);
        let standing = self.join(None, standing)?;
        let transition = self.stand_on(standing, now);
        if self.state() == State::Pending {
            self.failure_reason = None;
            self.failure_class = None;
        }
        transition
    }

    /// Applies one report of one of its send attempts. Pure: the end is the same for any order and
    /// duplication of reports, and of the registrations of send attempts between them.
    pub fn apply(&mut self, report: &Report, send_attempt: u32, received_at: Timestamp) -> Applied {
        let Some(state) = report.state else {
            return Applied {
                outcome: Outcome::Unmapped,
                transition: None,
                is_partial: false,
                conflicts: Vec::new(),
            };
        };
        let part = self.single_part(report);
        // Two parts may well come to different ends.
        let conflicts = match part {
            None => self.note_decided(state, send_attempt, report.is_temporary),
            Some(_) => Vec::new(),
        };
        let happened_at = report.provider_time.unwrap_or(received_at);
        if state == State::Sent && self.sent_at.is_none_or(|known| happened_at < known) {
            self.sent_at = Some(happened_at);
        }
        let standing = Standing::new(state, 0, send_attempt, report.provider_time);
        let delivered_before = self.parts_delivered();
        let Some(standing) = self.join(part, standing) else {
            return Applied {
                outcome: Outcome::Stale,
                transition: None,
                is_partial: false,
                conflicts,
            };
        };
        let transition = self.stand_on(standing, received_at);
        self.keep_details(report, happened_at);
        let delivered = self.parts_delivered();
        Applied {
            outcome: Outcome::Applied,
            transition,
            is_partial: delivered > delivered_before && delivered < self.registration.parts,
            conflicts,
        }
    }

    /// The part that a report speaks of; none where it speaks for all, as for a message of one part.
    fn single_part(&self, report: &Report) -> Option<u32> {
        let total = self.registration.parts;
        report
            .part
            .filter(|part| total > 1 && (1..=total).contains(part))
    }

    /// Takes a standing in; what the message stands on then, if that is more than was known.
    fn join(&mut self, part: Option<u32>, standing: Standing) -> Option<Standing> {
        if part.is_none() && self.parts.is_none() {
            return (standing > self.standing).then_some(standing);
        }
        let whole = self.standing;
        let parts = self.parts.get_or_insert_with(|| Parts::of(whole));
        let grows = parts.join(part, standing);
        grows.then(|| parts.standing(self.registration.parts))
    }

    /// Has the message stand on what a person says, who says it now; none where that would lose. A
    /// forced one takes the next override number, so that only the next forced one wins over it. What a
    /// person says contradicts nobody: no conflict is told.
    pub fn rule(&mut self, state: State, is_forced: bool, now: Timestamp) -> Option<Applied> {
        let override_number = if is_forced {
            self.standing.override_number + 1
        } else {
            0
        };
        let standing = Standing::new(state, override_number, self.send_attempt, Some(now));
        let standing = self.would_stand_on(standing)?;
        let transition = self.stand_on(standing, now);
        if state == State::Sent {
            self.sent_at.get_or_insert(now);
        }
        self.delivered_at = (state == State::Delivered).then(|| self.delivered_at.unwrap_or(now));
        self.failure_reason = None;
        self.failure_class = None;
        Some(Applied {
            outcome: Outcome::Applied,
            transition,
            is_partial: false,
            conflicts: Vec::new(),
        })
    }

    /// What the message stands on with this said of all of it; none, and nothing is changed, where that
    /// is not what was said.
    fn would_stand_on(&mut self, standing: Standing) -> Option<Standing> {
        let mut ruled = self.clone();
        let joined = ruled.join(None, standing)?;
        if joined.state() != standing.state() {
            return None;
        }
        self.parts = ruled.parts;
        Some(joined)
    }

    fn stand_on(&mut self, standing: Standing, now: Timestamp) -> Option<Transition> {
        let (from, to) = (self.state(), standing.state());
        self.standing = standing;
        self.updated_at = now;
        if to.is_decided() {
            self.due.at = None;
        }
        if from == to {
            return None;
        }
        self.transition += 1;
        Some(Transition {
            number: self.transition,
            from,
            to,
        })
    }

    fn keep_details(&mut self, report: &Report, happened_at: Timestamp) {
        if report.network_code.is_some() {
            self.network_code.clone_from(&report.network_code);
        }
        if report.cost.is_some() {
            self.told_cost.clone_from(&report.cost);
        }
        let state = self.state();
        if state == State::Delivered {
            self.delivered_at = Some(happened_at);
            self.failure_reason = None;
            self.failure_class = None;
        } else if report.state == Some(state) || !state.is_final() {
            self.failure_reason.clone_from(&report.failure_reason);
            self.failure_class = report.failure_class;
        }
    }

    /// Remembers a decided state of a send attempt and returns the pairs it now contradicts.
    fn note_decided(
        &mut self,
        state: State,
        send_attempt: u32,
        is_temporary: bool,
    ) -> Vec<[State; 2]> {
        let Some(bit) = state.conflict_bit() else {
            return Vec::new();
        };
        // Four bits for each send attempt.
        let shift = (send_attempt.clamp(1, MAX_SEND_ATTEMPTS) - 1) * 4;
        let seen = (self.decided_seen >> shift) & 0b1111;
        if is_temporary || seen & (1 << bit) != 0 {
            return Vec::new();
        }
        self.decided_seen |= 1 << (shift + bit);
        State::DECIDED
            .into_iter()
            .filter(|other| {
                other
                    .conflict_bit()
                    .is_some_and(|bit| seen & (1 << bit) != 0)
            })
            .map(|other| [other, state])
            .collect()
    }
}

#[cfg(test)]
mod tests;
