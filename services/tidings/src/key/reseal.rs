//! Sealing everything in the store with the current key.

use super::{CHECK_NAME, Key};
use domain::id::{AccountId, QuarantineId, SubscriptionId};
use domain::{Random, secret};
use signing::Vault;
use store::Store;
use store::secret::{Column, Resealed, Sealed};

/// How often a column is gone through again because somebody changed a row meanwhile.
const PASSES: u32 = 10;

/// What became of the secrets in the store.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Provider accounts sealed again.
    pub accounts: usize,
    /// What the providers of accounts are asked with, sealed again.
    pub status_apis: usize,
    /// Subscriptions sealed again.
    pub subscriptions: usize,
    /// What subscriptions have beside their signing secrets, sealed again.
    pub beside: usize,
    /// Refused requests sealed again.
    pub quarantined: usize,
    /// What cannot be opened, and was left as it is.
    pub refused: Vec<Refused>,
    /// Rows that somebody kept changing, and that are not looked at any more.
    pub missed: usize,
}

/// A secret that cannot be opened.
#[derive(Debug)]
pub(super) struct Refused {
    /// The id of its row.
    pub id: String,
    /// Why.
    pub error: signing::Error,
}

/// Seals every secret that is not under the current key. Whatever was done before it fails stays done.
pub(super) async fn reseal(
    store: &Store,
    vault: &Vault,
    random: &Random,
) -> Result<Tally, store::Error> {
    let mut tally = Tally::default();
    for column in Column::ALL {
        let mut pass = once(store, vault, random, column).await?;
        *tally.of(column) += pass.changed;
        for _ in 1..PASSES {
            if pass.missed == 0 {
                break;
            }
            pass = once(store, vault, random, column).await?;
            *tally.of(column) += pass.changed;
        }
        tally.refused.append(&mut pass.refused);
        tally.missed += pass.missed;
    }
    Ok(tally)
}

/// Seals what the key is recognised by. To be done last: once it is, a process without the previous key
/// may start.
pub(super) async fn reseal_check(store: &Store, key: &Key) -> Result<(), store::Error> {
    let kept = key.kept_check(store).await?;
    if !key.vault.is_current(&kept) {
        store
            .replace_kept(CHECK_NAME, kept, key.sealed_check())
            .await?;
    }
    Ok(())
}

impl Tally {
    fn of(&mut self, column: Column) -> &mut usize {
        match column {
            Column::AccountChecks => &mut self.accounts,
            Column::AccountStatusApi => &mut self.status_apis,
            Column::SubscriptionSecret => &mut self.subscriptions,
            Column::SubscriptionHeaders | Column::EndpointSecret | Column::PreviousSecret => {
                &mut self.beside
            }
            Column::QuarantinedRequest => &mut self.quarantined,
        }
    }
}

/// Once through a column.
#[derive(Default)]
struct Pass {
    changed: usize,
    /// Changed by somebody else, between being read and being written.
    missed: usize,
    refused: Vec<Refused>,
}

async fn once(
    store: &Store,
    vault: &Vault,
    random: &Random,
    column: Column,
) -> Result<Pass, store::Error> {
    let mut pass = Pass::default();
    let mut after = None;
    loop {
        let page = store.list_sealed(column, after).await?;
        let Some(last) = page.last() else {
            return Ok(pass);
        };
        after = Some(last.id);
        let mut resealed = Vec::new();
        for sealed in page.into_iter().filter(|it| !vault.is_current(&it.value)) {
            let bound_to = context(column, &sealed);
            match vault.open(&bound_to, &sealed.value) {
                Ok(plain) => resealed.push(Resealed {
                    id: sealed.id,
                    to: vault.seal(&bound_to, &plain, random.bytes()),
                    from: sealed.value,
                }),
                Err(_) if sealed.is_spent => {}
                Err(error) => pass.refused.push(Refused {
                    id: name(column, &sealed),
                    error,
                }),
            }
        }
        if resealed.is_empty() {
            continue;
        }
        let wanted = resealed.len();
        let changed = store.replace_sealed(column, resealed).await?;
        pass.changed += changed;
        pass.missed += wanted - changed;
    }
}

fn context(column: Column, sealed: &Sealed) -> String {
    let (tenant, id) = (sealed.tenant_id, sealed.id);
    match column {
        Column::AccountChecks => secret::account_checks(tenant, AccountId(id)),
        Column::AccountStatusApi => secret::account_status_api(tenant, AccountId(id)),
        Column::SubscriptionSecret => secret::subscription_secret(tenant, SubscriptionId(id)),
        Column::SubscriptionHeaders => secret::subscription_headers(tenant, SubscriptionId(id)),
        Column::EndpointSecret => secret::endpoint_secret(tenant, SubscriptionId(id)),
        Column::PreviousSecret => secret::previous_secret(tenant, id),
        Column::QuarantinedRequest => secret::quarantined_request(tenant, QuarantineId(id)),
    }
}

fn name(column: Column, sealed: &Sealed) -> String {
    match column {
        Column::AccountChecks | Column::AccountStatusApi => AccountId(sealed.id).to_string(),
        Column::SubscriptionSecret | Column::SubscriptionHeaders | Column::EndpointSecret => {
            SubscriptionId(sealed.id).to_string()
        }
        Column::PreviousSecret => format!("the replaced secret {}", sealed.id),
        Column::QuarantinedRequest => QuarantineId(sealed.id).to_string(),
    }
}
