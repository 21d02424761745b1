//! The round: which accounts have something due, and whose turn it is. Each account's turn is a task of its own.

use crate::held::Held;
use crate::memory::Memories;
use crate::turn::{self, Shared};
use crate::wait::{self, Waits};
use crate::{Context, Rules, inbox};
use broker::HintReceiver;
use domain::id::AccountId;
use domain::poll::RENEW_EVERY;
use runtime::Check;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::poll::Search;
use wire::{Queue, Topic};

/// How often it is looked for due messages, besides hints.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many accounts have their turns at once.
const MOST_AT_ONCE: usize = 64;

/// Starts asking, until the process drains.
pub(crate) fn start(rules: Rules, check: Check, context: &Context) {
    let owner = hex::encode(context.random.bytes::<8>());
    let shared = Arc::new(Shared {
        context: context.clone(),
        rules,
        held: Held::default(),
        memories: Memories::default(),
        waits: Waits::new(rules),
        is_free: tokio::sync::Notify::new(),
    });
    renew(&owner, &shared);
    wait::start(&shared, context);
    context.tasks.supervise("poller", move || {
        let round = Round {
            shared: shared.clone(),
            owner: owner.clone(),
            check: check.clone(),
            after: None,
        };
        async move {
            round.run().await?;
            Ok(())
        }
    });
}

struct Round {
    shared: Arc<Shared>,
    /// Who this poller is among the others.
    owner: String,
    check: Check,
    /// The last account that got its turn: those behind it come next.
    after: Option<AccountId>,
}

impl Round {
    async fn run(mut self) -> Result<(), store::Error> {
        let context = self.shared.context.clone();
        let mut wishes = context.broker.hints(Topic::Polls);
        let mut accounts = context.broker.hints(Topic::Accounts);
        loop {
            let looked = self.look().await;
            match &looked {
                Ok(()) => self
                    .check
                    .ok(format!("{} accounts", self.shared.held.len())),
                Err(error) => self.check.failing(error.to_string()),
            }
            looked?;
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = hinted(&mut wishes, &mut accounts) => {}
                () = self.shared.is_free.notified() => {}
                () = context.shutdown.draining() => return Ok(()),
            }
        }
    }

    /// Gives turns to as many accounts as there are places.
    async fn look(&mut self) -> Result<(), store::Error> {
        let context = &self.shared.context;
        let free = MOST_AT_ONCE.saturating_sub(self.shared.held.len());
        // An answer that cannot be kept is asked for in vain.
        if free == 0 || context.broker.can_publish(Queue::Callbacks).is_err() {
            return Ok(());
        }
        let search = Search {
            after: self.after,
            limit: free,
        };
        let mut found = context.store.find_due_accounts(search).await?;
        self.after = found.last().copied().filter(|_| found.len() == free);
        let inboxes = inbox::providers();
        if !inboxes.is_empty() {
            let every = inbox::READ_EVERY;
            let due = context.store.find_due_inboxes(inboxes, every, free).await?;
            found.extend(due);
        }
        found.sort_unstable();
        found.dedup();
        // A clock that jumps may end a lease whose turn goes on here.
        let held = self.shared.held.accounts();
        found.retain(|account| !held.contains(account));
        found.truncate(free);
        if found.is_empty() {
            return Ok(());
        }
        let asked_at = Instant::now();
        let leases = context
            .store
            .lease_accounts(self.owner.clone(), found)
            .await?;
        failpoint::reach!(PollerAfterLease if !leases.is_empty());
        for lease in leases {
            self.shared.held.take(lease.account_id, asked_at);
            let turn = turn::run(self.shared.clone(), lease);
            context.tasks.spawn("poller.turn", turn);
        }
        Ok(())
    }
}

/// Waits until somebody wants a message asked about, or an account is changed.
async fn hinted(wishes: &mut HintReceiver, accounts: &mut HintReceiver) {
    tokio::select! {
        _ = wishes.recv() => {}
        _ = accounts.recv() => {}
    }
}

/// Keeps the leases of those whose turn it is.
fn renew(owner: &str, shared: &Arc<Shared>) {
    let (owner, shared) = (owner.to_owned(), shared.clone());
    let tasks = shared.context.tasks.clone();
    tasks.supervise("poller.leases", move || {
        let (owner, shared) = (owner.clone(), shared.clone());
        async move {
            let context = &shared.context;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(RENEW_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
                let wanted = shared.held.accounts();
                if wanted.is_empty() {
                    continue;
                }
                let asked_at = Instant::now();
                let renewed = context
                    .store
                    .renew_accounts(owner.clone(), wanted.clone())
                    .await?;
                shared.held.renew(&wanted, &renewed, asked_at);
            }
        }
    });
}
