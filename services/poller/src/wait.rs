//! The waits before first polls that were learned of single networks. A message is registered before its network is
//! known; once a report has named a slower one, the first poll waits for that.

use crate::turn::Shared;
use crate::{Context, Rules};
use domain::poll::FirstPoll;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::poll::{DueMessage, Polled};

/// How often they are learned anew.
const LEARN_EVERY: Duration = Duration::from_mins(5);

/// The waits, as they are known now.
pub(crate) struct Waits(RwLock<FirstPoll>);

impl Waits {
    pub(crate) fn new(rules: Rules) -> Self {
        Self(RwLock::new(unlearned(rules)))
    }

    /// A message that is not overdue yet, by what is known of its network, as it is due then.
    pub(crate) fn postpone(&self, message: &DueMessage, unmoved: Polled) -> Option<Polled> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let wait = known.of_network(&message.provider, message.network_code.as_deref()?)?;
        Some(Polled {
            next: Some(message.due.postponed(wait)?),
            ..unmoved
        })
    }

    pub(crate) fn learn(&self, learned: FirstPoll) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = learned;
    }
}

/// Learns them again and again, until the process drains.
pub(crate) fn start(shared: &Arc<Shared>, context: &Context) {
    let shared = shared.clone();
    context.tasks.supervise("poller.learn", move || {
        let shared = shared.clone();
        async move {
            let context = &shared.context;
            loop {
                let learned = context.store.learn(unlearned(shared.rules)).await?;
                shared.waits.learn(learned);
                tokio::select! {
                    () = tokio::time::sleep(LEARN_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

fn unlearned(rules: Rules) -> FirstPoll {
    FirstPoll::new(
        rules.first_poll,
        rules.first_poll_floor,
        rules.first_poll_ceiling,
    )
}
