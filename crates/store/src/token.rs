//! Access tokens, and links into the console, which become one. Only their hashes are kept.

use crate::Store;
use crate::audit::Recorder;
use crate::connection::{Connection, each, insert_rows};
use crate::error::Error;
use crate::event::NewEventRow;
use crate::member::{self, Member};
use crate::retention::PAGE;
use crate::schema::{access_tokens, api_keys, console_links, events, members};
use crate::sql_types::{Moment, Uid};
use crate::tenant::{self, State};
use diesel::prelude::*;
use domain::Timestamp;
use domain::access::Scopes;
use domain::audit::Actor;
use domain::id::{EventId, KeyId, MemberId, TenantId};
use serde_json::json;

/// How many tokens of a key, or of a member, are of use at once: one more ends the oldest.
pub const MOST_TOKENS: i64 = 100;
/// How many links of a member are: one more ends the oldest.
pub const MOST_LINKS: i64 = 10;

/// A token of an API key.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whose it is.
    pub tenant_id: TenantId,
    /// With which key it was made, and ends.
    pub key_id: KeyId,
    /// What may be done with it, as far as its key may.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A link into the console.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// SHA-256 of what the link carries.
    pub hash: [u8; 32],
    /// Whose it is.
    pub tenant_id: TenantId,
    /// With which key it was made, and ends; none: the operator made it.
    pub key_id: Option<KeyId>,
    /// Whom it lets in.
    pub member_id: MemberId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}

/// What a link becomes when it is used.
#[derive(Debug, Clone)]
pub struct Entry {
    /// SHA-256 of what the link carries.
    pub link: [u8; 32],
    /// SHA-256 of the token that stands for the member from now on.
    pub token: [u8; 32],
    /// The id of the event that tells so.
    pub event: EventId,
    /// Now.
    pub at: Timestamp,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl Store {
    /// Makes a token of a key. The oldest ones end where there are too many.
    pub async fn create_token(&self, token: NewToken) -> Result<(), Error> {
        let row = TokenRow {
            hash: token.hash.to_vec(),
            tenant_id: token.tenant_id.into(),
            key_id: Some(token.key_id.into()),
            member_id: None,
            scopes: Some(token.scopes.to_string()),
            created_at: token.created_at.into(),
            expires_at: token.expires_at.into(),
        };
        self.write(move |connection| {
            let old: Vec<Vec<u8>> = each!(connection, c => access_tokens::table
                .filter(access_tokens::key_id.eq(row.key_id))
                .filter(access_tokens::member_id.is_null())
                .order((access_tokens::created_at.desc(), access_tokens::hash))
                .select(access_tokens::hash)
                .offset(MOST_TOKENS - 1)
                .limit(PAGE)
                .load(c))?;
            end_tokens(connection, &old)?;
            insert(connection, &row)
        })
        .await
    }

    /// Makes a link for a member. The oldest ones end where there are too many. Whether there is such a
    /// member.
    pub async fn create_link(&self, link: NewLink) -> Result<bool, Error> {
        let row = LinkRow {
            hash: link.hash.to_vec(),
            tenant_id: link.tenant_id.into(),
            key_id: link.key_id.map(Uid::from),
            member_id: link.member_id.into(),
            created_at: link.created_at.into(),
            expires_at: link.expires_at.into(),
        };
        let recorder = self.recorder();
        self.write(move |connection| {
            if member::find(connection, link.tenant_id, link.member_id)?.is_none() {
                return Ok(false);
            }
            let old: Vec<Vec<u8>> = each!(connection, c => console_links::table
                .filter(console_links::member_id.eq(row.member_id))
                .order((console_links::created_at.desc(), console_links::hash))
                .select(console_links::hash)
                .offset(MOST_LINKS - 1)
                .limit(PAGE)
                .load(c))?;
            each!(connection, c => diesel::delete(console_links::table)
                .filter(console_links::hash.eq_any(&old))
                .execute(c))?;
            each!(connection, c => diesel::insert_into(console_links::table)
                .values(&row)
                .execute(c))?;
            let what = json!({ "expires_at": link.expires_at });
            let whom = Some(link.member_id.to_string());
            Recorder::note(recorder.as_ref(), connection, "member", whom, what)?;
            Ok(true)
        })
        .await
    }

    /// Uses a link up: a token that stands for its member from now on, and `user.login`, in one commit.
    /// None where the link is unknown, used or over, or its key, its member or its tenant is.
    pub async fn use_link(&self, entry: Entry) -> Result<Option<(TenantId, Member)>, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            // Of two that use it at once, one deletes it.
            let link: Option<LinkRow> = each!(connection, c => diesel::delete(
                    console_links::table.find(entry.link.as_slice()),
                )
                .returning(LinkRow::as_returning())
                .get_result(c)
                .optional())?;
            let Some(link) = link.filter(|link| link.expires_at > entry.at.into()) else {
                return Ok(None);
            };
            let entered = enter(connection, &link, &entry)?;
            if let Some((tenant, member)) = &entered {
                let by = recorder
                    .as_ref()
                    .map(|recorder| recorder.by(Actor::Member(member.id), *tenant));
                let what = json!({ "expires_at": entry.expires_at });
                let whom = Some(member.id.to_string());
                Recorder::note(by.as_ref(), connection, "member", whom, what)?;
            }
            Ok(entered)
        })
        .await
    }

    /// Forgets up to 500 tokens and as many links that are over; how many.
    pub async fn forget_expired_tokens(&self, now: Timestamp) -> Result<usize, Error> {
        let now = Moment::from(now);
        self.write(move |connection| {
            let tokens: Vec<Vec<u8>> = each!(connection, c => access_tokens::table
                .filter(access_tokens::expires_at.le(now))
                .order(access_tokens::expires_at)
                .select(access_tokens::hash)
                .limit(PAGE)
                .load(c))?;
            let links: Vec<Vec<u8>> = each!(connection, c => console_links::table
                .filter(console_links::expires_at.le(now))
                .order(console_links::expires_at)
                .select(console_links::hash)
                .limit(PAGE)
                .load(c))?;
            let ended = each!(connection, c => diesel::delete(console_links::table)
                .filter(console_links::hash.eq_any(&links))
                .execute(c))?;
            Ok(ended + end_tokens(connection, &tokens)?)
        })
        .await
    }
}

