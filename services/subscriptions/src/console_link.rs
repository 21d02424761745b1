//! `/v1/console-links`: a link that lets a member into the console, once and for a few minutes. What the link
//! carries is in its fragment, which no browser sends to anybody; the console exchanges it for a token.

use crate::access::{Fresh, LINK, TOKEN, hash};
use crate::caller::{Caller, Door, source, unauthorized};
use crate::input::Faults;
use crate::member::{self, MemberView};
use crate::openapi::{Routes, operation};
use crate::{Desk, failure, input};
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::audit::{Action, Actor};
use domain::id::{EventId, MemberId, TenantId};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::audit::Target;
use store::member::Member;
use store::token::{Entry, NewLink};
use utoipa::ToSchema;

/// How long a link may wait to be used, in seconds, and how long it does where nothing is said.
const MIN_SECONDS: u64 = 30;
const MAX_SECONDS: u64 = 600;
const USUAL_SECONDS: u64 = 300;
/// How long a member is logged in: a working day.
const LOGGED_IN_FOR: Duration = Duration::from_hours(8);

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(create).refuses(&[Code::NotFound]))
        .add(operation!(exchange).refuses(&[Code::Unauthorized]));
}

/// Whom to let in, by `member_id` or by `email`, one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "email": "ann@example.com", "expires_in": 120 })))]
struct CreateLink {
    /// The member.
    #[schema(value_type = Option<MemberId>)]
    member_id: Option<String>,
    /// The member's address.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// For how many seconds the link may wait to be used; 300 where nothing is said.
    #[schema(minimum = 30, maximum = 600)]
    expires_in: Option<u64>,
}

/// A link into the console.
#[derive(Serialize, ToSchema)]
#[schema(as = ConsoleLink, examples(json!({
    "url": "https://tidings.example.com/console#link=lnk_W6ph5Mm5Pz8GgiULbPgzG37mj9g3S0m9Uo2fE1yQ8bI",
    "member_id": "mem_01h455vb4pex5vsknk084sn02q",
    "expires_at": "2026-11-23T21:11:00.000Z",
})))]
struct LinkView {
    /// Where to send the member's browser; it works once.
    url: String,
    /// Whom it lets in.
    member_id: MemberId,
    /// Until when it works.
    expires_at: Timestamp,
}

/// What a link carries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "token": "lnk_W6ph5Mm5Pz8GgiULbPgzG37mj9g3S0m9Uo2fE1yQ8bI" })))]
struct ExchangeLink {
    /// What stands after `#link=`.
    token: String,
}

/// What a link becomes.
#[derive(Serialize, ToSchema)]
#[schema(as = ConsoleEntry, examples(json!({
    "access_token": "tok_W6ph5Mm5Pz8GgiULbPgzG37mj9g3S0m9Uo2fE1yQ8bI",
    "token_type": "Bearer",
    "expires_in": 28800,
    "scope": "webhooks:read messages:read",
    "tenant_id": "ten_01h455vb4pex5vsknk084sn02q",
    "member": {
        "id": "mem_01h455vb4pex5vsknk084sn02q",
        "email": "ann@example.com",
        "name": "Ann Atieno",
        "role": "viewer",
        "created_at": "2026-11-23T21:09:00.000Z",
        "updated_at": "2026-11-23T21:09:00.000Z",
        "last_login_at": "2026-11-23T21:10:00.000Z",
    },
})))]
struct EntryView {
    /// What to send as `Authorization: Bearer …`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds it works.
    expires_in: u64,
    /// What the member may do, separated by spaces.
    scope: String,
    /// Whose console it is.
    tenant_id: TenantId,
    /// Who came in.
    member: MemberView,
}

/// Let a member into the console
///
/// By a link that works once, for a few minutes. The member's role has no scope that your key lacks.
#[utoipa::path(
    post,
    path = "/v1/console-links",
    tag = "Members",
    operation_id = "create_console_link",
    request_body = CreateLink,
    responses((status = 201, description = "The link", body = LinkView)),
)]
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
    let made = context
        .acting(
            caller,
            caller.tenant,
            Action::ConsoleLinkCreated,
            Target::Said,
        )
        .create_link(link)
        .await;
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

/// Come in by a link
///
/// The console does it. What the link carries becomes a token of the member's for a working day, once; no key is asked for.
#[utoipa::path(
    post,
    path = "/v1/console-links/exchange",
    tag = "Members",
    operation_id = "exchange_console_link",
    request_body = ExchangeLink,
    responses((status = 201, description = "The member is in", body = EntryView)),
)]
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
        // Who that is and whose is known once the link is found.
        let (door, nobody) = (Door::of(&request), Actor::Tidings);
        context
            .acting_as(
                nobody,
                &door,
                TenantId::PLATFORM,
                Action::ConsoleLinkUsed,
                Target::Said,
            )
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
