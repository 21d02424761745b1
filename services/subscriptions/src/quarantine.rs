//! `/v1/quarantine`: refused requests, and taking one in once what was wrong is mended.

use crate::caller::Caller;
use crate::list::{self, PageView, Query};
use crate::openapi::{OfTenant, Paging, Routes, operation, parameters, query, text, word};
use crate::security::reasons;
use crate::{Context, Desk, failure};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::audit::Action;
use domain::callback::Kind;
use domain::id::{CallbackId, QuarantineId, ReceiptId, TenantId};
use domain::security::Reason;
use reception::{Account, Kept, Request};
use runtime::http::{Code, Problem};
use serde::Serialize;
use store::audit::Target;
use store::quarantine::{Filter, Quarantined};
use utoipa::ToSchema;
use wire::{CallbackJob, Envelope, Job, Queue};

/// How much of a body is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 4_096;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(ingest).refuses(&[Code::Conflict, Code::Unrecognised]));
}

parameters! {
    /// Of which requests.
    Filters:
    query("account", "That came to the account of this slug", text(list::MAX_VALUE_BYTES)),
    query("reason", "That were refused for this", word(Reason::ALL.map(Reason::as_str))),
}

/// A refused request.
#[derive(Serialize, ToSchema)]
#[schema(as = Quarantined, examples(json!({
    "id": "qua_01h455vb4pex5vsknk084sn02q",
    "provider_account": "clinic-ke",
    "kind": "reports",
    "reason": "malformed",
    "received_at": "2026-11-23T21:09:00.000Z",
    "source_ip": "203.0.113.7",
    "size_bytes": 412,
})))]
struct QuarantineView {
    /// Its id.
    id: QuarantineId,
    /// The slug that was called.
    provider_account: String,
    /// Which URL was called.
    kind: Kind,
    /// Why it was refused.
    reason: Reason,
    /// When it came.
    received_at: Timestamp,
    /// From which address.
    source_ip: String,
    /// How long its body is.
    size_bytes: u32,
}

/// One refused request, with as much of it as helps to see what is wrong: the names of its headers, and
/// the shape of its body without a digit of it.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantinedInDetail, examples(json!({
    "id": "qua_01h455vb4pex5vsknk084sn02q",
    "provider_account": "clinic-ke",
    "kind": "reports",
    "reason": "malformed",
    "received_at": "2026-11-23T21:09:00.000Z",
    "source_ip": "203.0.113.7",
    "size_bytes": 22,
    "header_names": ["content-type", "content-length"],
    "body_redacted": "id=ATXid_#&status=Suc",
})))]
struct DetailView {
    #[serde(flatten)]
    quarantined: QuarantineView,
    /// The headers it was sent with.
    header_names: Vec<String>,
    /// The beginning of its body, every digit replaced.
    body_redacted: String,
}

/// A request that was taken in.
#[derive(Serialize, ToSchema)]
#[schema(as = Ingested, examples(json!({
    "status": "accepted",
    "callback_id": "cb_01h455vb4pex5vsknk084sn02q",
})))]
struct IngestedView {
    /// Always `accepted`.
    status: &'static str,
    /// The callback that it became.
    callback_id: CallbackId,
}

/// List requests in quarantine
///
/// Genuine requests that could not be read: mend what was wrong, and take them in.
#[utoipa::path(
    get,
    path = "/v1/quarantine",
    tag = "Quarantine",
    operation_id = "list_quarantine",
    params(Filters, OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<QuarantineView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = ["account", "reason", "tenant", "limit", "cursor"];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let filter = Filter {
        provider_account: query.text("account").map(str::to_owned),
        reason: query.parsed("reason", Reason::parse, &reasons())?,
    };
    let page = desk
        .context
        .store
        .list_quarantine(tenant, filter, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, QuarantineView::from)))
}

/// Read a request in quarantine
///
/// With the shape of its body, every digit replaced: enough to see what is wrong, and no phone number.
#[utoipa::path(
    get,
    path = "/v1/quarantine/{id}",
    tag = "Quarantine",
    operation_id = "get_quarantined",
    params(("id" = QuarantineId, Path, description = "The refused request"), OfTenant),
    responses((status = 200, description = "The request, without what may name somebody", body = DetailView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let quarantined = find(&desk.context, tenant, &id).await?;
    let opened = open(&desk.context, &quarantined)?;
    let shown = Kept::with(&opened, |kept| {
        let names = kept.headers.iter().map(|(name, _)| (*name).to_owned());
        (names.collect(), redacted(kept.body))
    });
    let (header_names, body_redacted) = shown.ok_or_else(unreadable)?;
    Ok(HttpResponse::Ok().json(DetailView {
        quarantined: quarantined.into(),
        header_names,
        body_redacted,
    }))
}

/// Take a request in
///
/// Takes a refused request in: it must pass the checks that its account has now, as of the time when it
/// was received, and say something that is understood now.
#[utoipa::path(
    post,
    path = "/v1/quarantine/{id}/ingest",
    tag = "Quarantine",
    operation_id = "ingest_quarantined",
    params(("id" = QuarantineId, Path, description = "The refused request"), OfTenant),
    responses((status = 200, description = "It is taken in", body = IngestedView)),
)]
async fn ingest(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let context = &desk.context;
    let quarantined = find(context, tenant, &id).await?;
    let account = account_of(context, tenant, &quarantined).await?;
    let opened = open(context, &quarantined)?;
    // The same each time: a request that is taken in twice is one receipt.
    let receipt_id = ReceiptId(quarantined.id.0);
    let job = Kept::with(&opened, |kept| judge(context, &account, kept, receipt_id));
    let job = job.ok_or_else(unreadable)??;
    let callback_id = job.callback_id;
    publish(context, job).await?;
    context
        .acting(
            caller,
            tenant,
            Action::QuarantineIngested,
            Target::Quarantined(quarantined.id),
        )
        .release_quarantined(tenant, quarantined.id)
        .await
        .map_err(failure::of_store)?;
    Ok(accepted(callback_id))
}

