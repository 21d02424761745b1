//! The fan-out: looking and writing. On PostgreSQL what can be asked together is, in one round trip.

use super::array::{Columns, Statement};
use super::known::Known;
use super::{lease, together};
use crate::connection::Connection;
use crate::delivery::DeliveryRow;
use crate::error::Error;
use crate::event::EventRow;
use crate::installation::{self, Versioned};
use crate::schema::{deliveries, events, shards};
use crate::sql_types::{Id, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};
use std::collections::{BTreeMap, HashMap};

/// What a fan-out begins with.
#[derive(Default)]
pub(crate) struct Seen {
    /// The fences of the shards it is done under; they hold until the transaction ends.
    pub(crate) fences: Vec<(i16, i64)>,
    /// Events that no dispatcher has stamped, by shard, tenant and position, with their shards' numbers.
    pub(crate) unstamped: Vec<(i16, EventRow)>,
    /// The version of the subscriptions, read after the events: whoever was subscribed when one of
    /// them was written is in it.
    pub(crate) version: i64,
}

/// Some tenants of some shards: those after one, up to another.
pub(crate) struct Leg {
    pub(crate) shards: Vec<i16>,
    pub(crate) after: Uid,
    pub(crate) up_to: Uid,
}

/// The events of a leg that nobody has stamped.
macro_rules! unstamped {
    ($leg:expr, $limit:expr) => {
        events::table
            .filter(events::shard.eq_any($leg.shards.clone()))
            .filter(events::tenant_id.gt($leg.after))
            .filter(events::tenant_id.le($leg.up_to))
            .filter(events::sequence.is_null())
            .order((events::shard, events::tenant_id, events::position))
            .limit($limit)
            .select((events::shard, EventRow::as_select()))
    };
}

/// Looks at the leases of some shards, then for events, leg by leg until there are enough. On
/// PostgreSQL whoever wants the same events waits until this transaction ends.
pub(crate) fn look(
    connection: &mut Connection,
    leased: &[i16],
    legs: &[Leg],
    limit: i64,
) -> Result<Seen, Error> {
    let Some((first, others)) = legs.split_first() else {
        return Ok(Seen::default());
    };
    let mut seen = look_first(connection, leased, first, limit)?;
    for leg in others {
        let left = limit - i64::try_from(seen.unstamped.len()).unwrap_or(limit);
        if left <= 0 {
            break;
        }
        look_further(connection, &mut seen, leg, left)?;
    }
    Ok(seen)
}

fn look_first(
    connection: &mut Connection,
    leased: &[i16],
    leg: &Leg,
    limit: i64,
) -> Result<Seen, Error> {
    match connection {
        Connection::Sqlite(c) => Ok(Seen {
            fences: lease::fence(leased).load(c)?,
            unstamped: unstamped!(leg, limit).load(c)?,
            version: installation::version_of(Versioned::Subscriptions).first(c)?,
        }),
        Connection::Postgres(session) => {
            let (kept, fences, unstamped, version) = session.together(async |c| {
                tokio::join!(
                    biased;
                    together::execute(c, lease::keep(leased)),
                    together::load(c, lease::fence(leased)),
                    together::load(c, unstamped!(leg, limit).for_update()),
                    together::get_result(c, installation::version_of(Versioned::Subscriptions)),
                )
            });
            kept?;
            Ok(Seen {
                fences: fences?,
                unstamped: unstamped?,
                version: version?,
            })
        }
    }
}

fn look_further(
    connection: &mut Connection,
    seen: &mut Seen,
    leg: &Leg,
    limit: i64,
) -> Result<(), Error> {
    let found: Vec<(i16, EventRow)> = match connection {
        Connection::Sqlite(c) => unstamped!(leg, limit).load(c)?,
        Connection::Postgres(session) => {
            let (found, version) = session.together(async |c| {
                tokio::join!(
                    biased;
                    together::load(c, unstamped!(leg, limit).for_update()),
                    together::get_result(c, installation::version_of(Versioned::Subscriptions)),
                )
            });
            seen.version = version?;
            found?
        }
    };
    seen.unstamped.extend(found);
    Ok(())
}

