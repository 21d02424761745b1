//! Subscriptions: writing many, and which want a type of events.

use super::array::Statement;
use crate::connection::Connection;
use crate::error::Error;
use crate::schema::subscriptions;
use crate::sql_types::{Id, Instant};
use crate::subscription::SubscriptionRow;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Nullable, SmallInt, Text};

/// What stands before and after a list of patterns with commas between them, where it is asked which
/// subscriptions have one of them.
pub(crate) const fn wants(connection: &Connection) -> (&'static str, &'static str) {
    match connection {
        // Patterns hold nothing that JSON would have to escape.
        Connection::Sqlite(_) => (
            "exists (select 1 from json_each('[\"' || replace(subscriptions.events, ',', '\",\"') \
                || '\"]') as pattern where instr(',' || ",
            " || ',', ',' || pattern.value || ',') > 0)",
        ),
        Connection::Postgres(_) => (
            "string_to_array(subscriptions.events, ',') && string_to_array(",
            ", ',')",
        ),
    }
}

/// Writes what their owner may change of subscriptions, which this transaction has locked.
pub(crate) fn update(connection: &mut Connection, rows: &[SubscriptionRow]) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => {
            for row in rows {
                update_one(c, row)?;
            }
        }
        Connection::Postgres(session) => {
            update_all(rows).execute(session.raw())?;
        }
    }
    Ok(())
}

fn update_one(c: &mut SqliteConnection, row: &SubscriptionRow) -> QueryResult<usize> {
    diesel::update(subscriptions::table.find(row.id))
        .set((
            subscriptions::url.eq(&row.url),
            subscriptions::events.eq(&row.events),
            subscriptions::secret.eq(&row.secret),
            subscriptions::name.eq(&row.name),
            subscriptions::description.eq(&row.description),
            subscriptions::environment.eq(&row.environment),
            subscriptions::settings.eq(&row.settings),
            subscriptions::headers.eq(&row.headers),
            subscriptions::endpoint_secret.eq(&row.endpoint_secret),
            subscriptions::is_enabled.eq(row.is_enabled),
            subscriptions::disabled_reason.eq(&row.disabled_reason),
            subscriptions::disabled_at.eq(row.disabled_at),
            subscriptions::failing_since.eq(row.failing_since),
            subscriptions::failing_until.eq(row.failing_until),
            subscriptions::failing_told.eq(row.failing_told),
            subscriptions::updated_at.eq(row.updated_at),
        ))
        .execute(c)
}

fn update_all(rows: &[SubscriptionRow]) -> Statement<'_> {
    let text = "update subscriptions set url = t.url, events = t.events, secret = t.secret, \
                    name = t.name, description = t.description, environment = t.environment, \
                    settings = t.settings, headers = t.headers, \
                    endpoint_secret = t.endpoint_secret, is_enabled = t.is_enabled, \
                    disabled_reason = t.disabled_reason, disabled_at = t.disabled_at, \
                    failing_since = t.failing_since, failing_until = t.failing_until, \
                    failing_told = t.failing_told, updated_at = t.updated_at \
                from unnest({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}) \
                    as t (id, url, events, secret, name, description, environment, settings, \
                        headers, endpoint_secret, is_enabled, disabled_reason, disabled_at, \
                        failing_since, failing_until, failing_told, updated_at) \
                where subscriptions.id = t.id and subscriptions.id = any({})";
    let rows = || rows.iter();
    Statement::new(text)
        .bind::<Id, _>(rows().map(|row| &row.id).collect())
        .bind::<Text, _>(rows().map(|row| &row.url).collect())
        .bind::<Text, _>(rows().map(|row| &row.events).collect())
        .bind::<Binary, _>(rows().map(|row| &row.secret).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.name).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.description).collect())
        .bind::<Text, _>(rows().map(|row| &row.environment).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.settings).collect())
        .bind::<Nullable<Binary>, _>(rows().map(|row| &row.headers).collect())
        .bind::<Nullable<Binary>, _>(rows().map(|row| &row.endpoint_secret).collect())
        .bind::<Bool, _>(rows().map(|row| &row.is_enabled).collect())
        .bind::<Nullable<Text>, _>(rows().map(|row| &row.disabled_reason).collect())
        .bind::<Nullable<Instant>, _>(rows().map(|row| &row.disabled_at).collect())
        .bind::<Nullable<Instant>, _>(rows().map(|row| &row.failing_since).collect())
        .bind::<Nullable<Instant>, _>(rows().map(|row| &row.failing_until).collect())
        .bind::<Nullable<SmallInt>, _>(rows().map(|row| &row.failing_told).collect())
        .bind::<Instant, _>(rows().map(|row| &row.updated_at).collect())
        .bind::<Id, _>(rows().map(|row| &row.id).collect())
}
