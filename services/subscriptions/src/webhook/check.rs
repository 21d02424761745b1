//! `POST /v1/webhooks/check` and `POST /v1/webhooks/{id}/check`: whether somebody who speaks HTTP is reached
//! at a URL, step by step. It asks with HEAD, which changes nothing there, sends nothing of the webhook, and
//! shows nothing of the answer but its status.

use super::{find, refuse_url};
use crate::caller::Caller;
use crate::{Context, Desk, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use domain::id::{SubscriptionId, TenantId};
use egress::{Attempted, Destination, Request, Timing};
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How long it may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "url": "https://clinic.example.com/hooks/sms" })))]
struct CheckUrl {
    /// As a webhook would have it.
    url: String,
}

/// How far one comes.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = WebhookCheck, examples(json!({
    "ok": true,
    "dns": { "ok": true, "ms": 4 },
    "connect": { "ok": true, "ms": 12 },
    "tls": { "ok": true, "ms": 31 },
    "http": { "ok": true, "ms": 36, "status": 405 },
    "total_ms": 83,
    "error": null,
    "error_detail": null,
})))]
struct CheckView {
    /// Whether somebody answered in HTTP, whatever it was.
    ok: bool,
    /// Finding the address.
    dns: StepView,
    /// Connecting to it.
    connect: StepView,
    /// The TLS handshake; null without TLS.
    tls: Option<StepView>,
    /// The answer.
    http: HttpView,
    /// How long all of it took.
    total_ms: u64,
    /// What went wrong, in one stable word.
    error: Option<&'static str>,
    /// A sentence about it.
    error_detail: Option<String>,
}

/// A step.
#[derive(Debug, Default, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = CheckStep)]
struct StepView {
    /// Whether it went well; null where it was not come to.
    ok: Option<bool>,
    /// How long it took.
    ms: Option<u64>,
}

/// The answer in HTTP.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = CheckAnswer)]
struct HttpView {
    #[serde(flatten)]
    step: StepView,
    /// Its status.
    status: Option<u16>,
}

/// Check a URL
///
/// Whether somebody who speaks HTTP is reached there, asked with HEAD. `429` beyond 30 in a minute or 4 at a time, tests
/// included.
#[utoipa::path(
    post,
    path = "/v1/webhooks/check",
    tag = "Webhooks",
    operation_id = "check_url",
    request_body = CheckUrl,
    responses((status = 200, description = "How far one comes", body = CheckView)),
)]
pub(super) async fn of_url(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, asked) = input::read::<CheckUrl>(&request, payload).await?;
    let target = desk.context.policy.judge_url(&asked.url);
    let target = target.map_err(refuse_url)?;
    let is_secure = target.tls();
    check(&desk, caller.tenant, target.into(), is_secure).await
}

/// Check the URL of a webhook
///
/// As of any URL. It needs no body.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/check",
    tag = "Webhooks",
    operation_id = "check_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    responses((status = 200, description = "How far one comes", body = CheckView)),
)]
pub(super) async fn of_webhook(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let subscription = find(&desk, caller.tenant, &id).await?;
    let is_secure = subscription.url.starts_with("https:");
    // Where the policy has come to forbid it, the client refuses it.
    check(&desk, caller.tenant, subscription.url.into(), is_secure).await
}

async fn check(
    desk: &Desk,
    tenant: TenantId,
    destination: Destination,
    is_secure: bool,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let _turn = desk.allowance.enter(tenant, context.clock.now())?;
    let sent = context
        .client
        .send(request(context, destination), TIMEOUT)
        .await;
    let shown = CheckView::of(&sent, is_secure);
    context.metrics.trial("check", shown.error.unwrap_or("ok"));
    Ok(HttpResponse::Ok().json(shown))
}

fn request(context: &Context, destination: Destination) -> Request {
    let mut headers = HeaderMap::new();
    if let Ok(agent) = HeaderValue::from_str(&format!("Tidings/{}", context.version)) {
        headers.insert(USER_AGENT, agent);
    }
    Request {
        method: http::Method::HEAD,
        destination,
        headers,
        body: Bytes::new(),
    }
}

impl CheckView {
    fn of(sent: &Attempted, is_secure: bool) -> Self {
        let Timing {
            dns,
            connect,
            tls,
            first_byte,
        } = sent.timing;
        let response = sent.result.as_ref().ok();
        let failure = sent.result.as_ref().err();
        let is_ready = if is_secure { tls } else { connect }.is_some();
        Self {
            ok: response.is_some(),
            dns: StepView::of(true, dns.is_some(), dns),
            connect: StepView::of(dns.is_some(), connect.is_some(), connect),
            tls: is_secure.then(|| StepView::of(connect.is_some(), tls.is_some(), tls)),
            http: HttpView {
                step: StepView::of(is_ready, response.is_some(), first_byte),
                status: response.map(|response| response.status),
            },
            total_ms: millis(sent.duration),
            error: failure.map(|failure| failure.class.as_str()),
            error_detail: failure.map(|failure| failure.detail.clone()),
        }
    }
}

impl StepView {
    fn of(is_reached: bool, is_done: bool, took: Option<Duration>) -> Self {
        Self {
            ok: is_reached.then_some(is_done),
            ms: took.filter(|_| is_done).map(millis),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
