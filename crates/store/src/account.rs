//! Provider accounts.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::installation::{Versioned, bump};
use crate::message::{decode_state, encode_state};
use crate::page::{Page, Window};
use crate::poll;
use crate::schema::{provider_accounts, provider_health, tenants};
use crate::sql_types::{Moment, Uid};
use crate::tenant::DELETED;
use diesel::prelude::*;
use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::id::{AccountId, TenantId};
use domain::poll::Silence;
use std::time::Duration;

/// One tenant's (or the platform's) credentials and callback rules at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name in callback URLs.
    pub slug: Slug,
    /// Its provider.
    pub provider: String,
    /// Where its messages belong.
    pub environment: Environment,
    /// What callbacks must show, sealed.
    pub checks: Vec<u8>,
    /// With what its provider is asked, sealed; none when it is not.
    pub status_api: Option<Vec<u8>>,
    /// What becomes of its messages of which nothing is heard.
    pub silence: Silence,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    New,
    /// Another account has the slug.
    SlugTaken,
}

impl Store {
    /// Makes an account.
    pub async fn create_account(&self, account: Account) -> Result<Created, Error> {
        let row = AccountRow::from(account);
        self.write(move |connection| {
            let inserted = each!(connection, c => diesel::insert_into(provider_accounts::table)
                .values(&row)
                .on_conflict(provider_accounts::slug)
                .do_nothing()
                .execute(c))?;
            if inserted == 0 {
                return Ok(Created::SlugTaken);
            }
            bump(connection, Versioned::Accounts)?;
            Ok(Created::New)
        })
        .await
    }

    /// Changes what an account's callbacks must show, how its provider is asked, and where its messages
    /// belong. Whether there was such an account. Its provider is asked at once again.
    pub async fn update_account(&self, account: Account) -> Result<bool, Error> {
        self.write(move |connection| {
            let changed = each!(connection, c => diesel::update(provider_accounts::table)
                .filter(provider_accounts::id.eq(Uid::from(account.id)))
                .filter(provider_accounts::tenant_id.eq(Uid::from(account.tenant_id)))
                .set((
                    provider_accounts::environment.eq(account.environment.as_str()),
                    provider_accounts::checks.eq(&account.checks),
                    provider_accounts::updated_at.eq(Moment::from(account.updated_at)),
                    provider_accounts::status_api.eq(&account.status_api),
                    provider_accounts::silence_state.eq(encode_state(account.silence.state)),
                    provider_accounts::silence_after.eq(encode_after(account.silence.after)),
                ))
                .execute(c))?;
            if changed > 0 {
                poll::end_rest(connection, account.id)?;
            }
            bump(connection, Versioned::Accounts)?;
            Ok(changed > 0)
        })
        .await
    }

    /// Ends an account: its callbacks are refused from now on. Whether there was one.
    pub async fn delete_account(&self, tenant: TenantId, id: AccountId) -> Result<bool, Error> {
        self.write(move |connection| {
            let deleted = each!(connection, c => diesel::delete(provider_accounts::table)
                .filter(provider_accounts::id.eq(Uid::from(id)))
                .filter(provider_accounts::tenant_id.eq(Uid::from(tenant)))
                .execute(c))?;
            each!(connection, c => diesel::delete(provider_health::table)
                .filter(provider_health::account_id.eq(Uid::from(id)))
                .filter(provider_health::tenant_id.eq(Uid::from(tenant)))
                .execute(c))?;
            if deleted > 0 {
                poll::forget_inbox(connection, id)?;
            }
            bump(connection, Versioned::Accounts)?;
            Ok(deleted > 0)
        })
        .await
    }

    /// A tenant's account.
    pub async fn find_account(
        &self,
        tenant: TenantId,
        id: AccountId,
    ) -> Result<Option<Account>, Error> {
        self.read(move |connection| find(connection, tenant, id))
            .await
    }

    /// The account with this slug, whoever's it is.
    pub async fn find_account_by_slug(&self, slug: Slug) -> Result<Option<Account>, Error> {
        self.look_up(move |connection| find_by_slug(connection, slug.as_str()))
            .await
    }

    /// The account with this id, whoever's it is.
    pub async fn find_account_by_id(&self, id: AccountId) -> Result<Option<Account>, Error> {
        self.look_up(move |connection| {
            let row: Option<AccountRow> = each!(connection, c => provider_accounts::table
                .filter(provider_accounts::id.eq(Uid::from(id)))
                .filter(is_somebodys())
                .select(AccountRow::as_select())
                .first(c)
                .optional())?;
            row.map(Account::try_from).transpose()
        })
        .await
    }

