//! Statements of PostgreSQL that are sent one after the other without waiting for answers: polled
//! together, in this order, they are worked off in this order and cost one round trip.

use diesel::result::QueryResult;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

/// Runs statements without parameters, of which only the first of those polled together may be one.
pub(super) async fn batch(mut c: &AsyncPgConnection, text: &str) -> QueryResult<()> {
    c.batch_execute(text).await
}

/// Runs a statement; how many rows it was about.
pub(super) async fn execute<'c, Q>(mut c: &'c AsyncPgConnection, query: Q) -> QueryResult<usize>
where
    Q: RunQueryDsl<&'c AsyncPgConnection> + ExecuteDsl<&'c AsyncPgConnection>,
{
    query.execute(&mut c).await
}

/// Runs a statement; its rows.
pub(super) async fn load<'c, 'q, R, Q>(
    mut c: &'c AsyncPgConnection,
    query: Q,
) -> QueryResult<Vec<R>>
where
    R: Send,
    Q: RunQueryDsl<&'c AsyncPgConnection> + LoadQuery<'q, &'c AsyncPgConnection, R> + 'q,
{
    query.load(&mut c).await
}

/// Runs a statement; its only row.
pub(super) async fn get_result<'c, 'q, R, Q>(
    mut c: &'c AsyncPgConnection,
    query: Q,
) -> QueryResult<R>
where
    R: Send,
    Q: RunQueryDsl<&'c AsyncPgConnection> + LoadQuery<'q, &'c AsyncPgConnection, R> + 'q,
{
    query.get_result(&mut c).await
}
