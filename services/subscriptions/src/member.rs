//! `/v1/members`: the people of a tenant, who get into the console by links.

use crate::access::{self, read_role};
use crate::caller::Caller;
use crate::input::Faults;
use crate::list::Query;
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::access::Role;
use domain::id::{EventId, MemberId, TenantId};
use domain::{Shard, Timestamp};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use store::member::{Added, Change, MOST_MEMBERS, Member};
use wire::Hint;

/// The longest address (RFC 5321 §4.5.3.1.3, without its brackets), in bytes.
const MAX_EMAIL_BYTES: usize = 254;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/members")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/members/{id}")
                .route(web::get().to(get))
                .route(web::patch().to(change))
                .route(web::delete().to(delete))
                .default_service(only(&[Method::GET, Method::PATCH, Method::DELETE])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateMember {
    email: String,
    name: Option<String>,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeMember {
    #[serde(default, deserialize_with = "input::present")]
    name: Option<Named>,
    #[serde(default, deserialize_with = "input::present")]
    role: Option<String>,
}

/// A name, or null, which takes it away.
#[derive(Deserialize)]
#[serde(transparent)]
struct Named(Option<String>);

/// A member, as they are shown.
#[derive(Serialize)]
pub(crate) struct MemberView {
    id: MemberId,
    email: String,
    name: Option<String>,
    role: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_login_at: Option<Timestamp>,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            email: member.email,
            name: member.name,
            role: member.role.as_str(),
            created_at: member.created_at,
            updated_at: member.updated_at,
            last_login_at: member.last_login_at,
        }
    }
}

async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<CreateMember>(&request, payload).await?;
    let mut faults = Faults::default();
    let email = read_email(&mut faults, "/email", &wanted.email);
    faults.check_text("/name", wanted.name.as_deref());
    let role = read_role(&mut faults, &wanted.role);
    faults.unless_any()?;
    refuse_wider(role, caller)?;
    let context = &desk.context;
    let now = context.clock.now();
    let member = Member {
        id: MemberId::new(now, &context.random),
        email,
        name: wanted.name,
        role,
        created_at: now,
        updated_at: now,
        last_login_at: None,
    };
    let event = EventId::new(now, &context.random);
    let added = context
        .store
        .create_member(caller.tenant, member.clone(), event)
        .await;
    let conflict = |detail: String| Err(Problem::new(Code::Conflict, detail));
    match added.map_err(failure::of_store)? {
        Added::Done => {}
        Added::EmailTaken => {
            return conflict("a member of the tenant has this address already".to_owned());
        }
        Added::TooMany => return conflict(format!("a tenant has at most {MOST_MEMBERS} members")),
        Added::NoTenant => return Err(failure::not_found("tenant")),
    }
    tell(&desk, caller.tenant);
    Ok(HttpResponse::Created().json(MemberView::from(member)))
}

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let page = desk.context.store.list_members(caller.tenant, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, MemberView::from)))
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.find_member(caller.tenant, id).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(MemberView::from(found)))
}

async fn change(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<ChangeMember>(&request, payload).await?;
    let id = id.parse().map_err(|_| missing())?;
    let mut faults = Faults::default();
    faults.check_text(
        "/name",
        wanted.name.as_ref().and_then(|named| named.0.as_deref()),
    );
    let role = wanted.role.map(|role| read_role(&mut faults, &role));
    faults.unless_any()?;
    if let Some(role) = role {
        refuse_wider(role, caller)?;
    }
    let context = &desk.context;
    let change = Change {
        name: wanted.name.map(|named| named.0),
        role,
    };
    let changed = context
        .store
        .update_member(caller.tenant, id, change, context.clock.now())
        .await;
    let changed = changed.map_err(failure::of_store)?.ok_or_else(missing)?;
    desk.keys.forget();
    Ok(HttpResponse::Ok().json(MemberView::from(changed)))
}

async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| missing())?;
    let deleted = desk.context.store.delete_member(caller.tenant, id).await;
    if !deleted.map_err(failure::of_store)? {
        return Err(missing());
    }
    desk.keys.forget();
    Ok(HttpResponse::NoContent().finish())
}

/// Wakes whoever tells the tenant's events.
pub(crate) fn tell(desk: &Desk, tenant: TenantId) {
    desk.context.metrics.event("api");
    desk.context
        .broker
        .hint(Hint::Events(Shard::of_tenant(tenant)));
}

/// An address in lower case, so that it is one person's however it is written.
pub(crate) fn read_email(faults: &mut Faults, pointer: &str, text: &str) -> String {
    let is_whole = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.')
    });
    let is_plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | '"');
    if !is_whole || text.len() > MAX_EMAIL_BYTES || !text.chars().all(is_plain) {
        let detail =
            format!("write one address, like ann@example.com, of at most {MAX_EMAIL_BYTES} bytes");
        faults.add(pointer, detail);
    }
    text.to_lowercase()
}

/// A member gets into the console with what the role has.
pub(crate) fn refuse_wider(role: Role, caller: Caller) -> Result<(), Problem> {
    let missing = role.scopes().without(caller.scopes);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(access::wider(missing))
    }
}

pub(crate) fn missing() -> Problem {
    failure::not_found("member")
}
