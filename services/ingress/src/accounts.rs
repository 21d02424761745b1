//! The accounts the door knows: looked up once, refreshed when they change.

use crate::{Context, Door};
use actix_web::web;
use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::id::{AccountId, TenantId};
use providers::Provider;
use signing::checks::Checks;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use store::account::Account;
use store::installation::Versioned;

/// How long an account that is not there is not looked up again.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);
/// How often the store is asked whether accounts changed, besides hints.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most accounts remembered, known or not.
const MOST_REMEMBERED: usize = 20_000;

/// An account whose callbacks can be checked.
pub(crate) struct Known {
    pub id: AccountId,
    pub tenant_id: TenantId,
    pub slug: Slug,
    pub environment: Environment,
    pub provider: &'static dyn Provider,
    pub checks: Checks,
}

/// Why an account cannot be told.
#[derive(Debug)]
pub(crate) struct Away;

pub(crate) struct Accounts {
    store: Store,
    vault: Arc<signing::Vault>,
    remembered: Mutex<HashMap<Slug, Entry>>,
}

#[derive(Clone)]
enum Entry {
    Known(Arc<Known>),
    UnknownUntil(Timestamp),
}

impl Accounts {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            store: context.store.clone(),
            vault: context.vault.clone(),
            remembered: Mutex::default(),
        }
    }

    /// The account of this slug; none when there is none. [`Away`] when that cannot be told now,
    /// which is our own fault and never the caller's.
    pub(crate) async fn find(
        &self,
        slug: &Slug,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Away> {
        let remembered = self.lock().get(slug).cloned();
        match remembered {
            Some(Entry::Known(known)) => return Ok(Some(known)),
            Some(Entry::UnknownUntil(until)) if until > now => return Ok(None),
            Some(Entry::UnknownUntil(_)) | None => {}
        }
        let found = self
            .store
            .find_account_by_slug(slug.clone())
            .await
            .map_err(|error| {
                tracing::error!(%error, "a provider account could not be looked up");
                Away
            })?;
        let entry = match found {
            None => Entry::UnknownUntil(now.plus(UNKNOWN_FOR)),
            Some(account) => Entry::Known(Arc::new(self.open(account)?)),
        };
        self.remember(slug.clone(), entry.clone());
        Ok(match entry {
            Entry::Known(known) => Some(known),
            Entry::UnknownUntil(_) => None,
        })
    }

    /// Reloads every known account; those that are gone, or cannot be opened any more, are
    /// forgotten.
    async fn reload(&self) -> Result<(), store::Error> {
        let slugs: Vec<Slug> = self.lock().keys().cloned().collect();
        let accounts = self.store.find_accounts_by_slugs(slugs).await?;
        let opened = accounts.into_iter().filter_map(|account| {
            let known = self.open(account).ok()?;
            Some((known.slug.clone(), Entry::Known(Arc::new(known))))
        });
        *self.lock() = opened.collect();
        Ok(())
    }

    fn open(&self, account: Account) -> Result<Known, Away> {
        let context = domain::secret::account_checks(account.tenant_id, account.id);
        let provider = providers::registry::find(&account.provider);
        let checks = self.vault.open(&context, &account.checks);
        let checks = checks
            .map_err(|error| error.to_string())
            .and_then(|json| Checks::from_json(&json).map_err(|error| error.to_string()));
        match (provider, checks) {
            (Some(provider), Ok(checks)) => Ok(Known {
                id: account.id,
                tenant_id: account.tenant_id,
                slug: account.slug,
                environment: account.environment,
                provider,
                checks,
            }),
            (None, _) => {
                let provider = account.provider;
                tracing::error!(account.id = %account.id, provider, "an account's provider is not known to this release");
                Err(Away)
            }
            (_, Err(error)) => {
                tracing::error!(account.id = %account.id, error, "an account's checks cannot be opened");
                Err(Away)
            }
        }
    }

    fn remember(&self, slug: Slug, entry: Entry) {
        let mut remembered = self.lock();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, entry| matches!(entry, Entry::Known(_)));
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(slug, entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Slug, Entry>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
                let mut hints = door.context.broker.hints();
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
