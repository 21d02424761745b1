//! Jobs that were given up and name the number: what they say cannot be done without it.

use super::{BREATH, Erased, last_of_full};
use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::schema::dead_letters;
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::erasure::Number;
use domain::id::TenantId;
use uuid::Uuid;

/// How many are looked at in one go: each may be as large as a job.
const FEW: i64 = 20;

impl Store {
    pub(super) async fn erase_dead_letters(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        let mut after = Some(Uid(Uuid::nil()));
        while let Some(last) = after {
            let page: Vec<(Uid, Vec<u8>)> = self
                .read(move |connection| {
                    Ok(each!(connection, c => dead_letters::table
                        .filter(dead_letters::tenant_id.eq(Uid::from(tenant)))
                        .filter(dead_letters::id.gt(last))
                        .order(dead_letters::id)
                        .select((dead_letters::id, dead_letters::payload))
                        .limit(FEW)
                        .load(c))?)
                })
                .await?;
            after = last_of_full(&page, FEW, |(id, _)| *id);
            let naming = page
                .into_iter()
                .filter(|(_, payload)| number.is_in(payload));
            let ids: Vec<Uid> = naming.map(|(id, _)| id).collect();
            if !ids.is_empty() {
                erased.dead_letters += self
                    .write(move |connection| {
                        Ok(each!(connection, c => diesel::delete(dead_letters::table)
                            .filter(dead_letters::id.eq_any(&ids))
                            .execute(c))?)
                    })
                    .await?;
            }
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}
