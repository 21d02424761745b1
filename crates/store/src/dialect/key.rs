//! When keys were last used: many rows, each with a moment of its own.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::api_keys;
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::KeyId;

/// Notes uses that are later than what was noted.
pub(crate) fn note_uses(
    connection: &mut Connection,
    uses: &[(KeyId, Timestamp)],
) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for (id, at) in uses {
                let at = Some(Moment::from(*at));
                diesel::update(api_keys::table.find(Uid::from(*id)))
                    .filter(
                        api_keys::last_used_at
                            .is_null()
                            .or(api_keys::last_used_at.lt(at)),
                    )
                    .set(api_keys::last_used_at.eq(at))
                    .execute(c)?;
            }
        }
        Connection::Postgres(session) => {
            let text = "update api_keys set last_used_at = used.at from unnest({}, {}) as used (id, at) \
                        where api_keys.id = used.id and api_keys.id = any({}) \
                        and (api_keys.last_used_at is null or api_keys.last_used_at < used.at)";
            let ids = || {
                uses.iter()
                    .map(|(id, _)| Uid::from(*id))
                    .collect::<Vec<_>>()
            };
            Statement::<()>::new(text)
                .bind::<Id, _>(ids())
                .bind::<Instant, _>(uses.iter().map(|(_, at)| Moment::from(*at)).collect())
                .bind::<Id, _>(ids())
                .execute(session.raw())?;
        }
    }
    Ok(())
}
