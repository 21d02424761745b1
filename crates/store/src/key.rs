//! API keys, as they are kept: their hashes, and what they may do.

use crate::Store;
use crate::connection::{Connection, each};
use crate::dialect;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::retention::PAGE;
use crate::schema::{access_tokens, api_keys, console_links};
use crate::sql_types::{Moment, Uid};
use crate::tenant;
use diesel::prelude::*;
use domain::Timestamp;
use domain::access::{Role, Scopes};
use domain::id::{KeyId, TenantId};

/// How many keys a tenant may have that can still be used.
pub const MOST_KEYS: i64 = 200;

/// An API key that is made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its id.
    pub id: KeyId,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// How the key begins, to recognise it by.
    pub prefix: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Fewer scopes than its role has; none: all of them.
    pub scopes: Option<Scopes>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// How the key begins.
    pub prefix: String,
    /// What it may do.
    pub role: Role,
    /// Fewer scopes than its role has; none: all of them.
    pub scopes: Option<Scopes>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, as far as was written: to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What became of something that a tenant may have so many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is there.
    Done,
    /// The tenant has as many as it may.
    TooMany,
    /// There is no such tenant.
    NoTenant,
}

/// What became of revoking a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It is revoked, now or before.
    Done,
    /// It is the last with which its tenant can make others.
    LastOwner,
    /// There is no such key.
    Missing,
}

impl Store {
    /// Makes a key of a tenant.
    pub async fn create_key(
        &self,
        tenant: TenantId,
        key: NewKey,
        at: Timestamp,
    ) -> Result<Made, Error> {
        self.write(move |connection| {
            if tenant::lock(connection, tenant)?.is_none() {
                return Ok(Made::NoTenant);
            }
            let usable: i64 = each!(connection, c => api_keys::table
                .filter(api_keys::tenant_id.eq(Uid::from(tenant)))
                .filter(is_usable(at))
                .count()
                .get_result(c))?;
            if usable >= MOST_KEYS {
                return Ok(Made::TooMany);
            }
            insert(connection, tenant.into(), &key, at.into())?;
            Ok(Made::Done)
        })
        .await
    }

    /// A tenant's key.
    pub async fn find_key(&self, tenant: TenantId, id: KeyId) -> Result<Option<Key>, Error> {
        self.read(move |connection| find(connection, tenant, id)?.map(Key::try_from).transpose())
            .await
    }

