//! The feed: a tenant's events in the order in which they are told, for who reads on where he was.
//!
//! Only what is stamped is in it. A shard's number moves in the commit that stamps, so whoever reads the
//! number first sees every event up to it, and none comes to be behind it later.

use super::log::{About, Filter, like, narrow};
use super::{EventRow, Kept, LOOKED_AT, MESSAGE};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{events, shards};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::Shard;
use domain::id::TenantId;

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With the oldest event that is kept.
    Start,
    /// With what is stamped from now on.
    Now,
    /// After this sequence.
    Sequence(i64),
}

/// Some of the feed.
#[derive(Debug, Clone)]
pub struct FeedPage {
    /// Oldest first.
    pub items: Vec<Kept>,
    /// After which sequence to read on.
    pub next: i64,
    /// Whether that is all there was.
    pub is_end: bool,
}

impl Store {
    /// A tenant's stamped events, oldest first. Looks at a bounded number of them: where none is as asked
    /// for, there is still further to read on.
    pub async fn feed_events(
        &self,
        tenant: TenantId,
        filter: Filter,
        since: Since,
        limit: u32,
    ) -> Result<FeedPage, Error> {
        self.read(move |connection| read(connection, tenant, &filter, since, limit.into()))
            .await
    }

    /// The last sequence that was given in each of these shards.
    pub async fn newest_sequences(&self, asked: Vec<Shard>) -> Result<Vec<(Shard, i64)>, Error> {
        let numbers: Vec<i16> = asked.iter().map(|one| i16::from(one.number())).collect();
        let rows: Vec<(i16, i64)> = self
            .read(move |connection| {
                Ok(each!(connection, c => shards::table
                    .filter(shards::number.eq_any(&numbers))
                    .select((shards::number, shards::sequence))
                    .load(c))?)
            })
            .await?;
        let known = rows.into_iter().filter_map(|(number, sequence)| {
            let shard = Shard::new(u8::try_from(number).ok()?)?;
            Some((shard, sequence))
        });
        Ok(known.collect())
    }
}

fn read(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    since: Since,
    limit: i64,
) -> Result<FeedPage, Error> {
    let newest = newest(connection, tenant)?;
    let after = match since {
        Since::Start => 0,
        Since::Now => newest,
        // One from before the store was put back to an older state goes on from there.
        Since::Sequence(sequence) => sequence.min(newest),
    };
    if after == newest {
        return Ok(FeedPage {
            items: Vec::new(),
            next: newest,
            is_end: true,
        });
    }
    let ceiling = if filter.is_any() {
        ceiling(connection, tenant, after, newest)?
    } else {
        None
    };
    let last = ceiling.unwrap_or(newest);
    let rows: Vec<EventRow> = each!(connection, c => {
        let mut query = events::table
            .filter(events::tenant_id.eq(Uid::from(tenant)))
            .filter(events::sequence.gt(after))
            .filter(events::sequence.le(last))
            .order(events::sequence)
            .limit(limit)
            .select(EventRow::as_select())
            .into_boxed();
        narrow!(query, filter);
        query.load(c)
    })?;
    let items: Vec<Kept> = rows
        .into_iter()
        .map(Kept::try_from)
        .collect::<Result<_, _>>()?;
    let is_full = i64::try_from(items.len()) == Ok(limit);
    let reached = items.last().and_then(|kept| kept.sequence);
    let next = reached.filter(|_| is_full).unwrap_or(last);
    Ok(FeedPage {
        items,
        next,
        is_end: next == newest,
    })
}

/// The last sequence that was given in a tenant's shard.
fn newest(connection: &mut Connection, tenant: TenantId) -> Result<i64, Error> {
    let number = i16::from(Shard::of_tenant(tenant).number());
    Ok(each!(connection, c => shards::table
        .find(number)
        .select(shards::sequence)
        .first(c))?)
}

/// The sequence of the last event that is looked at; none where there are not so many.
fn ceiling(
    connection: &mut Connection,
    tenant: TenantId,
    after: i64,
    newest: i64,
) -> Result<Option<i64>, Error> {
    let found: Option<Option<i64>> = each!(connection, c => events::table
        .filter(events::tenant_id.eq(Uid::from(tenant)))
        .filter(events::sequence.gt(after))
        .filter(events::sequence.le(newest))
        .order(events::sequence)
        .offset(LOOKED_AT - 1)
        .limit(1)
        .select(events::sequence)
        .first(c)
        .optional())?;
    Ok(found.flatten())
}