async fn find(context: &Context, tenant: TenantId, id: &str) -> Result<Quarantined, Problem> {
    let missing = || failure::not_found("quarantined request");
    let id: QuarantineId = id.parse().map_err(|_| missing())?;
    let found = context.store.find_quarantined(tenant, id).await;
    found.map_err(failure::of_store)?.ok_or_else(missing)
}

/// The account that is called so now: the tenant's, or, for what reached no account, the operator's choice.
async fn account_of(
    context: &Context,
    tenant: TenantId,
    quarantined: &Quarantined,
) -> Result<Account, Problem> {
    let missing =
        || conflict("there is no account of this slug; make it, and take the request in then");
    let slug = quarantined
        .provider_account
        .parse()
        .map_err(|_| missing())?;
    let found = context
        .store
        .find_account_by_slug(slug)
        .await
        .map_err(failure::of_store)?
        .filter(|account| account.tenant_id == tenant || tenant == TenantId::PLATFORM)
        .ok_or_else(missing)?;
    Account::open(found, &context.vault).map_err(|error| {
        tracing::error!(%error, "an account cannot be used");
        failure::broken()
    })
}

pub(crate) fn open(context: &Context, quarantined: &Quarantined) -> Result<Vec<u8>, Problem> {
    let bound_to = domain::secret::quarantined_request(quarantined.tenant_id, quarantined.id);
    let opened = context.vault.open(&bound_to, &quarantined.sealed);
    opened
        .map(|opened| opened.to_vec())
        .map_err(|error| {
            tracing::error!(quarantine.id = %quarantined.id, %error, "a quarantined request cannot be opened");
            failure::broken()
        })
}

fn judge(
    context: &Context,
    account: &Account,
    kept: &Request<'_>,
    receipt_id: ReceiptId,
) -> Result<CallbackJob, Problem> {
    account
        .verify(kept, &context.public_url)
        .map_err(|reason| {
            conflict(format!(
                "it is still refused: {reason}; mend the checks of the account first"
            ))
        })?;
    let statements = account
        .read(kept)
        .map_err(|unread| Problem::new(Code::Unrecognised, unread.to_string()))?;
    Ok(account.job(kept, receipt_id, statements).0)
}

async fn publish(context: &Context, job: CallbackJob) -> Result<(), Problem> {
    let envelope = Envelope {
        job: Job::Callback(job),
        traceparent: None,
    };
    let bytes = envelope.to_bytes().map_err(|_| failure::broken())?;
    let published = context.broker.publish(Queue::Callbacks, bytes).await;
    published.map_err(|error| {
        tracing::warn!(%error, "a quarantined request could not be published");
        Problem::new(
            Code::Unavailable,
            "the broker takes nothing now; the request stays in quarantine, try again",
        )
    })
}

fn accepted(callback_id: CallbackId) -> HttpResponse {
    HttpResponse::Ok().json(IngestedView {
        status: "accepted",
        callback_id,
    })
}

/// Its text, every digit replaced: enough to see its shape, and no phone number.
fn redacted(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let shown = domain::text::cut(&text, MAX_SHOWN_BYTES);
    shown
        .chars()
        .map(|letter| if letter.is_numeric() { '#' } else { letter })
        .collect()
}

fn conflict(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Conflict, detail.into())
}

fn unreadable() -> Problem {
    tracing::error!("a quarantined request is not as it was written");
    failure::broken()
}

impl From<Quarantined> for QuarantineView {
    fn from(quarantined: Quarantined) -> Self {
        Self {
            id: quarantined.id,
            provider_account: quarantined.provider_account,
            kind: quarantined.kind,
            reason: quarantined.reason,
            received_at: quarantined.received_at,
            source_ip: quarantined.source_ip,
            size_bytes: quarantined.size_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_without_a_digit_of_it() {
        let shown = redacted("{\"to\":\"+26097123４\",\"status\":\"Sent\"}".as_bytes());
        assert_eq!(shown, "{\"to\":\"+#########\",\"status\":\"Sent\"}");
        assert!(redacted(&[0xff; 10_000]).len() <= 3 * MAX_SHOWN_BYTES);
    }
}
