//! `/v1/keys`: a tenant's API keys. Deleting one revokes it: it is shown for a while yet, so that what was
//! done with it can be traced.

use crate::access::{self, Fresh, KEY, described_role, described_scopes, read_role, read_scopes};
use crate::caller::Caller;
use crate::input::Faults;
use crate::list::{PageView, Query};
use crate::openapi::{OfTenant, Paging, Routes, operation};
use crate::{Desk, failure, input};
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::access::Scopes;
use domain::id::{KeyId, TenantId};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use store::key::{Key, MOST_KEYS, Made, NewKey, Revoked};
use utoipa::ToSchema;
use utoipa::openapi::schema::Array;

pub(crate) fn routes(routes: &mut Routes) {
    let conflict = [Code::Conflict];
    routes
        .add(operation!(create).refuses(&conflict))
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(revoke).refuses(&conflict));
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "dashboard",
    "role": "viewer",
    "scopes": ["messages:read", "webhooks:read"],
})))]
struct CreateKey {
    /// What people call it.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// What may be done with it.
    #[schema(schema_with = described_role)]
    role: String,
    /// What of its role it has.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(schema_with = wanted_scopes, required = false)]
    scopes: Option<Vec<String>>,
    /// When it ends; it lasts until it is revoked where nothing is said.
    #[schema(value_type = Option<Timestamp>)]
    expires_at: Option<String>,
}

/// A key, without its text but when it was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = Key, examples(json!({
    "id": "key_01h455vb4pex5vsknk084sn02q",
    "name": "dashboard",
    "prefix": "tk_live_W6ph",
    "role": "viewer",
    "scopes": ["webhooks:read", "messages:read"],
    "created_at": "2026-11-23T21:09:00.000Z",
    "last_used_at": "2026-11-23T22:10:00.000Z",
    "expires_at": null,
    "revoked_at": null,
})))]
struct KeyView {
    /// Its id.
    id: KeyId,
    /// What people call it.
    name: String,
    /// How it begins, to recognise it by.
    prefix: String,
    /// What may be done with it.
    #[schema(schema_with = described_role)]
    role: &'static str,
    /// What may be done with it, one by one.
    #[schema(schema_with = scopes)]
    scopes: Vec<&'static str>,
    /// When it was made.
    created_at: Timestamp,
    /// When it last opened something, to within a few minutes.
    last_used_at: Option<Timestamp>,
    /// When it ends.
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
    /// The key itself. Keep it: it is shown only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    api_key: Option<String>,
}

fn scopes() -> Array {
    described_scopes("What may be done with it, one by one.")
}

fn wanted_scopes() -> Array {
    described_scopes(
        "What of its role it has; all of it, also what a role gets later, where nothing is said.",
    )
}

/// Make a key
///
/// Its text is shown only in this answer. Nobody gives what he has not: the key has no scope that yours lacks.
#[utoipa::path(
    post,
    path = "/v1/keys",
    tag = "Keys",
    operation_id = "create_key",
    params(OfTenant),
    request_body = CreateKey,
    responses((status = 201, description = "It is made", body = KeyView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let (_, wanted) = input::read::<CreateKey>(&request, payload).await?;
    let context = &desk.context;
    let now = context.clock.now();
    let secret = Fresh::new(KEY, &context.random);
    let key = judge(wanted, &secret, now, KeyId::new(now, &context.random))?;
    let missing = effective(key.role, key.scopes).without(caller.scopes);
    if !missing.is_empty() {
        return Err(access::wider(missing));
    }
    let made = context.store.create_key(tenant, key.clone(), now).await;
    match made.map_err(failure::of_store)? {
        Made::Done => {}
        Made::TooMany => {
            let detail = format!("a tenant has at most {MOST_KEYS} keys: revoke some first");
            return Err(Problem::new(Code::Conflict, detail));
        }
        Made::NoTenant => return Err(failure::not_found("tenant")),
    }
    let shown = KeyView {
        api_key: Some(secret.text),
        ..view(Key {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            role: key.role,
            scopes: key.scopes,
            created_at: now,
            last_used_at: None,
            expires_at: key.expires_at,
            revoked_at: None,
        })
    };
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(shown))
}

