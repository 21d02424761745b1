//! Statements of PostgreSQL that take whole columns as arrays: one text however many rows there are,
//! so it is prepared once for each connection, and one round trip.
//!
//! A statement that joins a large table with its arrays names the keys twice, in the join and as
//! `key = any({})`. Its plan is made once, perhaps while the table is empty; joined alone, that plan
//! may read the whole of the table for as long as nobody analyses it. One about a table that is partitioned
//! by these keys names the least and the greatest of them as well: an array tells the server nothing about
//! the partitions it need not look into.

use diesel::connection::Connection;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, HasSqlType};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A statement with arrays in the places of its `{}`, and the types of the columns it returns.
pub(crate) struct Statement<'a, R = ()> {
    text: Cow<'static, str>,
    arrays: Vec<Box<dyn QueryFragment<Pg> + Send + 'a>>,
    returns: PhantomData<fn() -> R>,
}

impl<'a, R> Statement<'a, R> {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            text: text.into(),
            arrays: Vec::new(),
            returns: PhantomData,
        }
    }

    /// The next array, of this SQL type.
    pub(crate) fn bind<S, T>(mut self, values: Vec<T>) -> Self
    where
        S: 'static,
        T: Send + 'a,
        Vec<T>: ToSql<Array<S>, Pg>,
        Pg: HasSqlType<Array<S>>,
    {
        self.arrays
            .push(Box::new(Bound(values, PhantomData::<fn() -> S>)));
        self
    }

    /// In the next place, one value of this SQL type.
    pub(crate) fn value<S, T>(mut self, value: T) -> Self
    where
        S: 'static,
        T: ToSql<S, Pg> + Send + 'a,
        Pg: HasSqlType<S>,
    {
        self.arrays
            .push(Box::new(One(value, PhantomData::<fn() -> S>)));
        self
    }
}

impl<'a> Statement<'a> {
    /// The same with more text after it, which returns these columns.
    pub(crate) fn and<R>(self, more: &str) -> Statement<'a, R> {
        Statement {
            text: (self.text.into_owned() + more).into(),
            arrays: self.arrays,
            returns: PhantomData,
        }
    }
}

/// Rows that are inserted as arrays, one for each column.
pub(crate) trait Columns: Sized {
    /// Inserts them all.
    fn insert<'a>(rows: impl Iterator<Item = &'a Self> + Clone) -> Statement<'a>
    where
        Self: 'a;
}

/// The text that inserts rows made of arrays.
pub(crate) fn insert_text(table: &str, columns: &[&str]) -> String {
    let places = vec!["{}"; columns.len()].join(", ");
    let columns = columns.join(", ");
    format!("insert into {table} ({columns}) select * from unnest({places})")
}

/// Says which columns a row has, and of which SQL types they are on PostgreSQL.
macro_rules! columns {
    ($row:ty => $table:literal { $($column:ident: $kind:ty),* $(,)? }) => {
        impl $crate::dialect::array::Columns for $row {
            fn insert<'a>(
                rows: impl Iterator<Item = &'a Self> + Clone,
            ) -> $crate::dialect::array::Statement<'a> {
                let text = $crate::dialect::array::insert_text($table, &[$(stringify!($column)),*]);
                $crate::dialect::array::Statement::new(text)
                    $(.bind::<$kind, _>(rows.clone().map(|row| &row.$column).collect::<Vec<_>>()))*
            }
        }
    };
}

pub(crate) use columns;

impl<R> QueryFragment<Pg> for Statement<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut arrays = self.arrays.iter();
        for (index, part) in self.text.split("{}").enumerate() {
            if index > 0
                && let Some(array) = arrays.next()
            {
                array.walk_ast(out.reborrow())?;
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

/// Known by its text.
impl<R> QueryId for Statement<'_, R> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<R> Query for Statement<'_, R> {
    type SqlType = R;
}

impl<R, C: Connection> RunQueryDsl<C> for Statement<'_, R> {}

struct Bound<V, S>(V, PhantomData<fn() -> S>);

impl<T, S: 'static> QueryFragment<Pg> for Bound<Vec<T>, S>
where
    Vec<T>: ToSql<Array<S>, Pg>,
    Pg: HasSqlType<Array<S>>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<S>, Vec<T>>(&self.0)
    }
}

struct One<T, S>(T, PhantomData<fn() -> S>);

impl<T, S: 'static> QueryFragment<Pg> for One<T, S>
where
    T: ToSql<S, Pg>,
    Pg: HasSqlType<S>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<S, T>(&self.0)
    }
}
