//! The ledger: writing all that reports change.

use super::array::{Columns, Statement};
use super::{callback, message, together};
use crate::callback::Mark;
use crate::connection::Connection;
use crate::error::Error;
use crate::event::NewEventRow;
use crate::message::{HistoryRow, MessageRow};
use crate::schema::{events, message_history};
use crate::sql_types::Moment;
use diesel::prelude::*;
use diesel_async::AsyncPgConnection;

/// What reports change.
pub(crate) struct Changes {
    /// Callbacks that are applied with it, and when.
    pub(crate) marks: Vec<Mark>,
    pub(crate) now: Moment,
    /// Messages as they are now, in the order of their ids.
    pub(crate) messages: Vec<MessageRow>,
    pub(crate) history: Vec<HistoryRow>,
    pub(crate) events: Vec<NewEventRow>,
}

/// Writes it, on PostgreSQL in one round trip.
pub(crate) fn write(connection: &mut Connection, changes: &Changes) -> Result<(), Error> {
    match connection {
        Connection::Sqlite(c) => Ok(write_each(c, changes)?),
        Connection::Postgres(session) => {
            let Changes {
                marks,
                now,
                messages,
                history,
                events,
            } = changes;
            let (marked, updated, kept, raised) = session.together(async |c| {
                tokio::join!(
                    biased;
                    unless(marks.is_empty(), c, || callback::mark_all(marks, *now)),
                    unless(messages.is_empty(), c, || message::update_all(messages)),
                    unless(history.is_empty(), c, || HistoryRow::insert(history.iter())),
                    unless(events.is_empty(), c, || NewEventRow::insert(events.iter())),
                )
            });
            marked?;
            updated?;
            kept?;
            Ok(raised?)
        }
    }
}

fn write_each(c: &mut SqliteConnection, changes: &Changes) -> QueryResult<()> {
    for mark in &changes.marks {
        callback::mark_one(c, mark, changes.now)?;
    }
    for message in &changes.messages {
        message::update_one(c, message)?;
    }
    for entry in &changes.history {
        diesel::insert_into(message_history::table)
            .values(entry)
            .execute(c)?;
    }
    for event in &changes.events {
        diesel::insert_into(events::table)
            .values(event)
            .execute(c)?;
    }
    Ok(())
}

/// Runs a statement, unless there is nothing to write.
async fn unless<'a>(
    is_empty: bool,
    c: &AsyncPgConnection,
    statement: impl FnOnce() -> Statement<'a>,
) -> QueryResult<()> {
    if !is_empty {
        together::execute(c, statement()).await?;
    }
    Ok(())
}
