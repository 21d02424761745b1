//! Giving entries of the audit log their places: many rows, each with hashes of its own.

use super::array::Statement;
use crate::audit::Linked;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::audit_entries;
use crate::sql_types::{Id, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

/// Writes places.
pub(crate) fn link(connection: &mut Connection, linked: &[Linked]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for place in linked {
                diesel::update(audit_entries::table.find(place.id))
                    .set((
                        audit_entries::position.eq(Some(place.position)),
                        audit_entries::previous_hash.eq(Some(&place.previous_hash)),
                        audit_entries::hash.eq(Some(&place.hash)),
                    ))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) => {
            let text = "update audit_entries set position = linked.position, \
                        previous_hash = linked.previous_hash, hash = linked.hash \
                        from unnest({}, {}, {}, {}) as linked (id, position, previous_hash, hash) \
                        where audit_entries.id = linked.id and audit_entries.id = any({})";
            let ids = || linked.iter().map(|place| place.id).collect::<Vec<Uid>>();
            Statement::<()>::new(text)
                .bind::<Id, _>(ids())
                .bind::<BigInt, _>(linked.iter().map(|place| place.position).collect())
                .bind::<Binary, _>(linked.iter().map(|place| &place.previous_hash).collect())
                .bind::<Binary, _>(linked.iter().map(|place| &place.hash).collect())
                .bind::<Id, _>(ids())
                .execute(session.raw())?;
        }
    }
    Ok(())
}
