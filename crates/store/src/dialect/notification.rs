//! Notifications: adding to their counts, and what they are then.

use super::array::{Statement, insert_text};
use crate::connection::Connection;
use crate::error::Error;
use crate::notification::NotificationRow;
use crate::schema::notifications;
use crate::sql_types::{Id, Instant};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text};
use diesel::upsert::excluded;

const COLUMNS: [&str; 14] = [
    "tenant_id",
    "notification_id",
    "first_message_id",
    "pending",
    "sent",
    "delivered",
    "failed",
    "expired",
    "rejected",
    "unknown",
    "created_at",
    "updated_at",
    "sent_at",
    "delivered_at",
];

/// The columns' types, in their order.
type Row = (
    Id,
    Text,
    Id,
    Integer,
    Integer,
    Integer,
    Integer,
    Integer,
    Integer,
    Integer,
    Instant,
    Instant,
    Nullable<Instant>,
    Nullable<Instant>,
);

/// Adds to notifications, which are made where they are new, each named once. On PostgreSQL in one
/// statement that locks them in the order of their keys, so that two transactions never wait for one
/// another.
pub(crate) fn add(
    connection: &mut Connection,
    added: &[&NotificationRow],
) -> Result<Vec<NotificationRow>, Error> {
    match connection {
        Connection::Sqlite(c) => {
            let mut counted = Vec::with_capacity(added.len());
            for row in added {
                counted.push(add_one(c, row)?);
            }
            Ok(counted)
        }
        Connection::Postgres(session) => Ok(add_all(added).load(session.raw())?),
    }
}

fn add_one(c: &mut SqliteConnection, added: &NotificationRow) -> QueryResult<NotificationRow> {
    use notifications as n;
    // SQLite's `min` and `max` of two are null where one of them is.
    let first = "coalesce(min(notifications.sent_at, excluded.sent_at), \
                 notifications.sent_at, excluded.sent_at)";
    let last = "coalesce(max(notifications.delivered_at, excluded.delivered_at), \
                notifications.delivered_at, excluded.delivered_at)";
    diesel::insert_into(n::table)
        .values(added)
        .on_conflict((n::tenant_id, n::notification_id))
        .do_update()
        .set((
            n::pending.eq(n::pending + excluded(n::pending)),
            n::sent.eq(n::sent + excluded(n::sent)),
            n::delivered.eq(n::delivered + excluded(n::delivered)),
            n::failed.eq(n::failed + excluded(n::failed)),
            n::expired.eq(n::expired + excluded(n::expired)),
            n::rejected.eq(n::rejected + excluded(n::rejected)),
            n::unknown.eq(n::unknown + excluded(n::unknown)),
            n::updated_at.eq(excluded(n::updated_at)),
            n::sent_at.eq(sql::<Nullable<Instant>>(first)),
            n::delivered_at.eq(sql::<Nullable<Instant>>(last)),
        ))
        .returning(NotificationRow::as_returning())
        .get_result(c)
}

fn add_all<'a>(added: &[&'a NotificationRow]) -> Statement<'a, Row> {
    let counts = [
        "pending",
        "sent",
        "delivered",
        "failed",
        "expired",
        "rejected",
        "unknown",
    ];
    let sums = counts
        .map(|count| format!("{count} = old.{count} + excluded.{count}"))
        .join(", ");
    let text = insert_text("notifications as old", &COLUMNS)
        + " order by 1, 2 on conflict (tenant_id, notification_id) do update set "
        + &sums
        + ", updated_at = greatest(old.updated_at, excluded.updated_at), \
           sent_at = least(old.sent_at, excluded.sent_at), \
           delivered_at = greatest(old.delivered_at, excluded.delivered_at) returning "
        + &COLUMNS.map(|column| format!("old.{column}")).join(", ");
    let rows = || added.iter().copied();
    Statement::<Row>::new(text)
        .bind::<Id, _>(rows().map(|row| &row.tenant_id).collect())
        .bind::<Text, _>(rows().map(|row| &row.notification_id).collect())
        .bind::<Id, _>(rows().map(|row| &row.first_message_id).collect())
        .bind::<Integer, _>(rows().map(|row| &row.pending).collect())
        .bind::<Integer, _>(rows().map(|row| &row.sent).collect())
        .bind::<Integer, _>(rows().map(|row| &row.delivered).collect())
        .bind::<Integer, _>(rows().map(|row| &row.failed).collect())
        .bind::<Integer, _>(rows().map(|row| &row.expired).collect())
        .bind::<Integer, _>(rows().map(|row| &row.rejected).collect())
        .bind::<Integer, _>(rows().map(|row| &row.unknown).collect())
        .bind::<Instant, _>(rows().map(|row| &row.created_at).collect())
        .bind::<Instant, _>(rows().map(|row| &row.updated_at).collect())
        .bind::<Nullable<Instant>, _>(rows().map(|row| &row.sent_at).collect())
        .bind::<Nullable<Instant>, _>(rows().map(|row| &row.delivered_at).collect())
}
