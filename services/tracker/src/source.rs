//! From where accounts are called. A source that is new at an account that has been called for a while is
//! told to the platform tenant.

use crate::Context;
use crate::security;
use domain::id::AccountId;
use domain::report::Source;
use runtime::http::source;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::callback::Accepted;

/// How many pairs of an account and a source are known to be noted. Beyond it all are looked up again.
const MOST_REMEMBERED: usize = 100_000;

/// The sources that are noted already, as far as this process knows: a pair costs the store one look.
#[derive(Default)]
pub(crate) struct Sources {
    noted: Mutex<HashSet<(AccountId, IpAddr)>>,
}

impl Sources {
    /// Looks at who sent these callbacks, once they are applied. What fails is looked at again with the
    /// next callback of the same source.
    pub(crate) async fn see(&self, context: &Context, batch: &[Accepted]) {
        let new = self.unknown(batch);
        if new.is_empty() {
            return;
        }
        let seen = new
            .iter()
            .map(|(account, slug, source)| (*account, slug.clone(), source.to_string()))
            .collect();
        match context.store.see_sources(seen).await {
            Ok(raised) => {
                security::tell(context, &raised);
                let mut noted = self.lock();
                if noted.len() + new.len() > MOST_REMEMBERED {
                    noted.clear();
                }
                noted.extend(
                    new.into_iter()
                        .map(|(account, _, source)| (account, source)),
                );
            }
            Err(error) => {
                tracing::warn!(%error, "the sources of callbacks could not be noted");
            }
        }
    }

    fn unknown(&self, batch: &[Accepted]) -> HashSet<(AccountId, String, IpAddr)> {
        let noted = self.lock();
        batch
            .iter()
            // Who was asked did not call.
            .filter(|accepted| accepted.source == Source::Callback)
            .filter_map(|accepted| {
                let source = source(accepted.source_ip.parse().ok()?);
                let is_new = !noted.contains(&(accepted.account_id, source));
                is_new.then(|| {
                    let slug = accepted.provider_account.clone();
                    (accepted.account_id, slug, source)
                })
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(AccountId, IpAddr)>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