/// List keys
///
/// Newest first, without their texts. Those that were revoked are among them for a while.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "Keys",
    operation_id = "list_keys",
    params(OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<KeyView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor", "tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let page = desk.context.store.list_keys(tenant, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, view)))
}

/// Read a key
///
/// Without its text, which nobody has but who made it.
#[utoipa::path(
    get,
    path = "/v1/keys/{id}",
    tag = "Keys",
    operation_id = "get_key",
    params(("id" = KeyId, Path, description = "The key"), OfTenant),
    responses((status = 200, description = "The key", body = KeyView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (tenant, id) = named(&id, &request, &desk, caller).await?;
    let found = desk.context.store.find_key(tenant, id).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(view(found)))
}

/// Revoke a key
///
/// It opens nothing any more, nor do tokens and links that were made with it. It is shown for a while yet.
#[utoipa::path(
    delete,
    path = "/v1/keys/{id}",
    tag = "Keys",
    operation_id = "revoke_key",
    params(("id" = KeyId, Path, description = "The key"), OfTenant),
    responses((status = 204, description = "It is revoked")),
)]
async fn revoke(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (tenant, id) = named(&id, &request, &desk, caller).await?;
    let context = &desk.context;
    let revoked = context
        .store
        .revoke_key(tenant, id, caller.is_operator, context.clock.now())
        .await;
    match revoked.map_err(failure::of_store)? {
        Revoked::Done => {}
        Revoked::Missing => return Err(missing()),
        Revoked::LastOwner => {
            let detail =
                "this is the last owner's key: make another of the role owner before revoking it";
            return Err(Problem::new(Code::Conflict, detail));
        }
    }
    desk.keys.forget();
    Ok(HttpResponse::NoContent().finish())
}

/// Whose key is meant, and which.
async fn named(
    id: &str,
    request: &HttpRequest,
    desk: &Desk,
    caller: Caller,
) -> Result<(TenantId, KeyId), Problem> {
    let query = Query::read(request, &["tenant"])?;
    let tenant = query.tenant(caller, desk).await?;
    let id = id.parse().map_err(|_| missing())?;
    Ok((tenant, id))
}

fn judge(wanted: CreateKey, secret: &Fresh, now: Timestamp, id: KeyId) -> Result<NewKey, Problem> {
    let mut faults = Faults::default();
    faults.check_text("/name", Some(&wanted.name));
    let role = read_role(&mut faults, &wanted.role);
    let scopes = read_scopes(&mut faults, role, wanted.scopes.as_deref());
    let expires_at = wanted.expires_at.as_deref().and_then(|text| {
        let time = Timestamp::parse_rfc3339(text).filter(|time| *time > now);
        if time.is_none() {
            let detail = "write a time that is yet to come, in RFC 3339: 2027-01-31T00:00:00Z";
            faults.add("/expires_at", detail);
        }
        time
    });
    faults.unless_any()?;
    Ok(NewKey {
        id,
        hash: secret.hash,
        prefix: secret.prefix(),
        name: wanted.name,
        role,
        // All of the role's are the role's, also those it gets later.
        scopes: scopes.filter(|scopes| *scopes != role.scopes()),
        expires_at,
    })
}

fn effective(role: domain::access::Role, scopes: Option<Scopes>) -> Scopes {
    scopes.map_or(role.scopes(), |scopes| role.scopes().and(scopes))
}

fn missing() -> Problem {
    failure::not_found("key")
}

fn view(key: Key) -> KeyView {
    let scopes = effective(key.role, key.scopes);
    KeyView {
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        role: key.role.as_str(),
        scopes: scopes.iter().map(domain::access::Scope::as_str).collect(),
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        api_key: None,
    }
}
