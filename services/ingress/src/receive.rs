//! The story of a callback: who calls, is it allowed, what does it say, is it safe, answer.

use crate::Door;
use crate::limit::Source;
use crate::path::CallbackPath;
use crate::watch::Noticed;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::id::{ReceiptId, TenantId};
use domain::security::Reason;
use providers::{MalformedCode, Refusal};
use reception::{Account, Request, Unread};
use runtime::http::{Code, Problem, read_body};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use telemetry::Span;
use telemetry::trace::Kind;
use wire::{CallbackJob, Envelope, Job};

/// The methods a callback address takes.
const METHODS: [Method; 4] = [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS];

/// Takes one request at a callback address.
pub(crate) async fn receive(
    request: HttpRequest,
    payload: Payload,
    door: web::Data<Door>,
) -> Result<HttpResponse, Problem> {
    let path = CallbackPath::parse(request.path()).ok_or_else(not_found)?;
    if is_ping(&request) {
        return Ok(HttpResponse::Ok()
            .insert_header((header::ALLOW, "POST, GET, HEAD, OPTIONS"))
            .finish());
    }
    let mut span = door
        .context
        .tracer
        .start("receive callback", Kind::Server, None);
    let outcome = answer(&door, &request, payload, &path, &mut span).await;
    let (provider, outcome) = match outcome {
        Ok((account, answer)) => (Some(account), Ok(answer)),
        Err(Refused { account, problem }) => (account, Err(problem)),
    };
    let provider = provider.map_or("unknown", |account| account.provider.name());
    span.set("provider", provider);
    let label = outcome
        .as_ref()
        .map_or_else(|problem| problem.code().as_str(), |_| "accepted");
    door.context.metrics.callback(provider, label);
    outcome
}

/// Why a request is not taken, and whose account it was, once that was looked up.
struct Refused {
    account: Option<Arc<Account>>,
    problem: Problem,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            account: None,
            problem,
        }
    }
}

async fn answer(
    door: &Door,
    request: &HttpRequest,
    payload: Payload,
    path: &CallbackPath<'_>,
    span: &mut Span,
) -> Result<(Arc<Account>, HttpResponse), Refused> {
    let method = method(request)?;
    refuse_encoded(request.headers())?;
    let source = door.proxies.client(request);
    refuse_flood(door, source, path)?;
    let config = &door.config;
    let body = read_body(payload, config.max_body_bytes, config.body_deadline).await?;
    let headers: Vec<(&str, &[u8])> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let target = request.uri().path_and_query();
    let said = Request {
        method,
        kind: path.kind,
        token: path.token,
        target: target.map_or("", |target| target.as_str()),
        headers: &headers,
        body: &body,
        source,
        received_at: door.context.clock.now(),
    };
    let account = authenticate(door, path, &said).await?;
    match take(door, path, &account, &said, span).await {
        Ok(answer) => Ok((account, answer)),
        Err(problem) => Err(Refused {
            account: Some(account),
            problem,
        }),
    }
}

/// A request that only asks whether the address is there. It has no effect.
fn is_ping(request: &HttpRequest) -> bool {
    let asks = matches!(*request.method(), Method::HEAD | Method::OPTIONS);
    asks || (request.method() == Method::GET && request.query_string().is_empty())
}

fn method(request: &HttpRequest) -> Result<reception::Method, Problem> {
    match *request.method() {
        Method::POST => Ok(reception::Method::Post),
        Method::GET => Ok(reception::Method::Get),
        _ => Err(method_not_allowed()),
    }
}

/// The signature is over the bytes as sent: a body that would first have to be decoded is refused.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "send the body as it is, without Content-Encoding";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    Ok(())
}

fn refuse_flood(door: &Door, source: IpAddr, path: &CallbackPath<'_>) -> Result<(), Problem> {
    let now = door.context.clock.now();
    let Some(wait) = door.limits.refuse(Source::from(source), &path.slug, now) else {
        return Ok(());
    };
    let account = door.accounts.known(&path.slug);
    let noticed = Noticed {
        reason: Reason::RateLimited,
        tenant_id: tenant_of(account.as_deref()),
        slug: &path.slug,
        source,
        detail: None,
        at: now,
    };
    notice(door, &noticed, None);
    let detail = "too many requests from this address failed to authenticate";
    Err(Problem::new(Code::RateLimited, detail).retry_after(seconds(wait)))
}

