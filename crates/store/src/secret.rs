//! Sealed secrets, as a change of the encryption key goes through them.

use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::schema::{previous_secrets, provider_accounts, quarantine, subscriptions};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::id::TenantId;
use uuid::Uuid;

/// Where rows have a sealed secret. What the key is recognised by is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The checks of a provider account.
    AccountChecks,
    /// With what the provider of an account is asked.
    AccountStatusApi,
    /// The signing secret of a subscription.
    SubscriptionSecret,
    /// The headers of a subscription.
    SubscriptionHeaders,
    /// What a subscription proves itself to its endpoint with.
    EndpointSecret,
    /// A secret that was replaced, and still signs for a while.
    PreviousSecret,
    /// A refused request.
    QuarantinedRequest,
}

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which row has it.
    pub id: Uuid,
    /// Whose that is.
    pub tenant_id: TenantId,
    /// The secret, sealed.
    pub value: Vec<u8>,
    /// Whether it will never be opened again: its subscription was deleted.
    pub is_spent: bool,
}

/// The same secret, sealed again.
#[derive(Debug, Clone)]
pub struct Resealed {
    /// Which row has it.
    pub id: Uuid,
    /// As it was read.
    pub from: Vec<u8>,
    /// As it is to be.
    pub to: Vec<u8>,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AccountChecks,
        Self::AccountStatusApi,
        Self::SubscriptionSecret,
        Self::SubscriptionHeaders,
        Self::EndpointSecret,
        Self::PreviousSecret,
        Self::QuarantinedRequest,
    ];

    /// How many rows a page has at the most. A refused request may have 200 KiB, anything else is small.
    pub const fn page(self) -> usize {
        match self {
            Self::AccountChecks
            | Self::AccountStatusApi
            | Self::SubscriptionSecret
            | Self::SubscriptionHeaders
            | Self::EndpointSecret
            | Self::PreviousSecret => 500,
            Self::QuarantinedRequest => 100,
        }
    }

    fn limit(self) -> i64 {
        i64::try_from(self.page()).unwrap_or(i64::MAX)
    }
}

impl Store {
    /// A page of the secrets of a column, of all tenants, in the order of their rows, after this row. The
    /// last page is the one that is empty.
    pub async fn list_sealed(&self, of: Column, after: Option<Uuid>) -> Result<Vec<Sealed>, Error> {
        let after = Uid(after.unwrap_or(Uuid::nil()));
        self.read(move |connection| match of {
            Column::AccountChecks => {
                let rows: Vec<SealedRow> = each!(connection, c => provider_accounts::table
                    .filter(provider_accounts::id.gt(after))
                    .order(provider_accounts::id)
                    .select((provider_accounts::id, provider_accounts::tenant_id, provider_accounts::checks))
                    .limit(of.limit())
                    .load(c))?;
                Ok(rows.into_iter().map(Sealed::from).collect())
            }
            Column::AccountStatusApi => {
                let rows: Vec<SealedRow> = each!(connection, c => provider_accounts::table
                    .filter(provider_accounts::id.gt(after))
                    .filter(provider_accounts::status_api.is_not_null())
                    .order(provider_accounts::id)
                    .select((
                        provider_accounts::id,
                        provider_accounts::tenant_id,
                        provider_accounts::status_api.assume_not_null(),
                    ))
                    .limit(of.limit())
                    .load(c))?;
                Ok(rows.into_iter().map(Sealed::from).collect())
            }
            Column::SubscriptionSecret => {
                let rows: Vec<(SealedRow, Option<Moment>)> = each!(connection, c => subscriptions::table
                    .filter(subscriptions::id.gt(after))
                    .order(subscriptions::id)
                    .select((
                        (subscriptions::id, subscriptions::tenant_id, subscriptions::secret),
                        subscriptions::deleted_at,
                    ))
                    .limit(of.limit())
                    .load(c))?;
                let sealed = rows.into_iter().map(|(row, deleted_at)| Sealed {
                    is_spent: deleted_at.is_some(),
                    ..Sealed::from(row)
                });
                Ok(sealed.collect())
            }
            Column::SubscriptionHeaders => {
                let rows: Vec<OptionalRow> = each!(connection, c => subscriptions::table
                    .filter(subscriptions::id.gt(after))
                    .filter(subscriptions::headers.is_not_null())
                    .order(subscriptions::id)
                    .select((
                        (subscriptions::id, subscriptions::tenant_id, subscriptions::headers),
                        subscriptions::deleted_at,
                    ))
                    .limit(of.limit())
                    .load(c))?;
                Ok(rows.into_iter().filter_map(sealed_of).collect())
            }
            Column::EndpointSecret => {
                let rows: Vec<OptionalRow> = each!(connection, c => subscriptions::table
                    .filter(subscriptions::id.gt(after))
                    .filter(subscriptions::endpoint_secret.is_not_null())
                    .order(subscriptions::id)
                    .select((
                        (subscriptions::id, subscriptions::tenant_id, subscriptions::endpoint_secret),
                        subscriptions::deleted_at,
                    ))
                    .limit(of.limit())
                    .load(c))?;
                Ok(rows.into_iter().filter_map(sealed_of).collect())
            }
            Column::PreviousSecret => {
                let rows: Vec<SealedRow> = each!(connection, c => previous_secrets::table
                    .filter(previous_secrets::id.gt(after))
                    .order(previous_secrets::id)
                    .select((
                        previous_secrets::id,
                        previous_secrets::tenant_id,
                        previous_secrets::secret,
                    ))
                    .limit(of.limit())
                    .load(c))?;
                Ok(rows.into_iter().map(Sealed::from).collect())
            }
            Column::QuarantinedRequest => {
                let rows: Vec<SealedRow> = each!(connection, c => quarantine::table
                    .filter(quarantine::id.gt(after))
                    .order(quarantine::id)
                    .select((quarantine::id, quarantine::tenant_id, quarantine::sealed))
                    .limit(of.limit())
                    .load(c))?;
                Ok(rows.into_iter().map(Sealed::from).collect())
            }
        })
        .await
    }

