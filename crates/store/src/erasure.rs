//! Erasure: one phone number of one tenant, blanked or removed wherever the store names it.

mod callback;
mod dead_letter;
mod event;
mod message;
mod trial;

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::retention::PAGE;
use crate::schema::orphans;
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::erasure::Number;
use domain::id::TenantId;
use std::time::Duration;
use uuid::Uuid;

/// How many rows with the number are changed in one transaction: each hangs on several others.
const CHANGED: usize = 50;
/// Between two transactions, so that those who work go first.
const BREATH: Duration = Duration::from_millis(10);

/// What an erasure did, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Messages whose number, sender or texts were blanked. Their states stay.
    pub messages: usize,
    /// Lines of history whose text was blanked.
    pub history: usize,
    /// Receipts of callbacks whose body and headers were removed.
    pub callbacks: usize,
    /// Events whose texts were blanked.
    pub events: usize,
    /// Attempts whose answer's body was blanked.
    pub attempts: usize,
    /// Reports without a message that were removed.
    pub orphans: usize,
    /// Jobs that were given up and removed.
    pub dead_letters: usize,
    /// Tests of webhooks whose texts were blanked.
    pub webhook_tests: usize,
}

impl Store {
    /// Erases a number of a tenant, in small transactions; what was done. Doing it again finds what is
    /// left, or has come since. What waits in the broker may bring it back.
    ///
    /// Messages come first: what a callback says of one that is blanked names nobody. A message is
    /// blanked together with what is found only through it.
    pub async fn erase(&self, tenant: TenantId, number: Number) -> Result<Erased, Error> {
        let mut erased = Erased::default();
        self.erase_orphans(tenant, &number, &mut erased).await?;
        self.erase_recipients(tenant, &number, &mut erased).await?;
        self.erase_in_messages(tenant, &number, &mut erased).await?;
        self.erase_callbacks(tenant, &number, &mut erased).await?;
        self.erase_events(tenant, &number, &mut erased).await?;
        self.erase_dead_letters(tenant, &number, &mut erased)
            .await?;
        self.erase_trials(tenant, &number, &mut erased).await?;
        self.forget_answers(tenant).await?;
        Ok(erased)
    }

    /// Whether they were heard stays known: said again, they are duplicates.
    async fn erase_orphans(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        let mut after = Some(Uid(Uuid::nil()));
        while let Some(last) = after {
            let page: Vec<(Uid, Uid, Uid, String)> = self
                .read(move |connection| {
                    Ok(each!(connection, c => orphans::table
                        .filter(orphans::id.gt(last))
                        .order(orphans::id)
                        .select((orphans::id, orphans::callback_id, orphans::tenant_id, orphans::report))
                        .limit(PAGE)
                        .load(c))?)
                })
                .await?;
            after = last_of_full(&page, PAGE, |row| row.0);
            let naming = page.into_iter().filter(|(.., owner, report)| {
                *owner == Uid::from(tenant) && number.is_in(report.as_bytes())
            });
            let (ids, callbacks): (Vec<Uid>, Vec<Uid>) =
                naming.map(|(id, callback, ..)| (id, callback)).unzip();
            if ids.is_empty() {
                continue;
            }
            let done = self.write(move |connection| {
                let callbacks = callback::remove(connection, tenant, &callbacks)?;
                let orphans = each!(connection, c => diesel::delete(orphans::table)
                    .filter(orphans::id.eq_any(&ids))
                    .execute(c))?;
                Ok((orphans, callbacks))
            });
            let (orphans, callbacks) = done.await?;
            erased.orphans += orphans;
            erased.callbacks += callbacks;
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}

/// Where the next page begins; none after one that is not full.
fn last_of_full<T, K>(page: &[T], size: i64, key: impl Fn(&T) -> K) -> Option<K> {
    let is_full = i64::try_from(page.len()) == Ok(size);
    page.last().filter(|_| is_full).map(key)
}

/// That a text has these digits somewhere.
fn having(number: &Number) -> String {
    format!("%{}%", number.digits())
}