/// An event that gets its place in its tenant's order.
pub(crate) struct Unstamped {
    pub(crate) id: Uid,
    pub(crate) position: i64,
    /// The number of its shard.
    pub(crate) shard: i16,
    /// Its place among those of its shard that are stamped with it, from 1.
    pub(crate) nth: i64,
}

/// Gives events the next numbers of their shards, and writes deliveries; the sequence of each event.
pub(crate) fn write(
    connection: &mut Connection,
    unstamped: &[Unstamped],
    rows: &[DeliveryRow],
) -> Result<HashMap<Uid, i64>, Error> {
    match connection {
        Connection::Sqlite(c) => Ok(write_each(c, unstamped, rows)?),
        Connection::Postgres(session) => {
            let (stamped, inserted) = session.together(async |c| {
                let inserting = async {
                    if rows.is_empty() {
                        return Ok(0);
                    }
                    together::execute(c, DeliveryRow::insert(rows.iter())).await
                };
                let stamping = together::load::<(Uid, i64), _>(c, stamp(unstamped));
                tokio::join!(biased; stamping, inserting)
            });
            let stamped = stamped?;
            inserted?;
            Ok(stamped.into_iter().collect())
        }
    }
}

fn write_each(
    c: &mut SqliteConnection,
    unstamped: &[Unstamped],
    rows: &[DeliveryRow],
) -> QueryResult<HashMap<Uid, i64>> {
    let mut lasts: BTreeMap<i16, i64> = BTreeMap::new();
    for (number, count) in counts(unstamped) {
        let last = diesel::update(shards::table.find(number))
            .set(shards::sequence.eq(shards::sequence + count))
            .returning(shards::sequence)
            .get_result::<i64>(c)?;
        lasts.insert(number, last - count);
    }
    let mut stamped = HashMap::new();
    for event in unstamped {
        let before = lasts.get(&event.shard).copied().unwrap_or_default();
        let sequence = before + event.nth;
        // By position, its key.
        Known::new("update events set sequence = {} where position = {}")
            .bind::<BigInt, _>(sequence)
            .bind::<BigInt, _>(event.position)
            .execute(c)?;
        stamped.insert(event.id, sequence);
    }
    for row in rows {
        diesel::insert_into(deliveries::table)
            .values(row)
            .execute(c)?;
    }
    Ok(stamped)
}

/// How many events each shard has among them.
fn counts(unstamped: &[Unstamped]) -> BTreeMap<i16, i64> {
    let mut counts = BTreeMap::new();
    for event in unstamped {
        *counts.entry(event.shard).or_default() += 1;
    }
    counts
}

/// By id, which tells the partition: between the least of them and the greatest.
fn stamp(unstamped: &[Unstamped]) -> Statement<'_, (Id, BigInt)> {
    let text = "with more as (\
                    select * from unnest({}, {}) as more (number, count)), \
                moved as (\
                    update shards set sequence = shards.sequence + more.count from more \
                    where shards.number = more.number and shards.number = any({}) \
                    returning shards.number, shards.sequence - more.count as before) \
                update events set sequence = moved.before + stamp.nth \
                from unnest({}, {}, {}) as stamp (id, shard, nth) \
                    join moved on moved.number = stamp.shard \
                where events.id = stamp.id and events.id = any({}) \
                    and events.id between {} and {} \
                returning events.id, events.sequence";
    let counts = counts(unstamped);
    let numbers = || counts.keys().copied().collect::<Vec<_>>();
    let ids = || unstamped.iter().map(|event| &event.id).collect::<Vec<_>>();
    Statement::new(text)
        .bind::<SmallInt, _>(numbers())
        .bind::<BigInt, _>(counts.values().copied().collect())
        .bind::<SmallInt, _>(numbers())
        .bind::<Id, _>(ids())
        .bind::<SmallInt, _>(unstamped.iter().map(|event| event.shard).collect())
        .bind::<BigInt, _>(unstamped.iter().map(|event| event.nth).collect())
        .bind::<Id, _>(ids())
        .value::<Id, _>(ids().into_iter().min().copied().unwrap_or(Uid::NONE))
        .value::<Id, _>(ids().into_iter().max().copied().unwrap_or(Uid::NONE))
}
