//! The chain. Entries are written beside one another; one transaction after another puts them in their order,
//! by the row that is the head: whoever has it locked is the only one who does.

use super::row::{EntryRow, read_hash};
use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::dialect;
use crate::error::Error;
use crate::retention::PAGE;
use crate::schema::{audit_entries, audit_head};
use crate::sql_types::Moment;
use diesel::prelude::*;
use domain::Timestamp;
use domain::audit::{Entry, Hash, Link};

/// The one row of the head.
const HEAD: i16 = 1;

/// An entry in its place.
#[derive(Debug, Clone)]
pub struct Chained {
    /// The entry.
    pub entry: Entry,
    /// Its place.
    pub place: Link,
    /// The hash of the entry before it.
    pub previous_hash: Hash,
}

/// A page of the chain, and its ends as they were when it was read.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The place of the newest entry.
    pub head: Link,
    /// The place after which the chain begins: of the last entry that is forgotten.
    pub anchor: Link,
    /// The entries, oldest first.
    pub entries: Vec<Chained>,
}

/// What is written of an entry when it gets its place.
pub(crate) struct Linked {
    pub id: crate::sql_types::Uid,
    pub position: i64,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_head)]
struct HeadRow {
    position: i64,
    hash: Vec<u8>,
    anchor_position: i64,
    anchor_hash: Vec<u8>,
}

impl HeadRow {
    fn head(&self) -> Link {
        Link {
            position: self.position,
            hash: read_hash(Some(&self.hash)),
        }
    }

    fn anchor(&self) -> Link {
        Link {
            position: self.anchor_position,
            hash: read_hash(Some(&self.anchor_hash)),
        }
    }
}

impl Store {
    /// Gives up to 500 entries their places; how many. Where somebody else is at it, none.
    pub async fn chain_audit(&self) -> Result<usize, Error> {
        let is_any = self.read(|connection| Ok(!unchained(connection, 1)?.is_empty()));
        if !is_any.await? {
            return Ok(0);
        }
        self.write(|connection| {
            let found: Vec<HeadRow> = load_locked!(
                connection,
                audit_head::table
                    .filter(audit_head::id.eq(HEAD))
                    .select(HeadRow::as_select()),
                for_update,
                skip_locked
            );
            let Some(head) = found.into_iter().next() else {
                return Ok(0);
            };
            link(connection, head.head())
        })
        .await
    }

    /// The head of the chain, and after which place it begins.
    pub async fn audit_ends(&self) -> Result<(Link, Link), Error> {
        self.read(|connection| {
            let head = head(connection)?;
            Ok((head.head(), head.anchor()))
        })
        .await
    }

    /// A page of the chain, everybody's, from a place on.
    pub async fn audit_chain(&self, after: i64, limit: u32) -> Result<Chain, Error> {
        self.read(move |connection| {
            let ends = head(connection)?;
            let rows: Vec<EntryRow> = each!(connection, c => audit_entries::table
                .filter(audit_entries::position.gt(after))
                .order(audit_entries::position)
                .limit(i64::from(limit))
                .select(EntryRow::as_select())
                .load(c))?;
            Ok(Chain {
                head: ends.head(),
                anchor: ends.anchor(),
                entries: rows.into_iter().map(Chained::from).collect(),
            })
        })
        .await
    }

    /// Forgets a page of the oldest entries that are older than this; how many. The chain begins after the
    /// last of them.
    pub async fn forget_audit(&self, than: Timestamp) -> Result<usize, Error> {
        self.write(move |connection| {
            let found: Vec<HeadRow> = load_locked!(
                connection,
                audit_head::table
                    .filter(audit_head::id.eq(HEAD))
                    .select(HeadRow::as_select()),
                for_update,
                skip_locked
            );
            let Some(ends) = found.into_iter().next() else {
                return Ok(0);
            };
            let oldest: Vec<(Option<i64>, Moment, Option<Vec<u8>>)> = each!(connection, c => audit_entries::table
                .filter(audit_entries::position.gt(ends.anchor_position))
                .order(audit_entries::position)
                .limit(PAGE)
                .select((audit_entries::position, audit_entries::at, audit_entries::hash))
                .load(c))?;
            let old = oldest.into_iter().take_while(|(_, at, _)| *at < Moment::from(than));
            let Some((Some(position), _, hash)) = old.last() else {
                return Ok(0);
            };
            each!(connection, c => diesel::update(audit_head::table.find(HEAD))
                .set((
                    audit_head::anchor_position.eq(position),
                    audit_head::anchor_hash.eq(read_hash(hash.as_deref()).as_slice()),
                ))
                .execute(c))?;
            Ok(each!(connection, c => diesel::delete(audit_entries::table)
                .filter(audit_entries::position.le(position))
                .execute(c))?)
        })
        .await
    }
}

impl From<EntryRow> for Chained {
    fn from(row: EntryRow) -> Self {
        Self {
            place: Link {
                position: row.position.unwrap_or(0),
                hash: read_hash(row.hash.as_deref()),
            },
            previous_hash: read_hash(row.previous_hash.as_deref()),
            entry: row.into(),
        }
    }
}

fn head(connection: &mut Connection) -> Result<HeadRow, Error> {
    Ok(each!(connection, c => audit_head::table
        .find(HEAD)
        .select(HeadRow::as_select())
        .first(c))?)
}

fn unchained(connection: &mut Connection, limit: i64) -> Result<Vec<EntryRow>, Error> {
    Ok(each!(connection, c => audit_entries::table
        .filter(audit_entries::position.is_null())
        .order(audit_entries::id)
        .limit(limit)
        .select(EntryRow::as_select())
        .load(c))?)
}

fn link(connection: &mut Connection, head: Link) -> Result<usize, Error> {
    let rows = unchained(connection, PAGE)?;
    let mut last = head;
    let linked: Vec<Linked> = rows
        .into_iter()
        .map(|row| {
            let id = row.id;
            let (position, previous) = (last.position + 1, last.hash);
            let hash = Entry::from(row).hash(&previous, position);
            last = Link { position, hash };
            Linked {
                id,
                position,
                previous_hash: previous.to_vec(),
                hash: hash.to_vec(),
            }
        })
        .collect();
    if linked.is_empty() {
        return Ok(0);
    }
    dialect::audit::link(connection, &linked)?;
    each!(connection, c => diesel::update(audit_head::table.find(HEAD))
        .set((
            audit_head::position.eq(last.position),
            audit_head::hash.eq(last.hash.as_slice()),
        ))
        .execute(c))?;
    Ok(linked.len())
}