    /// A tenant's keys, newest first, those that ended lately among them.
    pub async fn list_keys(
        &self,
        tenant: TenantId,
        window: Window<KeyId>,
    ) -> Result<Page<Key, KeyId>, Error> {
        self.read(move |connection| {
            let rows: Vec<KeyRow> = each!(connection, c => {
                let mut query = api_keys::table
                    .filter(api_keys::tenant_id.eq(Uid::from(tenant)))
                    .order(api_keys::id.desc())
                    .limit(window.reach())
                    .select(KeyRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(api_keys::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let items = rows.into_iter().map(Key::try_from);
            let items = items.collect::<Result<_, _>>()?;
            Ok(window.page(items, |key: &Key| key.id))
        })
        .await
    }

    /// Revokes a key, with the tokens and links that were made with it. `may_be_last` says whether it may
    /// be the last owner's key of its tenant: the last of the role `owner` with all its scopes.
    pub async fn revoke_key(
        &self,
        tenant: TenantId,
        id: KeyId,
        may_be_last: bool,
        at: Timestamp,
    ) -> Result<Revoked, Error> {
        self.write(move |connection| {
            // Of two that are revoked at once, one is the last.
            if tenant::lock(connection, tenant)?.is_none() {
                return Ok(Revoked::Missing);
            }
            let Some(row) = find(connection, tenant, id)? else {
                return Ok(Revoked::Missing);
            };
            if row.revoked_at.is_some() {
                return Ok(Revoked::Done);
            }
            if !may_be_last && row.is_owner(at) && !has_other_owner(connection, &row, at)? {
                return Ok(Revoked::LastOwner);
            }
            let ended = row
                .ends_at
                .map_or(Moment::from(at), |end| end.min(at.into()));
            each!(connection, c => diesel::update(api_keys::table.find(row.id))
                .set((
                    api_keys::revoked_at.eq(Some(Moment::from(at))),
                    api_keys::ends_at.eq(Some(ended)),
                ))
                .execute(c))?;
            each!(connection, c => diesel::delete(access_tokens::table)
                .filter(access_tokens::key_id.eq(Some(row.id)))
                .execute(c))?;
            each!(connection, c => diesel::delete(console_links::table)
                .filter(console_links::key_id.eq(Some(row.id)))
                .execute(c))?;
            Ok(Revoked::Done)
        })
        .await
    }

    /// Notes when keys were last used: a page of them, each once.
    pub async fn note_key_uses(&self, mut uses: Vec<(KeyId, Timestamp)>) -> Result<(), Error> {
        // In one order, so that two that note at once never wait for one another.
        uses.sort_unstable();
        self.write(move |connection| dialect::key::note_uses(connection, &uses))
            .await
    }

    /// Forgets up to 500 keys that were revoked, or ended by themselves, before this; how many.
    pub async fn forget_ended_keys(&self, before: Timestamp) -> Result<usize, Error> {
        self.write(move |connection| {
            let ids: Vec<Uid> = each!(connection, c => api_keys::table
                .filter(api_keys::ends_at.lt(Some(Moment::from(before))))
                .order(api_keys::id)
                .select(api_keys::id)
                .limit(PAGE)
                .load(c))?;
            Ok(each!(connection, c => diesel::delete(api_keys::table)
                .filter(api_keys::id.eq_any(&ids))
                .execute(c))?)
        })
        .await
    }
}

/// Puts a key there.
pub(crate) fn insert(
    connection: &mut Connection,
    tenant: Uid,
    key: &NewKey,
    at: Moment,
) -> Result<(), Error> {
    each!(connection, c => diesel::insert_into(api_keys::table)
        .values((
            api_keys::id.eq(Uid::from(key.id)),
            api_keys::tenant_id.eq(tenant),
            api_keys::hash.eq(key.hash.as_slice()),
            api_keys::prefix.eq(&key.prefix),
            api_keys::created_at.eq(at),
            api_keys::name.eq(&key.name),
            api_keys::role.eq(encode_role(key.role)),
            api_keys::scopes.eq(key.scopes.map(|scopes| scopes.to_string())),
            api_keys::expires_at.eq(key.expires_at.map(Moment::from)),
            api_keys::ends_at.eq(key.expires_at.map(Moment::from)),
        ))
        .execute(c))?;
    Ok(())
}

pub(crate) fn find(
    connection: &mut Connection,
    tenant: TenantId,
    id: KeyId,
) -> Result<Option<KeyRow>, Error> {
    Ok(each!(connection, c => api_keys::table
        .filter(api_keys::id.eq(Uid::from(id)))
        .filter(api_keys::tenant_id.eq(Uid::from(tenant)))
        .select(KeyRow::as_select())
        .first(c)
        .optional())?)
}

fn has_other_owner(
    connection: &mut Connection,
    row: &KeyRow,
    at: Timestamp,
) -> Result<bool, Error> {
    let others: i64 = each!(connection, c => api_keys::table
        .filter(api_keys::tenant_id.eq(row.tenant_id))
        .filter(api_keys::id.ne(row.id))
        .filter(api_keys::role.eq(encode_role(Role::Owner)))
        .filter(api_keys::scopes.is_null())
        .filter(is_usable(at))
        .count()
        .get_result(c))?;
    Ok(others > 0)
}

/// Neither revoked nor over.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_usable(at: Timestamp) -> _ {
    let now: Option<Moment> = Some(Moment(at.as_millis()));
    api_keys::ends_at.is_null().or(api_keys::ends_at.gt(now))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub(crate) struct KeyRow {
    id: Uid,
    tenant_id: Uid,
    prefix: String,
    created_at: Moment,
    name: String,
    role: i16,
    scopes: Option<String>,
    last_used_at: Option<Moment>,
    expires_at: Option<Moment>,
    revoked_at: Option<Moment>,
    ends_at: Option<Moment>,
}

impl KeyRow {
    /// Whether other keys of any kind can be made with it.
    fn is_owner(&self, now: Timestamp) -> bool {
        let is_over = self.ends_at.is_some_and(|end| end <= now.into());
        self.role == encode_role(Role::Owner) && self.scopes.is_none() && !is_over
    }
}

impl TryFrom<KeyRow> for Key {
    type Error = Error;

    fn try_from(row: KeyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            prefix: row.prefix,
            role: decode_role(row.role)?,
            scopes: row.scopes.as_deref().map(Scopes::parse),
            created_at: row.created_at.into(),
            last_used_at: row.last_used_at.map(Timestamp::from),
            expires_at: row.expires_at.map(Timestamp::from),
            revoked_at: row.revoked_at.map(Timestamp::from),
        })
    }
}

pub(crate) const fn encode_role(role: Role) -> i16 {
    match role {
        Role::Owner => 0,
        Role::Developer => 1,
        Role::Viewer => 2,
        Role::Publisher => 3,
    }
}

pub(crate) fn decode_role(code: i16) -> Result<Role, Error> {
    Role::ALL
        .into_iter()
        .find(|role| encode_role(*role) == code)
        .ok_or_else(|| Error::unreadable(format!("a key or a member of the role {code}")))
}
