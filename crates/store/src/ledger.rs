//! The ledger: where reports are applied to messages, and the events of it are written, in one
//! transaction. Whoever meets a report (a callback, a registration that finds orphans) applies it
//! here and nowhere else.

use crate::callback::Mark;
use crate::connection::Connection;
use crate::dialect::{self, ledger::Changes};
use crate::error::Error;
use crate::event::NewEventRow;
use crate::message::{Entry, HistoryRow, MessageRow, Ruling, Tracked};
use crate::notification::Touched;
use domain::event::{Event, MessageData, Resource};
use domain::id::{AccountId, CallbackId, EventId, MessageId, TenantId};
use domain::json::Raw;
use domain::message::{Applied, Match, Message, Outcome};
use domain::poll::{Plan, SILENCE};
use domain::report::{Report, Source};
use domain::send_attempt::SendAttempt;
use domain::tally::{By, End};
use domain::{Clock, Random, Shard, State, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Applies reports to the messages it holds, then writes all that changed.
pub(crate) struct Ledger {
    clock: Clock,
    random: Random,
    // In id order, so that two ledgers on PostgreSQL lock and update in the same order.
    messages: BTreeMap<MessageId, Tracked>,
    changed: BTreeSet<MessageId>,
    notified: Touched,
    history: Vec<HistoryRow>,
    events: Vec<Event>,
    effects: Effects,
}

/// Where a report comes from.
pub(crate) struct Heard<'a> {
    pub received_at: Timestamp,
    pub source: Source,
    pub callback_id: CallbackId,
    pub traceparent: Option<&'a str>,
}

/// Where and when a change comes from, and about which send attempt it says something.
struct Cause<'a> {
    send_attempt: u32,
    occurred_at: Timestamp,
    received_at: Timestamp,
    source: Source,
    /// Whether nobody said it: the time in which somebody should have is over.
    is_silence: bool,
    traceparent: Option<&'a str>,
}

/// What applying reports did, for metrics and hints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// The shards that have new events.
    pub shards: BTreeSet<Shard>,
    /// How many events were written.
    pub raised: usize,
    /// Each change of state.
    pub changes: Vec<Change>,
}

/// A change of a message's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose message it is.
    pub tenant_id: TenantId,
    /// The provider account it was sent through.
    pub account_id: AccountId,
    /// That account's provider.
    pub provider: String,
    /// The network, where one is known.
    pub network: Option<String>,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Who made it known.
    pub source: Source,
    /// Whether nobody did: no report came in time.
    pub is_silence: bool,
    /// Whether the message has come to an end with it that it did not have: it is delivered, failed,
    /// expired or rejected, or nobody will ask about it any more.
    pub is_first_end: bool,
    /// From the registration of the send attempt until the report was received; zero for one that is older.
    pub delay: Duration,
    /// When its report was received.
    pub received_at: Timestamp,
}

impl Change {
    /// The end that it is, for those who count ends.
    pub fn end(&self) -> Option<End> {
        let by = match self.source {
            _ if self.is_silence => By::Silence,
            Source::Callback => By::Callback,
            Source::Poll => By::Poll,
            Source::Manual => By::Manual,
        };
        self.is_first_end.then(|| End {
            account_id: self.account_id,
            provider: self.provider.clone(),
            network: self.network.clone(),
            state: self.to,
            by,
            delay: (by == By::Callback).then_some(self.delay),
            received_at: self.received_at,
        })
    }
}

/// Whether a message in this state has come to its end: a provider that does not know may still learn.
const fn is_end(state: State) -> bool {
    matches!(
        state,
        State::Delivered | State::Failed | State::Expired | State::Rejected
    )
}

