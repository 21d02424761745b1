//! Who shows a secret to the API: a key, or a token that stands for one or for a member.

use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::key::decode_role;
use crate::schema::{access_tokens, api_keys, members, plans, tenants};
use crate::sql_types::{Moment, Uid};
use crate::tenant::{DELETED, State};
use diesel::prelude::*;
use domain::Timestamp;
use domain::access::Scopes;
use domain::id::{KeyId, MemberId, TenantId};
use std::collections::HashMap;

/// Who shows a secret that opens something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Whether that tenant may do anything.
    pub state: State,
    /// The key that was shown, or that the token was made with.
    pub key_id: Option<KeyId>,
    /// The member who logged in.
    pub member_id: Option<MemberId>,
    /// What may be done with it.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether the plan limits how many events that tenant may publish in a day.
    pub counts_events: bool,
}

impl Store {
    /// Who shows a key of this hash; none where nobody has such a key, or had it once.
    pub async fn find_bearer_of_key(&self, hash: [u8; 32]) -> Result<Option<Bearer>, Error> {
        let now = self.clock.now();
        self.look_up(move |connection| Ok(of_key(connection, hash)?.filter(|it| it.lasts(now))))
            .await
    }

    /// Who shows each of these keys; those that open nothing are left out.
    pub async fn find_bearers_of_keys(
        &self,
        hashes: Vec<[u8; 32]>,
    ) -> Result<HashMap<[u8; 32], Bearer>, Error> {
        if hashes.is_empty() {
            return Ok(HashMap::new());
        }
        let now = self.clock.now();
        self.look_up(move |connection| {
            let mut bearers = of_keys(connection, &hashes)?;
            bearers.retain(|_, bearer| bearer.lasts(now));
            Ok(bearers)
        })
        .await
    }

    /// Whose each of these keys is or was; those that are nobody's are left out.
    pub async fn tenants_of_keys(
        &self,
        hashes: Vec<[u8; 32]>,
    ) -> Result<HashMap<[u8; 32], TenantId>, Error> {
        if hashes.is_empty() {
            return Ok(HashMap::new());
        }
        self.look_up(move |connection| {
            let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
            let found: Vec<(Vec<u8>, Uid)> = each!(connection, c => api_keys::table
                .filter(api_keys::hash.eq_any(&hashes))
                .select((api_keys::hash, api_keys::tenant_id))
                .load(c))?;
            let known = found
                .into_iter()
                .filter_map(|(hash, tenant)| Some((hash.try_into().ok()?, tenant.into())));
            Ok(known.collect())
        })
        .await
    }

    /// Who shows a token of this hash; none where it is over, or its key or its member is.
    pub async fn find_bearer_of_token(&self, hash: [u8; 32]) -> Result<Option<Bearer>, Error> {
        let now = self.clock.now();
        self.look_up(move |connection| {
            Ok(of_token(connection, hash, now)?.filter(|it| it.lasts(now)))
        })
        .await
    }
}

impl Bearer {
    /// Whether it is not over.
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

fn of_key(connection: &mut Connection, hash: [u8; 32]) -> Result<Option<Bearer>, Error> {
    Ok(of_keys(connection, &[hash])?.remove(&hash))
}

fn of_keys(
    connection: &mut Connection,
    hashes: &[[u8; 32]],
) -> Result<HashMap<[u8; 32], Bearer>, Error> {
    type Row = (
        Vec<u8>,
        Uid,
        Uid,
        i16,
        Option<String>,
        Option<Moment>,
        i16,
        Option<i64>,
    );
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let rows: Vec<Row> = each!(connection, c => api_keys::table
        .inner_join(tenants::table.on(tenants::id.eq(api_keys::tenant_id)))
        .left_join(plans::table.on(plans::name.eq(tenants::plan)))
        .filter(api_keys::hash.eq_any(&hashes))
        .filter(api_keys::revoked_at.is_null())
        .filter(tenants::state.ne(DELETED))
        .select((
            api_keys::hash,
            api_keys::id,
            api_keys::tenant_id,
            api_keys::role,
            api_keys::scopes,
            api_keys::expires_at,
            tenants::state,
            plans::events_per_day.nullable(),
        ))
        .load(c))?;
    let mut bearers = HashMap::with_capacity(rows.len());
    for (hash, id, tenant, role, scopes, expires_at, state, events_per_day) in rows {
        let hash = hash.try_into();
        let hash = hash.map_err(|_| Error::unreadable("a key with an unreadable hash"))?;
        let bearer = Bearer {
            tenant_id: tenant.into(),
            state: State::decode(state)?,
            key_id: Some(id.into()),
            member_id: None,
            scopes: scopes_of(role, scopes.as_deref())?,
            expires_at: expires_at.map(Timestamp::from),
            counts_events: events_per_day.is_some(),
        };
        bearers.insert(hash, bearer);
    }
    Ok(bearers)
}

fn of_token(
    connection: &mut Connection,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<Bearer>, Error> {
    type Row = (
        Uid,
        i16,
        Option<Uid>,
        Option<Uid>,
        Option<String>,
        Moment,
        // What its key may do, and until when.
        Option<(i16, Option<String>, Option<Moment>, Option<Moment>)>,
        Option<i16>,
        Option<i64>,
    );
    let row: Option<Row> = each!(connection, c => access_tokens::table
        .inner_join(tenants::table.on(tenants::id.eq(access_tokens::tenant_id)))
        .left_join(plans::table.on(plans::name.eq(tenants::plan)))
        .left_join(api_keys::table.on(access_tokens::key_id.eq(api_keys::id.nullable())))
        .left_join(members::table.on(access_tokens::member_id.eq(members::id.nullable())))
        .filter(access_tokens::hash.eq(hash.as_slice()))
        .filter(tenants::state.ne(DELETED))
        .select((
            access_tokens::tenant_id,
            tenants::state,
            access_tokens::key_id,
            access_tokens::member_id,
            access_tokens::scopes,
            access_tokens::expires_at,
            (api_keys::role, api_keys::scopes, api_keys::expires_at, api_keys::revoked_at).nullable(),
            members::role.nullable(),
            plans::events_per_day.nullable(),
        ))
        .first(c)
        .optional())?;
    let Some((tenant, state, key_id, member_id, scopes, expires_at, key, member, events_per_day)) =
        row
    else {
        return Ok(None);
    };
    let is_key_over = key_id.is_some()
        && key.as_ref().is_none_or(|(.., expires_at, revoked_at)| {
            revoked_at.is_some() || expires_at.is_some_and(|end| end <= now.into())
        });
    if is_key_over || (member_id.is_some() && member.is_none()) {
        return Ok(None);
    }
    let allowed = match (member, &key) {
        // What a member may do is what its role says now.
        (Some(role), _) => scopes_of(role, None)?,
        (None, Some((role, of_key, ..))) => scopes_of(*role, of_key.as_deref())?,
        (None, None) => Scopes::default(),
    };
    Ok(Some(Bearer {
        tenant_id: tenant.into(),
        state: State::decode(state)?,
        key_id: key_id.map(KeyId::from),
        member_id: member_id.map(MemberId::from),
        scopes: scopes.map_or(allowed, |some| allowed.and(Scopes::parse(&some))),
        expires_at: Some(expires_at.into()),
        counts_events: events_per_day.is_some(),
    }))
}

/// What a role may do, or fewer scopes of it.
fn scopes_of(role: i16, scopes: Option<&str>) -> Result<Scopes, Error> {
    let all = decode_role(role)?.scopes();
    Ok(scopes.map_or(all, |some| all.and(Scopes::parse(some))))
}
