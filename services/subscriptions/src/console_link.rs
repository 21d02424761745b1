//! `/v1/console-links`: a link that lets a member into the console, once and for a few minutes. What the link
//! carries is in its fragment, which no browser sends to anybody; the console exchanges it for a token.

use crate::access::{Fresh, LINK, TOKEN, hash};
use crate::caller::{Caller, source, unauthorized};
use crate::input::Faults;
use crate::member::{self, MemberView};
use crate::{Desk, failure, input};
use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::{EventId, MemberId, TenantId};
use runtime::http::{Problem, only};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::member::Member;
use store::token::{Entry, NewLink};

/// How long a link may wait to be used, in seconds, and how long it does where nothing is said.
const MIN_SECONDS: u64 = 30;
const MAX_SECONDS: u64 = 600;
const USUAL_SECONDS: u64 = 300;
/// How long a member is logged in: a working day.
const LOGGED_IN_FOR: Duration = Duration::from_hours(8);

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/console-links")
                .route(web::post().to(create))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/console-links/exchange")
                .route(web::post().to(exchange))
                .default_service(only(&[Method::POST])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateLink {
    member_id: Option<String>,
    email: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Serialize)]
struct LinkView {
    url: String,
    member_id: MemberId,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExchangeLink {
    token: String,
}

/// What a link becomes.
#[derive(Serialize)]
struct EntryView {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    tenant_id: TenantId,
    member: MemberView,
}

async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<CreateLink>(&request, payload).await?;
    let seconds = judge(&wanted)?;
    let member = whom(&desk, caller.tenant, &wanted).await?;
    member::refuse_wider(member.role, caller)?;
    let context = &desk.context;
    let now = context.clock.now();
    let secret = Fresh::new(LINK, &context.random);
    let link = NewLink {
        hash: secret.hash,
        tenant_id: caller.tenant,
        key_id: caller.key_id,
        member_id: member.id,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(seconds)),
    };
    let expires_at = link.expires_at;
    let made = context.store.create_link(link).await;
    if !made.map_err(failure::of_store)? {
        return Err(member::missing());
    }
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(LinkView {
            url: format!("{}/console#link={}", desk.own_url, secret.text),
            member_id: member.id,
            expires_at,
        }))
}

/// No key opens it but what the link carries.
async fn exchange(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    if !context.admission.is_open() {
        return Err(failure::away());
    }
    let (_, wanted) = input::read::<ExchangeLink>(&request, payload).await?;
    let (link, source) = (hash(&wanted.token), source(&request));
    let now = context.clock.now();
    desk.keys.refuse(source, &link, now)?;
    let secret = Fresh::new(TOKEN, &context.random);
    let entry = Entry {
        link,
        token: secret.hash,
        event: EventId::new(now, &context.random),
        at: now,
        expires_at: now.plus(LOGGED_IN_FOR),
    };
    let used = if wanted.token.starts_with(LINK) {
        context
            .store
            .use_link(entry)
            .await
            .map_err(failure::of_store)?
    } else {
        None
    };
    let Some((tenant_id, member)) = used else {
        desk.keys.charge(source, now);
        return Err(unauthorized());
    };
    member::tell(&desk, tenant_id);
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(EntryView {
            access_token: secret.text,
            token_type: "Bearer",
            expires_in: LOGGED_IN_FOR.as_secs(),
            scope: member.role.scopes().to_string(),
            tenant_id,
            member: member.into(),
        }))
}

fn judge(wanted: &CreateLink) -> Result<u64, Problem> {
    let mut faults = Faults::default();
    if wanted.member_id.is_some() == wanted.email.is_some() {
        faults.add(
            "",
            "name the member by member_id or by email, one of the two",
        );
    }
    let seconds = wanted.expires_in.unwrap_or(USUAL_SECONDS);
    if !(MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
        let detail = format!("a whole number of seconds from {MIN_SECONDS} to {MAX_SECONDS}");
        faults.add("/expires_in", detail);
    }
    faults.unless_any()?;
    Ok(seconds)
}

/// A member that is not there is a fault of the body, whose ever it is.
async fn whom(desk: &Desk, tenant: TenantId, wanted: &CreateLink) -> Result<Member, Problem> {
    let store = &desk.context.store;
    let (pointer, found) = match (&wanted.member_id, &wanted.email) {
        (Some(id), _) => match id.parse() {
            Ok(id) => ("/member_id", store.find_member(tenant, id).await),
            Err(_) => ("/member_id", Ok(None)),
        },
        (None, email) => {
            let email = email.as_deref().unwrap_or_default().to_lowercase();
            ("/email", store.find_member_by_email(tenant, email).await)
        }
    };
    let found = found.map_err(failure::of_store)?;
    found.ok_or_else(|| input::invalid(pointer, "the tenant has no such member"))
}
