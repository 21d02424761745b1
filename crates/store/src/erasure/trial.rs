//! Tests that were sent with a number, and what endpoints answered to them.

use super::{BREATH, CHANGED, Erased, having};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::schema::trials;
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::erasure::Number;
use domain::id::TenantId;
use uuid::Uuid;

/// A test, by what may name a number.
type Texts = (Uid, String, Option<String>, Option<String>);

impl Store {
    /// Blanks a number in a tenant's tests.
    pub(super) async fn erase_trials(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        let mut after = Some(Uid(Uuid::nil()));
        while let Some(last) = after {
            let number = number.clone();
            let (blanked, next) = self
                .write(move |connection| blank_page(connection, tenant, &number, last))
                .await?;
            erased.webhook_tests += blanked;
            after = next;
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}

/// Blanks a page of those that seem to name it; how many did, and where the next page begins.
fn blank_page(
    connection: &mut Connection,
    tenant: TenantId,
    number: &Number,
    after: Uid,
) -> Result<(usize, Option<Uid>), Error> {
    let pattern = having(number);
    let page: Vec<Texts> = each!(connection, c => trials::table
        .filter(trials::tenant_id.eq(Uid::from(tenant)))
        .filter(trials::id.gt(after))
        .filter(trials::request_body.like(&pattern)
            .or(trials::response_body.is_not_null().and(
                trials::response_body.assume_not_null().like(&pattern)))
            .or(trials::detail.is_not_null().and(
                trials::detail.assume_not_null().like(&pattern))))
        .order(trials::id)
        .select((trials::id, trials::request_body, trials::response_body, trials::detail))
        .limit(i64::try_from(CHANGED).unwrap_or(i64::MAX))
        .load(c))?;
    let next = page
        .last()
        .filter(|_| page.len() == CHANGED)
        .map(|row| row.0);
    let mut blanked = 0;
    for (id, request_body, response_body, detail) in page {
        // What was sent is kept to a length, and may be no whole JSON.
        let news = (
            number.blank(&request_body),
            response_body.and_then(|body| number.blank(&body)),
            detail.and_then(|detail| number.blank_json(&detail)),
        );
        if news == (None, None, None) {
            continue;
        }
        let (request_body, response_body, detail) = news;
        blanked += each!(connection, c => diesel::update(trials::table.find(id))
            .set((
                request_body.map(|body| trials::request_body.eq(body)),
                response_body.map(|body| trials::response_body.eq(Some(body))),
                detail.map(|detail| trials::detail.eq(Some(detail))),
            ))
            .execute(c))?;
    }
    Ok((blanked, next))
}
