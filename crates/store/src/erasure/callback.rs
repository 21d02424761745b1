//! Callbacks that name a number: what was received goes, that it was received stays.

use super::{BREATH, CHANGED, Erased, having, last_of_full};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::retention::PAGE;
use crate::schema::{callback_keys, callbacks};
use crate::sql_types::Uid;
use diesel::dsl::{not, sql};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool};
use domain::erasure::Number;
use domain::id::TenantId;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What is said of a callback whose body was removed.
const MARK: &str = "erased: it named a phone number that was to be forgotten";

impl Store {
    /// Removes the bodies of a tenant's callbacks that name a number, whatever they were about.
    pub(super) async fn erase_callbacks(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        for is_first in [true, false] {
            let mut after = Some(Uid(Uuid::nil()));
            while let Some(last) = after {
                let wanted = number.clone();
                let read = self.read(move |connection| {
                    let page = page(connection, tenant, &wanted, is_first, last)?;
                    let next = last_of_full(&page, PAGE, |row| row.0);
                    let with_digits = page.into_iter().filter(|(.., has)| *has);
                    let with_digits = with_digits.map(|(_, receipt, _)| receipt).collect();
                    Ok((next, naming(connection, &wanted, with_digits)?))
                });
                let (next, ids) = read.await?;
                after = next;
                for ids in ids.chunks(CHANGED) {
                    let ids = ids.to_vec();
                    let done = self.write(move |connection| remove(connection, tenant, &ids));
                    erased.callbacks += done.await?;
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        Ok(())
    }
}

/// Removes what was received with these callbacks, of all their receipts; how many.
pub(super) fn remove(
    connection: &mut Connection,
    tenant: TenantId,
    ids: &[Uid],
) -> Result<usize, Error> {
    let ids: BTreeSet<Uid> = ids.iter().copied().collect();
    let firsts: Vec<Uid> = each!(connection, c => callback_keys::table
        .filter(callback_keys::callback_id.eq_any(&ids))
        .select(callback_keys::receipt_id)
        .load(c))?;
    let set = (
        callbacks::body.eq(Vec::<u8>::new()),
        callbacks::headers.eq("[]"),
        callbacks::error.eq(MARK),
    );
    let first = each!(connection, c => diesel::update(callbacks::table)
        .filter(callbacks::receipt_id.eq_any(&firsts))
        .filter(callbacks::tenant_id.eq(Uid::from(tenant)))
        .filter(callbacks::error.is_null().or(callbacks::error.ne(MARK)))
        .set(set.clone())
        .execute(c))?;
    let repeated = each!(connection, c => diesel::update(callbacks::table)
        .filter(callbacks::tenant_id.eq(Uid::from(tenant)))
        .filter(callbacks::callback_id.eq_any(&ids))
        .filter(not(callbacks::is_first))
        .filter(callbacks::error.is_null().or(callbacks::error.ne(MARK)))
        .set(set)
        .execute(c))?;
    Ok(first + repeated)
}

/// A page of a tenant's receipts, and whether each has the digits in it: by receipt, or of those that
/// came again by callback.
fn page(
    connection: &mut Connection,
    tenant: TenantId,
    number: &Number,
    is_first: bool,
    last: Uid,
) -> Result<Vec<(Uid, Uid, bool)>, Error> {
    let digits = number.digits().as_bytes().to_vec();
    let pattern = having(number);
    macro_rules! page {
        ($c:ident, $before:literal, $between:literal) => {{
            let has = sql::<Bool>($before)
                .bind::<Binary, _>(digits)
                .sql($between)
                .or(callbacks::headers.like(pattern));
            let of_tenant = callbacks::table
                .filter(callbacks::tenant_id.eq(Uid::from(tenant)))
                .limit(PAGE);
            if is_first {
                of_tenant
                    .filter(callbacks::is_first)
                    .filter(callbacks::receipt_id.gt(last))
                    .order(callbacks::receipt_id)
                    .select((callbacks::receipt_id, callbacks::receipt_id, has))
                    .load($c)?
            } else {
                of_tenant
                    .filter(not(callbacks::is_first))
                    .filter(callbacks::callback_id.gt(last))
                    .order(callbacks::callback_id)
                    .select((callbacks::callback_id, callbacks::receipt_id, has))
                    .load($c)?
            }
        }};
    }
    Ok(match connection {
        Connection::Sqlite(c) => page!(c, "(instr(body, ", ") > 0)"),
        Connection::Postgres(session) => {
            let c = session.raw();
            page!(c, "(position(", " in body) > 0)")
        }
    })
}

/// The callbacks of those receipts that name the number, and not only digits like it.
fn naming(
    connection: &mut Connection,
    number: &Number,
    receipts: Vec<Uid>,
) -> Result<Vec<Uid>, Error> {
    let mut naming = Vec::new();
    for receipt in receipts {
        let (id, body, headers): (Uid, Vec<u8>, String) = each!(connection, c => callbacks::table
            .find(receipt)
            .select((callbacks::callback_id, callbacks::body, callbacks::headers))
            .first(c))?;
        if number.is_in(&body) || number.is_in(headers.as_bytes()) {
            naming.push(id);
        }
    }
    Ok(naming)
}
