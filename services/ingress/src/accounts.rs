//! The accounts the door knows: looked up once, refreshed when they change.

use crate::breaker::Breaker;
use crate::{Context, Door};
use actix_web::web;
use domain::account::Slug;
use domain::{Clock, Timestamp};
use reception::Account;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use store::installation::Versioned;
use tokio::time::timeout;
use wire::Topic;

/// How long an account that is not there is not looked up again.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);
/// How long a provider is kept waiting for a store that does not answer.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);
/// How often the store is asked whether accounts changed, besides hints.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most accounts remembered, known or not.
const MOST_REMEMBERED: usize = 20_000;

/// Why an account cannot be told.
#[derive(Debug)]
pub(crate) struct Away;

pub(crate) struct Accounts {
    store: Store,
    vault: Arc<signing::Vault>,
    /// Before the store.
    breaker: Breaker,
    clock: Clock,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    entries: HashMap<Slug, Entry>,
    /// How often all of them were reloaded, or began to be.
    reloads: u64,
}

#[derive(Clone)]
enum Entry {
    Known(Arc<Account>),
    UnknownUntil(Timestamp),
}

impl Accounts {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            store: context.store.clone(),
            vault: context.vault.clone(),
            breaker: Breaker::default(),
            clock: context.clock.clone(),
            remembered: Mutex::default(),
        }
    }

    /// The account of this slug; none when there is none. [`Away`] when that cannot be told now,
    /// which is our own fault and never the caller's.
    pub(crate) async fn find(
        &self,
        slug: &Slug,
        now: Timestamp,
    ) -> Result<Option<Arc<Account>>, Away> {
        let (remembered, reloads) = {
            let remembered = self.lock();
            (remembered.entries.get(slug).cloned(), remembered.reloads)
        };
        match remembered {
            Some(Entry::Known(known)) => return Ok(Some(known)),
            Some(Entry::UnknownUntil(until)) if until > now => return Ok(None),
            Some(Entry::UnknownUntil(_)) | None => {}
        }
        let found = self.look_up(slug, now).await?;
        let entry = match found {
            None => Entry::UnknownUntil(now.plus(UNKNOWN_FOR)),
            Some(account) => Entry::Known(Arc::new(self.open(account)?)),
        };
        self.lock().keep(slug.clone(), entry.clone(), reloads);
        Ok(match entry {
            Entry::Known(known) => Some(known),
            Entry::UnknownUntil(_) => None,
        })
    }

    /// Whose account a slug is, as far as that is known without asking.
    pub(crate) fn known(&self, slug: &Slug) -> Option<Arc<Account>> {
        match self.lock().entries.get(slug) {
            Some(Entry::Known(known)) => Some(known.clone()),
            Some(Entry::UnknownUntil(_)) | None => None,
        }
    }

    /// Asks the store, unless it is known to be away.
    async fn look_up(
        &self,
        slug: &Slug,
        now: Timestamp,
    ) -> Result<Option<store::account::Account>, Away> {
        if !self.breaker.lets_pass(now) {
            return Err(Away);
        }
        let found = timeout(
            LOOK_UP_WITHIN,
            self.store.find_account_by_slug(slug.clone()),
        );
        let reason = match found.await {
            Ok(Ok(found)) => {
                self.breaker.close();
                return Ok(found);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the store does not answer within {LOOK_UP_WITHIN:?}"),
        };
        self.breaker.open(self.clock.now());
        tracing::error!(
            reason,
            "provider accounts cannot be looked up: callbacks are answered 503"
        );
        Err(Away)
    }

    /// Reloads every known account; those that are gone, or cannot be opened any more, are
    /// forgotten.
    async fn reload(&self) -> Result<(), store::Error> {
        let slugs = self.lock().begin_reload();
        let accounts = self.store.find_accounts_by_slugs(slugs.clone()).await?;
        let opened = accounts.into_iter().filter_map(|account| {
            let known = self.open(account).ok()?;
            Some((known.slug.clone(), Entry::Known(Arc::new(known))))
        });
        let opened = opened.collect();
        self.lock().end_reload(slugs, opened);
        Ok(())
    }

    /// What cannot be opened is our own fault, and said in the log.
    fn open(&self, account: store::account::Account) -> Result<Account, Away> {
        let id = account.id;
        Account::open(account, &self.vault).map_err(|error| {
            tracing::error!(account.id = %id, %error, "an account cannot be used");
            Away
        })
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    /// What to load again.
    fn begin_reload(&mut self) -> Vec<Slug> {
        self.reloads += 1;
        self.entries.keys().cloned().collect()
    }

    /// Takes in what was loaded again of these. Who became known meanwhile was read after the reload began,
    /// and stays.
    fn end_reload(&mut self, slugs: Vec<Slug>, mut loaded: HashMap<Slug, Entry>) {
        for slug in slugs {
            match loaded.remove(&slug) {
                Some(entry) => self.entries.insert(slug, entry),
                None => self.entries.remove(&slug),
            };
        }
    }

    /// Keeps what was found, unless a reload began since there were `reloads`: what was read before
    /// it may be out of date, and nothing would tell so again.
    fn keep(&mut self, slug: Slug, entry: Entry, reloads: u64) {
        if self.reloads != reloads {
            return;
        }
        if self.entries.len() >= MOST_REMEMBERED {
            self.entries
                .retain(|_, entry| matches!(entry, Entry::Known(_)));
        }
        if self.entries.len() < MOST_REMEMBERED {
            self.entries.insert(slug, entry);
        }
    }
}

/// Reloads the known accounts whenever any account changed.
pub(crate) fn keep_fresh(door: &web::Data<Door>) {
    let door = door.clone();
    let context = door.context.clone();
    let check = context.readiness.register("ingress.accounts");
    context
        .tasks
        .clone()
        .supervise("ingress.accounts", move || {
            let (door, check) = (door.clone(), check.clone());
            async move {
                let shutdown = &door.context.shutdown;
                let mut hints = door.context.broker.hints(Topic::Accounts);
                let mut seen = None;
                loop {
                    match door.context.store.version(Versioned::Accounts).await {
                        Ok(version) if seen == Some(version) => check.ok("fresh"),
                        Ok(version) => {
                            door.accounts.reload().await?;
                            seen = Some(version);
                            check.ok("fresh");
                        }
                        Err(error) => check.failing(error.to_string()),
                    }
                    tokio::select! {
                        () = hinted(&mut hints) => {}
                        () = tokio::time::sleep(LOOK_EVERY) => {}
                        () = shutdown.draining() => return Ok(()),
                    }
                }
            }
        });
}

async fn hinted(hints: &mut broker::HintReceiver) {
    while !hints.recv().await.accounts {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Entry = Entry::UnknownUntil(Timestamp::from_millis(0));

    #[test]
    fn what_was_read_before_a_reload_is_not_remembered_after_it() {
        let mut remembered = Remembered::default();
        let slug = |text: &str| text.parse::<Slug>().unwrap();
        remembered.keep(slug("early"), NEVER, 0);
        assert_eq!(remembered.begin_reload(), [slug("early")]);
        remembered.keep(slug("late"), NEVER, 0);
        assert!(!remembered.entries.contains_key(&slug("late")));
        remembered.keep(slug("late"), NEVER, 1);
        assert!(remembered.entries.contains_key(&slug("late")));
    }

    #[test]
    fn what_becomes_known_during_a_reload_stays_and_what_is_gone_goes() {
        let mut remembered = Remembered::default();
        let slug = |text: &str| text.parse::<Slug>().unwrap();
        for known in ["gone", "there"] {
            remembered.keep(slug(known), NEVER, 0);
        }
        let slugs = remembered.begin_reload();
        remembered.keep(slug("new"), NEVER, 1);
        remembered.end_reload(slugs, HashMap::from([(slug("there"), NEVER)]));
        let mut left: Vec<&str> = remembered.entries.keys().map(Slug::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["new", "there"]);
    }

    #[test]
    fn guessing_names_does_not_fill_the_memory() {
        let mut remembered = Remembered::default();
        for number in 0..=MOST_REMEMBERED {
            let slug = number.to_string().parse().unwrap();
            remembered.keep(slug, NEVER, 0);
        }
        assert!(remembered.entries.len() <= MOST_REMEMBERED);
    }
}