/// The account, if the request passes all its checks. Every failure looks the same from outside.
async fn authenticate(
    door: &Door,
    path: &CallbackPath<'_>,
    request: &Request<'_>,
) -> Result<Arc<Account>, Refused> {
    let now = request.received_at;
    let found = door.accounts.find(&path.slug, now).await;
    let found = found.map_err(|_| unavailable("the account cannot be checked now"))?;
    let public_url = door.public_url.get().map_or("", String::as_str);
    let source = Source::from(request.source);
    let verified = match &found {
        None => Err(Reason::UnknownAccount),
        Some(known) => known.verify(request, public_url).map(|()| known.clone()),
    };
    let reason = match verified {
        Ok(known) => {
            door.limits.know(source, &path.slug, now);
            return Ok(known);
        }
        Err(reason) => reason,
    };
    door.limits.charge(source, now);
    let noticed = Noticed {
        reason,
        tenant_id: tenant_of(found.as_deref()),
        slug: &path.slug,
        source: request.source,
        detail: None,
        at: now,
    };
    notice(door, &noticed, Some(request));
    let detail = "the request does not show that it comes from the provider";
    Err(Refused {
        account: found,
        problem: Problem::new(Code::Unauthorized, detail),
    })
}

/// What follows for a caller that has shown that it is the provider.
async fn take(
    door: &Door,
    path: &CallbackPath<'_>,
    account: &Account,
    request: &Request<'_>,
    span: &mut Span,
) -> Result<HttpResponse, Problem> {
    let now = request.received_at;
    if let Some(wait) = door.limits.shed(account.id, now) {
        return Err(unavailable("this account calls faster than it may").retry_after(seconds(wait)));
    }
    let odd = Noticed {
        reason: Reason::Replayed,
        tenant_id: account.tenant_id,
        slug: &path.slug,
        source: request.source,
        detail: None,
        at: now,
    };
    if door.replays.is_one(account, request) {
        notice(door, &odd, None);
    }
    let statements = account.read(request).map_err(|unread| {
        if let Some(reason) = unread.reason() {
            let detail = Some(unread.to_string());
            let detail = detail.as_deref();
            let odd = Noticed {
                reason,
                detail,
                ..odd
            };
            notice(door, &odd, Some(request));
        }
        problem_of(&unread)
    })?;
    let receipt_id = ReceiptId::new(now, &door.context.random);
    let (job, answer) = account.job(request, receipt_id, statements);
    let (callback_id, body) = (job.callback_id, job.answer.clone());
    keep(door, job, span).await?;
    Ok(HttpResponse::Ok()
        .content_type(answer.content_type())
        .insert_header(("x-tidings-callback-id", callback_id.to_string()))
        .body(body))
}

/// Counts what was refused, or odd.
fn notice(door: &Door, noticed: &Noticed<'_>, request: Option<&Request<'_>>) {
    door.context.metrics.security_event(noticed.reason.as_str());
    door.watch.note(noticed, request);
}

fn tenant_of(account: Option<&Account>) -> TenantId {
    account.map_or(TenantId::PLATFORM, |account| account.tenant_id)
}

fn problem_of(unread: &Unread) -> Problem {
    let code = match unread {
        Unread::Method => return method_not_allowed(),
        Unread::MediaType(_) => Code::UnsupportedMediaType,
        Unread::Refused(Refusal::Unrecognised { .. }) => Code::Unrecognised,
        Unread::Refused(Refusal::Malformed { code, .. }) => match code {
            MalformedCode::MalformedJson => Code::MalformedJson,
            MalformedCode::MalformedForm => Code::MalformedForm,
        },
    };
    Problem::new(code, unread.to_string())
}

/// Returns once the job is safe.
async fn keep(door: &Door, job: CallbackJob, span: &mut Span) -> Result<(), Problem> {
    let context = span.context().to_string();
    span.set("callback.id", job.callback_id.to_string().as_str());
    let envelope = Envelope {
        job: Job::Callback(job),
        traceparent: Some(context),
    };
    failpoint::reach!(IngressBeforePublish);
    let kept = match envelope.to_bytes() {
        Ok(bytes) => door.keeper.keep(bytes).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    failpoint::reach!(IngressAfterPublish if kept.is_ok());
    kept.map_err(|error| {
        door.unsaid.say(&error, door.context.clock.now());
        span.fail("not kept");
        unavailable("the callback cannot be kept now; send it again")
    })
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is no such callback address")
}

fn method_not_allowed() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "send callbacks of this provider with POST",
    )
    .allow(&METHODS)
}

fn unavailable(detail: &str) -> Problem {
    debug_assert_eq!(Code::Unavailable.status(), StatusCode::SERVICE_UNAVAILABLE);
    Problem::new(Code::Unavailable, detail)
}

/// Whole seconds for `Retry-After`, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}