    /// Writes secrets that were sealed again, each where it is still as it was read; how many were. What is
    /// sealed is the same secret, so nobody needs to look again.
    pub async fn replace_sealed(&self, of: Column, with: Vec<Resealed>) -> Result<usize, Error> {
        self.write(move |connection| {
            let mut replaced = 0;
            for Resealed { id, from, to } in &with {
                let id = Uid(*id);
                replaced += match of {
                    Column::AccountChecks => each!(connection, c =>
                        diesel::update(provider_accounts::table.find(id))
                            .filter(provider_accounts::checks.eq(from))
                            .set(provider_accounts::checks.eq(to))
                            .execute(c))?,
                    Column::AccountStatusApi => each!(connection, c =>
                        diesel::update(provider_accounts::table.find(id))
                            .filter(provider_accounts::status_api.eq(from))
                            .set(provider_accounts::status_api.eq(to))
                            .execute(c))?,
                    Column::SubscriptionSecret => each!(connection, c =>
                        diesel::update(subscriptions::table.find(id))
                            .filter(subscriptions::secret.eq(from))
                            .set(subscriptions::secret.eq(to))
                            .execute(c))?,
                    Column::SubscriptionHeaders => each!(connection, c =>
                        diesel::update(subscriptions::table.find(id))
                            .filter(subscriptions::headers.eq(Some(from)))
                            .set(subscriptions::headers.eq(Some(to)))
                            .execute(c))?,
                    Column::EndpointSecret => each!(connection, c =>
                        diesel::update(subscriptions::table.find(id))
                            .filter(subscriptions::endpoint_secret.eq(Some(from)))
                            .set(subscriptions::endpoint_secret.eq(Some(to)))
                            .execute(c))?,
                    Column::PreviousSecret => each!(connection, c =>
                        diesel::update(previous_secrets::table.find(id))
                            .filter(previous_secrets::secret.eq(from))
                            .set(previous_secrets::secret.eq(to))
                            .execute(c))?,
                    Column::QuarantinedRequest => each!(connection, c =>
                        diesel::update(quarantine::table.find(id))
                            .filter(quarantine::sealed.eq(from))
                            .set(quarantine::sealed.eq(to))
                            .execute(c))?,
                };
            }
            Ok(replaced)
        })
        .await
    }
}

/// The row, whose it is, and its secret.
type SealedRow = (Uid, Uid, Vec<u8>);

/// The same of a column that may be empty, and when its subscription was deleted.
type OptionalRow = ((Uid, Uid, Option<Vec<u8>>), Option<Moment>);

fn sealed_of(((id, tenant, value), deleted_at): OptionalRow) -> Option<Sealed> {
    Some(Sealed {
        is_spent: deleted_at.is_some(),
        ..Sealed::from((id, tenant, value?))
    })
}

impl From<SealedRow> for Sealed {
    fn from((id, tenant_id, value): SealedRow) -> Self {
        Self {
            id: id.0,
            tenant_id: tenant_id.into(),
            value,
            is_spent: false,
        }
    }
}