fn enter(
    connection: &mut Connection,
    link: &LinkRow,
    entry: &Entry,
) -> Result<Option<(TenantId, Member)>, Error> {
    let tenant = TenantId::from(link.tenant_id);
    let active = tenant::lock(connection, tenant)?;
    let is_active = active.is_some_and(|row| row.state == State::Active.code());
    if !is_active || !key_lasts(connection, link.key_id, entry.at)? {
        return Ok(None);
    }
    let Some(row) = member::find(connection, tenant, link.member_id.into())? else {
        return Ok(None);
    };
    let member = Member {
        last_login_at: Some(entry.at),
        ..Member::try_from(row)?
    };
    each!(connection, c => diesel::update(members::table.find(link.member_id))
        .set(members::last_login_at.eq(Some(Moment::from(entry.at))))
        .execute(c))?;
    let old: Vec<Vec<u8>> = each!(connection, c => access_tokens::table
        .filter(access_tokens::member_id.eq(Some(link.member_id)))
        .order((access_tokens::created_at.desc(), access_tokens::hash))
        .select(access_tokens::hash)
        .offset(MOST_TOKENS - 1)
        .limit(PAGE)
        .load(c))?;
    end_tokens(connection, &old)?;
    let token = TokenRow {
        hash: entry.token.to_vec(),
        tenant_id: link.tenant_id,
        key_id: link.key_id,
        member_id: Some(link.member_id),
        scopes: None,
        created_at: entry.at.into(),
        expires_at: entry.expires_at.into(),
    };
    insert(connection, &token)?;
    let login = member::told(tenant, &member, entry.event, "user.login", entry.at);
    let login = [NewEventRow::from(login)];
    insert_rows!(connection, events::table, login.iter());
    Ok(Some((tenant, member)))
}

/// Whether a key can still be used; the operator's can.
fn key_lasts(connection: &mut Connection, key: Option<Uid>, now: Timestamp) -> Result<bool, Error> {
    let Some(key) = key else {
        return Ok(true);
    };
    let ends: Option<Option<Moment>> = each!(connection, c => api_keys::table
        .find(key)
        .select(api_keys::ends_at)
        .first(c)
        .optional())?;
    Ok(ends.is_some_and(|end| end.is_none_or(|end| end > now.into())))
}

fn insert(connection: &mut Connection, row: &TokenRow) -> Result<(), Error> {
    each!(connection, c => diesel::insert_into(access_tokens::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

fn end_tokens(connection: &mut Connection, hashes: &[Vec<u8>]) -> Result<usize, Error> {
    Ok(each!(connection, c => diesel::delete(access_tokens::table)
        .filter(access_tokens::hash.eq_any(hashes))
        .execute(c))?)
}

#[derive(Insertable)]
#[diesel(table_name = access_tokens, treat_none_as_default_value = false)]
struct TokenRow {
    hash: Vec<u8>,
    tenant_id: Uid,
    key_id: Option<Uid>,
    member_id: Option<Uid>,
    scopes: Option<String>,
    created_at: Moment,
    expires_at: Moment,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = console_links, treat_none_as_default_value = false)]
struct LinkRow {
    hash: Vec<u8>,
    tenant_id: Uid,
    key_id: Option<Uid>,
    member_id: Uid,
    created_at: Moment,
    expires_at: Moment,
}
