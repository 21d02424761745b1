//! What is true of the installation as a whole.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::{installation, versions};
use diesel::prelude::*;

/// What changed, when its version did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioned {
    /// Any subscription.
    Subscriptions,
    /// Any provider account.
    Accounts,
}

impl Versioned {
    const fn name(self) -> &'static str {
        match self {
            Self::Subscriptions => "subscriptions",
            Self::Accounts => "accounts",
        }
    }
}

impl Store {
    /// The value kept under this name; keeps `value` there first, when there is none.
    pub async fn get_or_keep(&self, name: &'static str, value: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::insert_into(installation::table)
                .values((installation::name.eq(name), installation::value.eq(&value)))
                .on_conflict_do_nothing()
                .execute(c))?;
            Ok(each!(connection, c => installation::table
                .find(name)
                .select(installation::value)
                .first(c))?)
        })
        .await
    }

    /// Replaces the value kept under this name, where it is still `from`. Whether it was.
    pub async fn replace_kept(
        &self,
        name: &'static str,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> Result<bool, Error> {
        self.write(move |connection| {
            let replaced = each!(connection, c => diesel::update(installation::table.find(name))
                .filter(installation::value.eq(&from))
                .set(installation::value.eq(&to))
                .execute(c))?;
            Ok(replaced > 0)
        })
        .await
    }

    /// A number that moves with every change of the kind.
    pub async fn version(&self, of: Versioned) -> Result<i64, Error> {
        self.look_up(move |connection| version(connection, of))
            .await
    }
}

pub(crate) fn version(connection: &mut Connection, of: Versioned) -> Result<i64, Error> {
    Ok(each!(connection, c => version_of(of).first(c))?)
}

/// The query of the above.
#[diesel::dsl::auto_type(no_type_alias)]
pub(crate) fn version_of(of: Versioned) -> _ {
    let name: &'static str = of.name();
    versions::table.find(name).select(versions::value)
}

/// Says that something of the kind changed. The row's lock makes the order of the numbers the
/// order of the commits.
pub(crate) fn bump(connection: &mut Connection, of: Versioned) -> Result<i64, Error> {
    Ok(
        each!(connection, c => diesel::update(versions::table.find(of.name()))
        .set(versions::value.eq(versions::value + 1))
        .returning(versions::value)
        .get_result(c))?,
    )
}
