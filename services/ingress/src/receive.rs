//! The story of a callback: who calls, is it allowed, what does it say, is it safe, answer.

use crate::accounts::Known;
use crate::limit::Source;
use crate::path::CallbackPath;
use crate::{Door, caller};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::callback::{self, Statement};
use domain::id::ReceiptId;
use providers::{Body, MediaType, Refusal, mend_surrogates};
use runtime::http::{Code, Problem, read_body};
use signing::checks::{Parameters, Presented};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use telemetry::Span;
use telemetry::trace::Kind;
use wire::{CallbackJob, Envelope, Job, Queue};

/// Headers whose values are secrets whatever the account's checks are.
const SECRET_HEADERS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];
const HIDDEN: &str = "[hidden]";
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
    let admitted = admit(&door, &request, payload, &path).await;
    let Admitted {
        account,
        source,
        bytes,
        now,
    } = admitted.inspect_err(|problem| {
        // Who it was is known only where the account was looked up, and counted there.
        if problem.code() != Code::Unauthorized {
            let code = problem.code().as_str();
            door.context.metrics.callback("unknown", code);
        }
    })?;
    span.set("provider", account.provider.name());
    let outcome = take(
        &door, &request, &path, source, &account, bytes, now, &mut span,
    )
    .await;
    let label = outcome
        .as_ref()
        .map_or_else(|problem| problem.code().as_str(), |_| "accepted");
    door.context
        .metrics
        .callback(account.provider.name(), label);
    outcome
}

/// A request of a caller that has shown that it is the provider.
struct Admitted {
    account: Arc<Known>,
    source: IpAddr,
    bytes: Bytes,
    now: Timestamp,
}

async fn admit(
    door: &Door,
    request: &HttpRequest,
    payload: Payload,
    path: &CallbackPath<'_>,
) -> Result<Admitted, Problem> {
    if !matches!(*request.method(), Method::POST | Method::GET) {
        return Err(method_not_allowed());
    }
    refuse_encoded(request.headers())?;
    let source = source_of(request, door);
    refuse_flood(door, source, path)?;
    let limits = &door.config;
    let bytes = read_body(payload, limits.max_body_bytes, limits.body_deadline).await?;
    let now = door.context.clock.now();
    let account = authenticate(door, request, path, source, &bytes, now).await?;
    Ok(Admitted {
        account,
        source,
        bytes,
        now,
    })
}

/// What follows for a caller that has shown that it is the provider.
#[expect(
    clippy::too_many_arguments,
    reason = "the facts of one request, each used once"
)]
async fn take(
    door: &Door,
    request: &HttpRequest,
    path: &CallbackPath<'_>,
    source: IpAddr,
    account: &Known,
    bytes: Bytes,
    now: Timestamp,
    span: &mut Span,
) -> Result<HttpResponse, Problem> {
    if let Some(wait) = door.limits.shed(account.id, now) {
        return Err(unavailable("this account calls faster than it may").retry_after(seconds(wait)));
    }
    if request.method() == Method::GET && !account.provider.calls_by_get() {
        return Err(method_not_allowed());
    }
    let said = said(request, account, &bytes);
    let statements = parse(account, path, request, said)?;
    let callback_id = callback::id(account.id, path.kind, &statements);
    let answer = account.provider.answer(path.kind);
    let answer_body = answer.body(callback_id);
    let job = CallbackJob {
        receipt_id: ReceiptId::new(now, &door.context.random),
        callback_id,
        tenant_id: account.tenant_id,
        account_id: account.id,
        provider_account: account.slug.clone(),
        provider: account.provider.name().to_owned(),
        environment: account.environment.clone(),
        kind: path.kind,
        source: domain::report::Source::Callback,
        received_at: now,
        source_ip: source,
        signature_checked: account.checks.is_signed(),
        answer: answer_body.clone(),
        headers: kept_headers(request.headers(), account),
        body: said.to_vec(),
        statements,
    };
    publish(door, job, span).await?;
    Ok(HttpResponse::Ok()
        .content_type(answer.content_type())
        .insert_header(("x-tidings-callback-id", callback_id.to_string()))
        .body(answer_body))
}

/// A request that only asks whether the address is there. It has no effect.
fn is_ping(request: &HttpRequest) -> bool {
    let asks = matches!(*request.method(), Method::HEAD | Method::OPTIONS);
    asks || (request.method() == Method::GET && request.query_string().is_empty())
}

/// The signature is over the bytes as sent: a body that would first have to be decoded is refused.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "send the body as it is, without Content-Encoding";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    Ok(())
}

fn source_of(request: &HttpRequest, door: &Door) -> IpAddr {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let peer = request.peer_addr().unwrap_or(nowhere);
    let config = &door.config;
    caller::source(
        peer,
        request.headers(),
        config.client_address_header,
        &config.trusted_proxies,
    )
}

fn refuse_flood(door: &Door, source: IpAddr, path: &CallbackPath<'_>) -> Result<(), Problem> {
    let now = door.context.clock.now();
    match door.limits.refuse(Source::from(source), &path.slug, now) {
        None => Ok(()),
        Some(wait) => {
            door.context.metrics.security_event("rate_limited");
            let detail = "too many requests from this address failed to authenticate";
            Err(Problem::new(Code::RateLimited, detail).retry_after(seconds(wait)))
        }
    }
}

