//! Dead letters: recording one again changes nothing, unless it died again.

use super::array::Columns;
use crate::connection::Connection;
use crate::dead_letter::NewRow;
use crate::error::Error;
use crate::schema::dead_letters;
use crate::sql_types::{Id, Moment, Uid};
use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel::upsert::excluded;

/// Writes dead letters. Of one that is there already, because it was to be done again and has died again
/// meanwhile, this death is what is told, and it waits for nobody any more.
pub(crate) fn record(connection: &mut Connection, rows: &[NewRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                let insert = diesel::insert_into(dead_letters::table)
                    .values(row)
                    .on_conflict(dead_letters::key)
                    .do_update()
                    .set((
                        dead_letters::death.eq(excluded(dead_letters::death)),
                        dead_letters::reason.eq(excluded(dead_letters::reason)),
                        dead_letters::last_error.eq(excluded(dead_letters::last_error)),
                        dead_letters::attempts.eq(excluded(dead_letters::attempts)),
                        dead_letters::died_at.eq(excluded(dead_letters::died_at)),
                        dead_letters::requeue_at.eq(None::<Moment>),
                    ));
                let is_another = dead_letters::death.ne(excluded(dead_letters::death));
                methods::FilterDsl::filter(insert, is_another).execute(c)?;
            }
        }
        Connection::Postgres(session) if !rows.is_empty() => {
            let text = " on conflict (key) do update set death = excluded.death, \
                        reason = excluded.reason, last_error = excluded.last_error, \
                        attempts = excluded.attempts, died_at = excluded.died_at, \
                        requeue_at = null \
                        where dead_letters.death <> excluded.death returning id";
            NewRow::insert(rows.iter())
                .and::<Id>(text)
                .load::<Uid>(session.raw())?;
        }
        Connection::Postgres(_) => {}
    }
    Ok(())
}
