//! Dead letters: jobs that were given up, until somebody has them done again, purges them, or they are old.

mod requeue;
mod row;

pub use requeue::Requeued;
pub(crate) use row::NewRow;

use crate::Store;
use crate::callback::{DEAD_LETTERED, PROCESSED};
use crate::connection::{Connection, each};
use crate::dialect::dead_letter as dialect;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::{callbacks, dead_letters, tenants};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::{AccountId, CallbackId, DeadLetterId, ReceiptId, TenantId};
use domain::{Timestamp, text};
use row::Row;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// In a list, payloads up to this size are shown, in bytes: a page of them stays in bounds.
pub const MAX_LISTED_BYTES: u32 = 64 * 1024;
/// How much is told of an error, in bytes.
const MAX_ERROR_BYTES: usize = 1_024;

/// A dead letter as the broker has it, and what can be read of its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Died {
    /// Where it came from, and goes back to.
    pub queue: String,
    /// Its job's tag, or `unreadable`.
    pub kind: String,
    /// Whose it says it is; the platform's where it says nothing, or nobody we know.
    pub tenant_id: Option<TenantId>,
    /// The account it says it is of.
    pub provider_account: Option<String>,
    /// The receipt it is about.
    pub receipt_id: Option<ReceiptId>,
    /// The callback it is about.
    pub callback_id: Option<CallbackId>,
    /// Names this death: a job that is done again and dies again has another.
    pub death: String,
    /// Why it was given up.
    pub reason: String,
    /// How often it was attempted.
    pub attempts: u32,
    /// When it was published.
    pub first_seen_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
    /// The job, as it was published.
    pub payload: Vec<u8>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// Where it came from, and goes back to.
    pub queue: String,
    /// Its job's tag, or `unreadable`.
    pub kind: String,
    /// The account it is of, where that is known.
    pub provider_account: Option<String>,
    /// The callback it is about, where that is known.
    pub callback_id: Option<CallbackId>,
    /// Why it was given up.
    pub reason: String,
    /// What was said of its last try that was answered, where that is known.
    pub last_error: Option<String>,
    /// How often it was attempted.
    pub attempts: u32,
    /// When it was published.
    pub first_seen_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
    /// How large its payload is, in bytes.
    pub size_bytes: u32,
    /// The job, as it was published; not in a list where it is over [`MAX_LISTED_BYTES`].
    pub payload: Option<Vec<u8>>,
    /// When it is to be done again, where somebody asked for that.
    pub requeue_at: Option<Timestamp>,
}

/// Which of a tenant's dead letters.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// This one.
    pub id: Option<DeadLetterId>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this account.
    pub provider_account: Option<String>,
    /// Given up at or after this.
    pub after: Option<Timestamp>,
    /// Given up before this.
    pub before: Option<Timestamp>,
}

/// Selects of the dead letters that a filter wants.
macro_rules! wanted {
    ($tenant:expr, $filter:expr, $select:expr) => {{
        let mut query = dead_letters::table
            .filter(dead_letters::tenant_id.eq(Uid::from($tenant)))
            .select($select)
            .into_boxed();
        if let Some(id) = $filter.id {
            query = query.filter(dead_letters::id.eq(Uid::from(id)));
        }
        if let Some(queue) = &$filter.queue {
            query = query.filter(dead_letters::queue.eq(queue.clone()));
        }
        if let Some(kind) = &$filter.kind {
            query = query.filter(dead_letters::kind.eq(kind.clone()));
        }
        if let Some(account) = &$filter.provider_account {
            query = query.filter(dead_letters::provider_account.eq(account.clone()));
        }
        if let Some(after) = $filter.after {
            query = query.filter(dead_letters::died_at.ge(Moment::from(after)));
        }
        if let Some(before) = $filter.before {
            query = query.filter(dead_letters::died_at.lt(Moment::from(before)));
        }
        query
    }};
}
pub(crate) use wanted;

