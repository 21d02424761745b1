//! How long after its registration a message is asked about: learned from the delays of its provider's reports, and
//! kept in memory, for every registration needs it.

use crate::Context;
use crate::house::is_admitted;
use domain::Timestamp;
use domain::erasure::BLANK;
use domain::message::Registration;
use domain::poll::{FirstPoll, Plan};
use domain::send_attempt::Sending;
use providers::ask::Asked;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::account::Account;

/// How often the delays are learned anew.
const LEARN_EVERY: Duration = Duration::from_mins(5);

/// The waits before first polls, as they are known now.
pub(crate) struct Waits {
    poller: config::Poller,
    known: RwLock<FirstPoll>,
}

impl Waits {
    pub(crate) fn new(poller: config::Poller) -> Self {
        Self {
            known: RwLock::new(unlearned(&poller)),
            poller,
        }
    }

    /// Who is asked about a message of this account, and when.
    pub(crate) fn plan(&self, account: &Account, asked: &Asked) -> Plan {
        let max_age = account.silence.after.unwrap_or(self.poller.max_age);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let delay = known.delay(&account.provider, None).min(max_age);
        if can_ask(account, asked) {
            Plan::ask(delay)
        } else {
            Plan::wait(delay, max_age)
        }
    }
}

/// Learns the delays again and again, until the process drains.
pub(crate) fn start(waits: &Arc<Waits>, context: &Context) {
    let (waits, ours) = (waits.clone(), context.clone());
    context.tasks.supervise("subscriptions.learn", move || {
        let (waits, context) = (waits.clone(), ours.clone());
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            loop {
                let learned = context.store.learn(unlearned(&waits.poller)).await?;
                *waits.known.write().unwrap_or_else(PoisonError::into_inner) = learned;
                tokio::select! {
                    () = tokio::time::sleep(LEARN_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

fn unlearned(poller: &config::Poller) -> FirstPoll {
    FirstPoll::new(
        poller.first_poll,
        poller.first_poll_floor,
        poller.first_poll_ceiling,
    )
}

/// A message that is to be registered, as its provider will be asked about it.
pub(crate) fn asked(registration: &Registration, now: Timestamp) -> Asked {
    Asked {
        provider_message_id: registration.provider_message_id.clone(),
        client_reference: registration.client_reference.clone(),
        to: registration.to.clone(),
        from: registration.from.clone(),
        since: now,
    }
}

/// A message, as the provider is asked about it through which it was sent by this attempt.
pub(crate) fn asked_of(registration: &Registration, sending: &Sending<'_>) -> Asked {
    Asked {
        provider_message_id: sending.provider_message_id.map(str::to_owned),
        client_reference: sending.client_reference.map(str::to_owned),
        to: registration.to.clone(),
        from: registration.from.clone(),
        since: sending.created_at,
    }
}

/// Whether the provider of an account can be asked about a message. About one whose number was erased it is not:
/// the answer would bring the number back.
pub(crate) fn can_ask(account: &Account, asked: &Asked) -> bool {
    let provider = providers::registry::find(&account.provider);
    let api = provider.and_then(providers::Provider::status_api);
    asked.to != BLANK && account.status_api.is_some() && api.is_some_and(|api| api.can_ask(asked))
}
