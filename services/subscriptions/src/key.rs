//! `/v1/keys`: a tenant's API keys. Deleting one revokes it: it is shown for a while yet, so that what was
//! done with it can be traced.

use crate::access::{self, Fresh, KEY, read_role, read_scopes};
use crate::caller::Caller;
use crate::input::Faults;
use crate::list::Query;
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::access::Scopes;
use domain::id::{KeyId, TenantId};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use store::key::{Key, MOST_KEYS, Made, NewKey, Revoked};

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/keys")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/keys/{id}")
                .route(web::get().to(get))
                .route(web::delete().to(revoke))
                .default_service(only(&[Method::GET, Method::DELETE])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    name: String,
    role: String,
    #[serde(default, deserialize_with = "input::present")]
    scopes: Option<Vec<String>>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct KeyView {
    id: KeyId,
    name: String,
    prefix: String,
    role: &'static str,
    scopes: Vec<&'static str>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The key itself, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

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