impl Store {
    /// Records dead letters, and that the callbacks they are about are dead, all in one commit; the accounts
    /// of those callbacks that were not, and when each was received. One that is recorded already changes
    /// nothing.
    pub async fn record_dead_letters(
        &self,
        died: Arc<Vec<Died>>,
    ) -> Result<Vec<(AccountId, Timestamp)>, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.write(move |connection| {
            let known = known_tenants(connection, &died)?;
            let errors = errors_of_callbacks(connection, &died)?;
            let now = clock.now();
            // Each once: an engine updates a row once in a statement.
            let rows: BTreeMap<[u8; 32], NewRow> = died
                .iter()
                .map(|died| {
                    let tenant = died.tenant_id.filter(|tenant| known.contains(tenant));
                    let tenant = tenant.unwrap_or(TenantId::PLATFORM);
                    let error = died.receipt_id.and_then(|receipt| errors.get(&receipt));
                    let id = DeadLetterId::new(now, &random);
                    let key = domain::dead_letter::key(&died.queue, &died.payload);
                    (key, NewRow::new(id, key, tenant, died, error.cloned()))
                })
                .collect();
            let rows: Vec<NewRow> = rows.into_values().collect();
            dialect::record(connection, &rows)?;
            mark_callbacks(connection, &died)
        })
        .await
    }

    /// A tenant's dead letters, newest first.
    pub async fn list_dead_letters(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<DeadLetterId>,
    ) -> Result<Page<DeadLetter, DeadLetterId>, Error> {
        self.read(move |connection| {
            let rows: Vec<Row> = each!(connection, c => {
                let mut query = wanted!(tenant, filter, Row::as_select())
                    .order(dead_letters::id.desc())
                    .limit(window.reach());
                if let Some(before) = window.before {
                    query = query.filter(dead_letters::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &Row| DeadLetterId::from(row.id));
            let small = page
                .items
                .iter()
                .filter(|row| row.size() <= MAX_LISTED_BYTES);
            let small: Vec<Uid> = small.map(|row| row.id).collect();
            let mut payloads = payloads(connection, &small)?;
            Ok(page.map(|row| {
                let payload = payloads.remove(&row.id);
                row.into_letter(payload)
            }))
        })
        .await
    }

    /// A tenant's dead letter.
    pub async fn find_dead_letter(
        &self,
        tenant: TenantId,
        id: DeadLetterId,
    ) -> Result<Option<DeadLetter>, Error> {
        let filter = Filter {
            id: Some(id),
            ..Filter::default()
        };
        self.read(move |connection| {
            let row: Option<Row> = each!(connection, c => wanted!(tenant, filter, Row::as_select())
                .first(c)
                .optional())?;
            let Some(row) = row else {
                return Ok(None);
            };
            let payload = payloads(connection, &[row.id])?.remove(&row.id);
            Ok(Some(row.into_letter(payload)))
        })
        .await
    }

    /// How many of a tenant's dead letters a filter wants.
    pub async fn count_dead_letters(&self, tenant: TenantId, filter: Filter) -> Result<u64, Error> {
        self.read(move |connection| {
            let count: i64 = each!(connection, c => {
                wanted!(tenant, filter, diesel::dsl::count_star()).get_result(c)
            })?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    /// How many dead letters there are of each queue that has any.
    pub async fn count_dead_letters_by_queue(&self) -> Result<HashMap<String, u64>, Error> {
        self.read(|connection| {
            let counts: Vec<(String, i64)> = each!(connection, c => dead_letters::table
                .group_by(dead_letters::queue)
                .select((dead_letters::queue, diesel::dsl::count_star()))
                .load(c))?;
            let number = |count| u64::try_from(count).unwrap_or(0);
            Ok(counts
                .into_iter()
                .map(|(queue, count)| (queue, number(count)))
                .collect())
        })
        .await
    }
}

/// Whoever is named and exists: damaged bytes may name anybody.
fn known_tenants(connection: &mut Connection, died: &[Died]) -> Result<HashSet<TenantId>, Error> {
    let named: HashSet<Uid> = died
        .iter()
        .filter_map(|died| died.tenant_id.map(Uid::from))
        .collect();
    let known: Vec<Uid> = each!(connection, c => tenants::table
        .filter(tenants::id.eq_any(named))
        .select(tenants::id)
        .load(c))?;
    Ok(known.into_iter().map(TenantId::from).collect())
}

fn errors_of_callbacks(
    connection: &mut Connection,
    died: &[Died],
) -> Result<HashMap<ReceiptId, String>, Error> {
    let receipts: Vec<Uid> = died
        .iter()
        .filter_map(|died| died.receipt_id.map(Uid::from))
        .collect();
    let errors: Vec<(Uid, Option<String>)> = each!(connection, c => callbacks::table
        .filter(callbacks::receipt_id.eq_any(receipts))
        .select((callbacks::receipt_id, callbacks::error))
        .load(c))?;
    let told = errors
        .into_iter()
        .filter_map(|(id, error)| Some((id.into(), error?)));
    Ok(told.collect())
}

/// A job that died with its process leaves nobody else to note it. In the order of their ids, so that two
/// transactions never wait for one another.
fn mark_callbacks(
    connection: &mut Connection,
    died: &[Died],
) -> Result<Vec<(AccountId, Timestamp)>, Error> {
    let mut marked = Vec::new();
    let dead: BTreeMap<Uid, &str> = died
        .iter()
        .filter_map(|died| Some((died.receipt_id?.into(), died.reason.as_str())))
        .collect();
    for (receipt, reason) in dead {
        let reason = text::clean(text::cut(reason, MAX_ERROR_BYTES).to_owned());
        let not_done = callbacks::status.ne_all([PROCESSED, DEAD_LETTERED]);
        let dead: Option<(Uid, Moment)> = each!(connection, c => {
            diesel::update(callbacks::table.find(receipt))
                .filter(not_done)
                .set((
                    callbacks::status.eq(DEAD_LETTERED),
                    callbacks::error.eq(Some(reason)),
                ))
                .returning((callbacks::account_id, callbacks::received_at))
                .get_result(c)
                .optional()
        })?;
        marked.extend(dead.map(|(account, at)| (account.into(), at.into())));
    }
    Ok(marked)
}

fn payloads(connection: &mut Connection, ids: &[Uid]) -> Result<HashMap<Uid, Vec<u8>>, Error> {
    let payloads: Vec<(Uid, Vec<u8>)> = each!(connection, c => dead_letters::table
        .filter(dead_letters::id.eq_any(ids))
        .select((dead_letters::id, dead_letters::payload))
        .load(c))?;
    Ok(payloads.into_iter().collect())
}