impl Ledger {
    pub(crate) fn new(clock: Clock, random: Random) -> Self {
        Self {
            clock,
            random,
            messages: BTreeMap::new(),
            changed: BTreeSet::new(),
            notified: Touched::default(),
            history: Vec::new(),
            events: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// Takes messages in, as the store has them.
    pub(crate) fn hold(&mut self, messages: Vec<Tracked>) {
        for tracked in messages {
            self.messages.entry(tracked.message.id).or_insert(tracked);
        }
    }

    /// The messages held.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> + Clone {
        self.messages.values().map(|tracked| &tracked.message)
    }

    /// Takes in a message whose row is being inserted.
    pub(crate) fn register(&mut self, tracked: Tracked) {
        self.notified.register(&tracked.message);
        self.messages.insert(tracked.message.id, tracked);
    }

    /// A message that is held.
    pub(crate) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id).map(|tracked| &tracked.message)
    }

    /// Applies a report to a message that is held.
    pub(crate) fn hear(&mut self, about: Match, report: &Report, heard: &Heard<'_>) -> Outcome {
        let Match {
            message: id,
            send_attempt,
        } = about;
        let Some(tracked) = self.messages.get_mut(&id) else {
            return Outcome::Orphaned;
        };
        let message = &mut tracked.message;
        let previous = message.state();
        self.notified
            .touch(message, heard.received_at, heard.traceparent);
        let applied = message.apply(report, send_attempt, heard.received_at);
        tracked.history_length += 1;
        let entry = Entry {
            received_at: heard.received_at,
            provider_time: report.provider_time,
            send_attempt,
            word: report.word.clone(),
            state: report.state,
            is_applied: applied.outcome == Outcome::Applied,
            source: heard.source,
            callback_id: Some(heard.callback_id),
            failure_reason: report.failure_reason.clone(),
            reason: None,
            actor: None,
            provider_response: report.provider_response.clone(),
        };
        self.history
            .push(HistoryRow::new(id, tracked.history_length, entry));
        let cause = Cause {
            send_attempt,
            occurred_at: report.provider_time.unwrap_or(heard.received_at),
            received_at: heard.received_at,
            source: heard.source,
            is_silence: heard.source == Source::Poll && report.word == SILENCE,
            traceparent: heard.traceparent,
        };
        let outcome = applied.outcome;
        self.raise(id, previous, applied, &cause);
        outcome
    }

    /// Has a message that is held stand on what a person says; the state it is in where that would lose.
    pub(crate) fn rule(&mut self, id: MessageId, ruling: &Ruling) -> Option<State> {
        let now = self.clock.now();
        let tracked = self.messages.get_mut(&id)?;
        let message = &mut tracked.message;
        let previous = message.state();
        self.notified.touch(message, now, None);
        let Some(applied) = message.rule(ruling.state, ruling.is_forced, now) else {
            return Some(previous);
        };
        tracked.history_length += 1;
        let entry = Entry {
            received_at: now,
            provider_time: None,
            send_attempt: message.send_attempt,
            word: ruling.state.as_str().to_owned(),
            state: Some(ruling.state),
            is_applied: true,
            source: Source::Manual,
            callback_id: None,
            failure_reason: None,
            reason: Some(ruling.reason.clone()),
            actor: Some(ruling.actor.clone()),
            provider_response: None,
        };
        self.history
            .push(HistoryRow::new(id, tracked.history_length, entry));
        let cause = Cause {
            send_attempt: message.send_attempt,
            occurred_at: now,
            received_at: now,
            source: Source::Manual,
            is_silence: false,
            traceparent: None,
        };
        self.raise(id, previous, applied, &cause);
        None
    }

    /// Has a message that is held be sent again. That it is pending again is not told.
    pub(crate) fn send_again(&mut self, id: MessageId, attempt: SendAttempt, plan: Plan) {
        let (now, jitter) = (self.clock.now(), self.random.fraction());
        if let Some(tracked) = self.messages.get_mut(&id) {
            self.notified.touch(&tracked.message, now, None);
            tracked.message.send_again(attempt, now);
            tracked.message.poll_from(now, plan, jitter);
            self.changed.insert(id);
        }
    }

    /// The events that tell what was applied to a message.
    fn raise(&mut self, id: MessageId, previous: State, applied: Applied, cause: &Cause<'_>) {
        self.changed.insert(id);
        let Some(Tracked { message, .. }) = self.messages.get(&id) else {
            return;
        };
        let mut raised = Vec::new();
        if let Some(transition) = applied.transition
            && let Some(event_type) = transition.to.event_type()
        {
            let data = MessageData::of_transition(message, previous, cause.occurred_at);
            raised.push((event_type, Raw::of(&data), Some((id, transition.number))));
            let sending = message.sending(message.standing.send_attempt);
            let (from, to) = (transition.from, transition.to);
            self.effects.changes.push(Change {
                tenant_id: message.tenant_id,
                account_id: sending.account_id,
                provider: sending.provider.to_owned(),
                network: message.network_code.clone(),
                from,
                to,
                source: cause.source,
                is_silence: cause.is_silence,
                is_first_end: !is_end(from) && (is_end(to) || cause.is_silence),
                delay: cause.received_at.since(sending.created_at),
                received_at: cause.received_at,
            });
        }
        let (attempt, at) = (cause.send_attempt, cause.occurred_at);
        if applied.is_partial {
            let data = MessageData::of_attempt(message, attempt, previous, at);
            raised.push(("sms.partially_delivered", Raw::of(&data), None));
        }
        for states in applied.conflicts {
            let data = MessageData::of_conflict(message, attempt, previous, states, at);
            raised.push(("sms.status.conflict", Raw::of(&data), None));
        }
        let events = raised
            .into_iter()
            .map(|(event_type, data, transition)| Event {
                id: EventId::new(self.clock.now(), &self.random),
                tenant_id: message.tenant_id,
                event_type: event_type.to_owned(),
                version: 1,
                environment: message.registration.environment.clone(),
                created_at: self.clock.now(),
                source: "tidings".to_owned(),
                resource: Some(Resource {
                    kind: "message".to_owned(),
                    id: id.to_string(),
                    data: None,
                }),
                context: None,
                metadata: None,
                data,
                transition,
                traceparent: cause.traceparent.map(str::to_owned),
                caused_at: cause.received_at,
            });
        self.events.extend(events);
    }

    /// Writes the messages, their notifications, their history and the events, and marks callbacks that are applied with
    /// it.
    pub(crate) fn finish(
        mut self,
        connection: &mut Connection,
        marks: Vec<Mark>,
    ) -> Result<Effects, Error> {
        let find = |id| self.messages.get(&id).map(|tracked| &tracked.message);
        let notified = std::mem::take(&mut self.notified);
        let updated = notified.count(connection, find, &self.clock, &self.random)?;
        self.events.extend(updated);
        let tenants = self.events.iter().map(|event| event.tenant_id);
        self.effects.shards = tenants.map(Shard::of_tenant).collect();
        self.effects.raised = self.events.len();
        failpoint::reach!(StoreBeforeChanges if !self.events.is_empty());
        let messages = self.changed.iter().filter_map(|id| self.messages.get(id));
        let changes = Changes {
            marks,
            now: self.clock.now().into(),
            messages: messages.map(MessageRow::from).collect(),
            history: self.history,
            events: self.events.into_iter().map(NewEventRow::from).collect(),
        };
        dialect::ledger::write(connection, &changes)?;
        Ok(self.effects)
    }
}
