//! Requests that are done once: an `Idempotency-Key` is a caller's own name of a request.
//!
//! Publishing keeps its answer in the transaction of the event. All other requests that make or do something
//! go through here, whatever they are: `store::request` says why none is done twice.

use crate::caller::Caller;
use crate::input::{DEADLINE, MAX_BODY_BYTES};
use crate::{Context, Desk, failure};
use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use domain::id::TenantId;
use failpoint::reach;
use runtime::http::{Code, Problem, read_body};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::request::{Claimed, Named, Run};

const KEY: &str = "idempotency-key";
pub(crate) const REPLAYED: &str = "idempotency-replayed";
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// What a key is.
pub(crate) const KEYS: &str = "1 to 255 printable ASCII characters";
/// What of an answer's head is repeated with it.
const REPEATED: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];
/// When to ask for an answer that is being made, in seconds.
const ASK_AGAIN: u64 = 1;

/// The key of a request.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let refuse = || {
        let detail = format!("Idempotency-Key is {KEYS}, once");
        Problem::new(Code::InvalidRequest, detail)
    };
    let mut values = headers.get_all(KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if !is_key(value.as_bytes()) || values.next().is_some() {
        return Err(refuse());
    }
    value
        .to_str()
        .map(|text| Some(text.to_owned()))
        .map_err(|_| refuse())
}

/// Whether it may be a key.
pub(crate) fn is_key(bytes: &[u8]) -> bool {
    let is_printable = |byte: &u8| (b' '..=b'~').contains(byte);
    (1..=MAX_KEY_BYTES).contains(&bytes.len()) && bytes.iter().all(is_printable)
}

/// A key counts for one tenant, method and path. What takes one has one method.
pub(crate) fn scoped(tenant: TenantId, path: &str, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(tenant.as_bytes());
    hash.update(format!("{} {path}\n{key}", Method::POST));
    hash.finalize().into()
}

/// 422 for a key that came with another request.
pub(crate) fn mismatch() -> Problem {
    Problem::new(
        Code::IdempotencyMismatch,
        "this Idempotency-Key came with another body before: use a new key for a new request",
    )
}

/// Has a POST that has a key done once, and any POST done to its end. The rest goes by.
pub(crate) async fn once(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let desk = request.app_data::<web::Data<Desk>>().cloned();
    let (&Method::POST, Some(desk)) = (request.method(), desk) else {
        return next.call(request).await;
    };
    let Some(key) = key(request.headers())? else {
        return to_its_end(next.call(request)).await;
    };
    let caller = request.extract::<Caller>().await?;
    let payload = request.extract::<web::Payload>().await?;
    let body = read_body(payload, MAX_BODY_BYTES, DEADLINE).await?;
    let named = Named {
        key: scoped(caller.tenant, request.path(), &key),
        tenant_id: caller.tenant,
        body_hash: asked(&request, &body),
    };
    request.set_payload(Payload::from(body));
    to_its_end(answer(desk.into_inner(), named, request, next)).await
}

/// Also where the caller has gone: what is claimed is done or given back, and nothing stays half done.
async fn to_its_end(
    work: impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> + 'static,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let done = actix_web::rt::spawn(work).await;
    done.map_err(|_| Error::from(failure::broken()))?
}

/// What a request asks for besides its method and path.
fn asked(request: &ServiceRequest, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(request.query_string());
    hash.update([0]);
    hash.update(body);
    hash.finalize().into()
}

/// 409 for what was done without anybody keeping what was said of it.
fn lost() -> Problem {
    let detail = "this request was done, and its answer is not known any more: look for what it did, and do \
                  not send it again under another key before";
    Problem::new(Code::Conflict, detail)
}

/// Does a request, or finds what was answered to it before.
async fn answer(
    desk: Arc<Desk>,
    named: Named,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let claimed = desk.context.store.claim_request(named).await;
    match claimed.map_err(failure::of_store)? {
        Claimed::Begun(run) => finish(&desk.context, named, run, request, next).await,
        Claimed::Answered(sealed) => {
            Ok(request.into_response(repeat(&desk.context, &named, &sealed)?))
        }
        Claimed::Other => Err(mismatch().into()),
        Claimed::InFlight => {
            let detail = "the same request is being done: ask again for its answer";
            Err(Problem::new(Code::InFlight, detail)
                .retry_after(ASK_AGAIN)
                .into())
        }
        Claimed::AnswerLost => Err(lost().into()),
    }
}

/// Does it, and keeps the answer.
async fn finish(
    context: &Context,
    named: Named,
    run: Run,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    reach!(SubscriptionsBeforeRequest);
    let answered = run.during(next.call(request)).await;
    let (request, response) = match answered {
        Ok(answered) => answered.into_parts(),
        Err(error) => {
            release(context, run, error.as_response_error().status_code()).await;
            return Err(error);
        }
    };
    let response = keep(context, &named, run, response).await?;
    Ok(ServiceResponse::new(request, response))
}

/// Keeps an answer that says what was done; gives a request back that was refused.
async fn keep(
    context: &Context,
    named: &Named,
    run: Run,
    response: HttpResponse<BoxBody>,
) -> Result<HttpResponse<BoxBody>, Error> {
    let status = response.status();
    if !status.is_success() {
        release(context, run, status).await;
        return Ok(response);
    }
    reach!(SubscriptionsBeforeAnswer);
    let (response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| failure::broken())?;
    let answer = Answer::of(&response, &body);
    let plain = serde_json::to_vec(&answer).unwrap_or_default();
    let sealed = context
        .vault
        .seal(&place(named), &plain, context.random.bytes());
    if let Err(error) = context.store.keep_answer(run, sealed).await {
        // It is done, and the caller is here to be told so.
        tracing::warn!(%error, "an answer could not be kept");
    }
    Ok(response.set_body(BoxBody::new(body)))
}

/// A request that was refused has used no key; one that failed has, where it had an effect.
async fn release(context: &Context, run: Run, status: StatusCode) {
    let unless_done = !status.is_client_error();
    if let Err(error) = context.store.release_request(run, unless_done).await {
        tracing::warn!(%error, "a request that was not done is held until its lease ends");
    }
}

fn repeat(context: &Context, named: &Named, sealed: &[u8]) -> Result<HttpResponse, Problem> {
    // The key of the vault was changed since.
    let plain = context
        .vault
        .open(&place(named), sealed)
        .map_err(|_| lost())?;
    let answer: Answer = serde_json::from_slice(&plain).map_err(|_| failure::broken())?;
    let status = StatusCode::from_u16(answer.status).map_err(|_| failure::broken())?;
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.insert_header((REPLAYED, "true"));
    Ok(response.body(answer.body))
}

/// Where an answer is sealed for.
fn place(named: &Named) -> String {
    format!("request:{}", hex::encode(named.key))
}

/// An answer, as it is kept: sealed, for it may hold secrets that are shown only once.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn of(response: &HttpResponse<()>, body: &Bytes) -> Self {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = REPEATED.iter().filter_map(|name| {
            let value = response.headers().get(name).and_then(text)?;
            Some((name.as_str().to_owned(), value))
        });
        Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}
