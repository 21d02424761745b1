//! Statements of SQLite that are run for each row, known by their text and prepared once. diesel has every
//! update read and planned anew, which takes as long as the change of a row.

use diesel::connection::Connection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;
use diesel::sqlite::Sqlite;
use std::marker::PhantomData;

/// A statement with values in the places of its `{}`.
pub(super) struct Known<'a> {
    text: &'static str,
    values: Vec<Box<dyn QueryFragment<Sqlite> + 'a>>,
}

impl<'a> Known<'a> {
    pub(super) const fn new(text: &'static str) -> Self {
        Self {
            text,
            values: Vec::new(),
        }
    }

    /// The next value, of this SQL type.
    pub(super) fn bind<S, T>(mut self, value: T) -> Self
    where
        S: 'static,
        T: ToSql<S, Sqlite> + 'a,
        Sqlite: HasSqlType<S>,
    {
        let bound = Bound(value, PhantomData::<fn() -> S>);
        self.values.push(Box::new(bound));
        self
    }
}

impl QueryFragment<Sqlite> for Known<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (index, part) in self.text.split("{}").enumerate() {
            if index > 0
                && let Some(value) = values.next()
            {
                value.walk_ast(out.reborrow())?;
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

/// Known by its text.
impl QueryId for Known<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: Connection> RunQueryDsl<C> for Known<'_> {}

struct Bound<T, S>(T, PhantomData<fn() -> S>);

impl<T, S: 'static> QueryFragment<Sqlite> for Bound<T, S>
where
    T: ToSql<S, Sqlite>,
    Sqlite: HasSqlType<S>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_bind_param::<S, T>(&self.0)
    }
}
