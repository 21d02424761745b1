//! Idempotency keys: keeping those that are new.

use super::array::Columns;
use crate::connection::Connection;
use crate::error::Error;
use crate::idempotency::{KeyRow, REMEMBERED};
use crate::schema::idempotency_keys;
use crate::sql_types::Moment;
use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel::sql_types::Binary;
use domain::Timestamp;
use std::collections::HashSet;

/// Keeps keys, each once among the rows, that are not remembered; which were new.
pub(crate) fn keep(
    connection: &mut Connection,
    rows: &[KeyRow],
) -> Result<HashSet<Vec<u8>>, Error> {
    match connection {
        Connection::Sqlite(c) => keep_each(c, rows),
        Connection::Postgres(session) => {
            let text = format!(
                " on conflict (key) do update set tenant_id = excluded.tenant_id, \
                    body_hash = excluded.body_hash, status = excluded.status, \
                    answer = excluded.answer, created_at = excluded.created_at \
                  where idempotency_keys.created_at \
                    < excluded.created_at - interval '{} seconds' \
                  returning key",
                REMEMBERED.as_secs()
            );
            let kept: Vec<Vec<u8>> = KeyRow::insert(rows.iter())
                .and::<Binary>(&text)
                .load(session.raw())?;
            Ok(kept.into_iter().collect())
        }
    }
}

fn keep_each(c: &mut SqliteConnection, rows: &[KeyRow]) -> Result<HashSet<Vec<u8>>, Error> {
    let mut new = HashSet::new();
    for row in rows {
        let oldest = Moment::from(Timestamp::from(row.created_at).minus(REMEMBERED));
        let insert = diesel::insert_into(idempotency_keys::table)
            .values(row)
            .on_conflict(idempotency_keys::key)
            .do_update()
            .set(row);
        let kept = methods::FilterDsl::filter(insert, idempotency_keys::created_at.lt(oldest));
        if kept.execute(c)? > 0 {
            new.insert(row.key.clone());
        }
    }
    Ok(new)
}