/// The account, if the request passes all its checks. Every failure looks the same from outside.
async fn authenticate(
    door: &Door,
    request: &HttpRequest,
    path: &CallbackPath<'_>,
    source: IpAddr,
    body: &[u8],
    now: Timestamp,
) -> Result<Arc<Known>, Problem> {
    let found = door.accounts.find(&path.slug, now).await;
    let found = found.map_err(|_| unavailable("the account cannot be checked now"))?;
    let headers: Vec<(&str, &[u8])> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let target = request.uri().path_and_query();
    let presented = |known: &Known| Presented {
        headers: &headers,
        token: path.token,
        body: said(request, known, body),
        public_url: door.public_url.get().map_or("", String::as_str),
        target: target.map_or("", |target| target.as_str()),
        parameters: parameters(request, known),
        source,
        now_ms: now.as_millis(),
    };
    let reason = match &found {
        None => "unknown_account",
        Some(known) => match known.checks.verify(&presented(known)) {
            Err(refusal) => refusal.name(),
            Ok(()) if !known.provider.kinds().contains(&path.kind) => "unknown_account",
            Ok(()) => {
                door.limits.know(Source::from(source), &path.slug, now);
                return Ok(known.clone());
            }
        },
    };
    door.limits.charge(Source::from(source), now);
    door.context.metrics.security_event(reason);
    let provider = found
        .as_ref()
        .map_or("unknown", |known| known.provider.name());
    door.context
        .metrics
        .callback(provider, Code::Unauthorized.as_str());
    tracing::warn!(reason, account = %path.slug, %source, "a callback was refused");
    Err(Problem::new(
        Code::Unauthorized,
        "the request does not show that it comes from the provider",
    ))
}

/// What a callback says, which is what is signed, read and kept: its body, or the query of a GET of
/// those who call so, whose body nobody looks at.
fn said<'a>(request: &'a HttpRequest, account: &Known, body: &'a [u8]) -> &'a [u8] {
    if request.method() == Method::GET && account.provider.calls_by_get() {
        request.query_string().as_bytes()
    } else {
        body
    }
}

/// How what it says is to be read; a query is a form.
fn media_type(request: &HttpRequest, account: &Known) -> Option<MediaType> {
    if request.method() == Method::GET {
        return Some(MediaType::Form);
    }
    account.provider.media_type(content_type(request.headers()))
}

/// The place that is read once the callback is believed: a signature over parameters is of those.
fn parameters(request: &HttpRequest, account: &Known) -> Option<Parameters> {
    if request.method() == Method::GET {
        return Some(Parameters::Query);
    }
    Some(match media_type(request, account)? {
        MediaType::Form => Parameters::Form,
        MediaType::Json => Parameters::Json,
    })
}

fn parse(
    account: &Known,
    path: &CallbackPath<'_>,
    request: &HttpRequest,
    bytes: &[u8],
) -> Result<Vec<Statement>, Problem> {
    let provider = account.provider;
    let media_type = media_type(request, account).ok_or_else(|| {
        let expected = provider.content_types().join(" or ");
        Problem::new(Code::UnsupportedMediaType, format!("send {expected}"))
    })?;
    let mended = match media_type {
        MediaType::Json => mend_surrogates(bytes),
        MediaType::Form => Cow::Borrowed(bytes),
    };
    let body = Body {
        media_type,
        bytes: &mended,
    };
    provider.parse(path.kind, body).map_err(|refusal| {
        let code = match &refusal {
            Refusal::Malformed { code, .. } => match code {
                providers::MalformedCode::MalformedJson => Code::MalformedJson,
                providers::MalformedCode::MalformedForm => Code::MalformedForm,
            },
            Refusal::Unrecognised { .. } => Code::Unrecognised,
        };
        Problem::new(code, refusal.detail())
    })
}

/// The content type; no type at all when it cannot be read, or when there are two, of which nobody
/// can tell which one another program on the way looked at.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    const NO_TYPE: &str = "unreadable";
    let mut values = headers.get_all(header::CONTENT_TYPE);
    let first = values.next()?;
    if values.next().is_some() {
        return Some(NO_TYPE);
    }
    Some(first.to_str().unwrap_or(NO_TYPE))
}

/// Returns once the job is durable.
async fn publish(door: &Door, job: CallbackJob, span: &mut Span) -> Result<(), Problem> {
    let context = span.context().to_string();
    span.set("callback.id", job.callback_id.to_string().as_str());
    let envelope = Envelope {
        job: Job::Callback(job),
        traceparent: Some(context),
    };
    failpoint::reach!(IngressBeforePublish);
    let published = match envelope.to_bytes() {
        Ok(bytes) => door
            .context
            .broker
            .publish(Queue::Callbacks, bytes)
            .await
            .map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    failpoint::reach!(IngressAfterPublish if published.is_ok());
    published.map_err(|error| {
        tracing::error!(error, "a callback could not be published");
        span.fail("not published");
        unavailable("the callback cannot be kept now; send it again")
    })
}

/// The headers as they are kept: secrets are not. A proxy may repeat the path, and with it the token.
fn kept_headers(headers: &HeaderMap, account: &Known) -> Vec<(String, String)> {
    let token = account.checks.token();
    let is_secret = |name: &str| {
        SECRET_HEADERS.contains(&name)
            || account.checks.secret_headers().any(|secret| secret == name)
    };
    headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_str();
            let value = String::from_utf8_lossy(value.as_bytes());
            let holds_token = token.is_some_and(|token| value.contains(token));
            let kept = if is_secret(name) || holds_token {
                HIDDEN.to_owned()
            } else {
                value.into_owned()
            };
            (name.to_owned(), kept)
        })
        .collect()
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
