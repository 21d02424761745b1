//! What a delivery sends, where that is not what its event says by itself.

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::schema::deliveries;
use crate::shard::{Fenced, holding};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::id::DeliveryId;

impl Store {
    /// What a delivery sends, where it was kept.
    pub async fn find_body(&self, delivery: DeliveryId) -> Result<Option<Vec<u8>>, Error> {
        self.read(move |connection| {
            let found: Option<Option<Vec<u8>>> = each!(connection, c => deliveries::table
                .find(Uid::from(delivery))
                .select(deliveries::body)
                .first(c)
                .optional())?;
            Ok(found.flatten())
        })
        .await
    }

    /// Keeps what a delivery sends, before it is sent: it is the same on every attempt. Whether the
    /// lease holds; if not, nothing is kept, and nothing may be sent.
    pub async fn keep_body(
        &self,
        lease: Fenced,
        delivery: DeliveryId,
        body: Vec<u8>,
    ) -> Result<bool, Error> {
        self.write(move |connection| {
            if holding(connection, &[lease])?.is_empty() {
                return Ok(false);
            }
            each!(connection, c => diesel::update(deliveries::table.find(Uid::from(delivery)))
                .filter(deliveries::body.is_null())
                .set(deliveries::body.eq(Some(&body)))
                .execute(c))?;
            Ok(true)
        })
        .await
    }
}