    /// The accounts with these slugs, in any order.
    pub async fn find_accounts_by_slugs(&self, slugs: Vec<Slug>) -> Result<Vec<Account>, Error> {
        self.read(move |connection| {
            let mut found = Vec::new();
            // An engine takes so many values in one statement.
            for some in slugs.chunks(1_000) {
                let some: Vec<&str> = some.iter().map(Slug::as_str).collect();
                let rows: Vec<AccountRow> = each!(connection, c => provider_accounts::table
                    .filter(provider_accounts::slug.eq_any(some))
                    .filter(is_somebodys())
                    .select(AccountRow::as_select())
                    .load(c))?;
                for row in rows {
                    found.push(Account::try_from(row)?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// The account a tenant may name by this slug: its own, or a shared one of the platform.
    pub async fn find_usable_account(
        &self,
        tenant: TenantId,
        slug: Slug,
    ) -> Result<Option<Account>, Error> {
        let found = self.find_account_by_slug(slug).await?;
        Ok(found.filter(|account| {
            account.tenant_id == tenant || account.tenant_id == TenantId::PLATFORM
        }))
    }

    /// A tenant's accounts, newest first.
    pub async fn list_accounts(
        &self,
        tenant: TenantId,
        window: Window<AccountId>,
    ) -> Result<Page<Account, AccountId>, Error> {
        self.read(move |connection| {
            let rows: Vec<AccountRow> = each!(connection, c => {
                let mut query = provider_accounts::table
                    .filter(provider_accounts::tenant_id.eq(Uid::from(tenant)))
                    .order(provider_accounts::id.desc())
                    .limit(window.reach())
                    .select(AccountRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(provider_accounts::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let accounts = rows
                .into_iter()
                .map(Account::try_from)
                .collect::<Result<_, _>>()?;
            Ok(window.page(accounts, |account: &Account| account.id))
        })
        .await
    }
}

pub(crate) fn find(
    connection: &mut Connection,
    tenant: TenantId,
    id: AccountId,
) -> Result<Option<Account>, Error> {
    let row: Option<AccountRow> = each!(connection, c => provider_accounts::table
        .filter(provider_accounts::id.eq(Uid::from(id)))
        .filter(provider_accounts::tenant_id.eq(Uid::from(tenant)))
        .select(AccountRow::as_select())
        .first(c)
        .optional())?;
    row.map(Account::try_from).transpose()
}

/// That its tenant was not deleted.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_somebodys() -> _ {
    let deleted: i16 = DELETED;
    provider_accounts::tenant_id.ne_all(
        tenants::table
            .filter(tenants::state.eq(deleted))
            .select(tenants::id),
    )
}

fn find_by_slug(connection: &mut Connection, slug: &str) -> Result<Option<Account>, Error> {
    let row: Option<AccountRow> = each!(connection, c => provider_accounts::table
        .filter(provider_accounts::slug.eq(slug))
        .filter(is_somebodys())
        .select(AccountRow::as_select())
        .first(c)
        .optional())?;
    row.map(Account::try_from).transpose()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = provider_accounts, treat_none_as_default_value = false)]
struct AccountRow {
    id: Uid,
    tenant_id: Uid,
    slug: String,
    provider: String,
    environment: String,
    checks: Vec<u8>,
    created_at: Moment,
    updated_at: Moment,
    status_api: Option<Vec<u8>>,
    silence_state: i16,
    silence_after: Option<i64>,
}

/// In seconds.
fn encode_after(after: Option<Duration>) -> Option<i64> {
    after.map(|after| i64::try_from(after.as_secs()).unwrap_or(i64::MAX))
}

impl From<Account> for AccountRow {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.into(),
            tenant_id: account.tenant_id.into(),
            slug: account.slug.into(),
            provider: account.provider,
            environment: account.environment.into(),
            checks: account.checks,
            created_at: account.created_at.into(),
            updated_at: account.updated_at.into(),
            status_api: account.status_api,
            silence_state: encode_state(account.silence.state),
            silence_after: encode_after(account.silence.after),
        }
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = Error;

    fn try_from(row: AccountRow) -> Result<Self, Error> {
        let slug = row
            .slug
            .parse()
            .map_err(|_| Error::unreadable("an account with an invalid slug"))?;
        let environment = row
            .environment
            .parse()
            .map_err(|_| Error::unreadable("an account with an invalid environment"))?;
        Ok(Self {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            slug,
            provider: row.provider,
            environment,
            checks: row.checks,
            status_api: row.status_api,
            silence: Silence {
                state: decode_state(row.silence_state)?,
                after: row
                    .silence_after
                    .and_then(|seconds| u64::try_from(seconds).ok())
                    .map(Duration::from_secs),
            },
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}
