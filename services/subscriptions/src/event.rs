//! `/v1/events`: publishing and reading events.

pub(crate) mod amqp;
mod batch;
pub(crate) mod feed;
mod log;

use crate::caller::Caller;
use crate::input::Faults;
use crate::webhook::DeliveryView;
use crate::{Context, Desk, failure, input};
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::account::Environment;
use domain::event::{Event, MAX_DATA_BYTES, Resource};
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use domain::{Random, Shard, Timestamp, catalog};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::event::{Kept, Published};
use store::idempotency::{Answer, Claim};
use telemetry::TraceContext;
use telemetry::trace::Kind;
use wire::Hint;

/// The only version of every type in the catalog today.
const VERSION: u32 = 1;
/// The source of events that Tidings raises itself, some of types that others may publish too.
const OURS: &str = "tidings";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const MAX_KEY_BYTES: usize = 255;
/// What a key is.
const KEYS: &str = "1 to 255 printable ASCII characters";
/// Where one event is published; its keys count here wherever it comes from.
const PATH: &str = "/v1/events";

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource(PATH)
                .route(web::post().to(publish))
                .route(web::get().to(log::list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/events/batch")
                .route(web::post().to(batch::publish))
                .default_service(only(&[Method::POST])),
        )
        .service(
            web::resource("/v1/events/{id}")
                .route(web::get().to(get))
                .default_service(only(&[Method::GET])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishEvent {
    #[serde(rename = "type")]
    event_type: String,
    data: Raw,
    version: Option<u32>,
    resource: Option<Resource>,
    source: Option<String>,
    context: Option<EventContext>,
    metadata: Option<Raw>,
    #[serde(default, deserialize_with = "input::present")]
    environment: Option<String>,
    /// Of an item of a batch alone.
    #[serde(default, deserialize_with = "input::present")]
    idempotency_key: Option<String>,
}

/// Who and what caused an event.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EventContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<String>,
}

#[derive(Serialize)]
struct EventView {
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    category: String,
    version: u32,
    timestamp: Timestamp,
    tenant_id: TenantId,
    environment: Environment,
    sequence: Option<i64>,
    source: String,
    resource: Option<Resource>,
    context: Option<Raw>,
    metadata: Option<Raw>,
    data: Raw,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<DeliveryView>>,
}

async fn publish(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let parent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let parent = parent.and_then(TraceContext::parse);
    let mut span = context
        .tracer
        .start("publish event", Kind::Server, parent.as_ref());
    let key = idempotency_key(request.headers())?;
    let (body, wanted) = input::read::<PublishEvent>(&request, payload).await?;
    let environment = judge_alone(&wanted)?;

    let now = context.clock.now();
    let event = Origin {
        tenant: caller.tenant,
        source: "api",
        traceparent: Some(span.context().to_string()),
        now,
    }
    .event(wanted, environment, &context.random);
    span.set("event.id", event.id.to_string().as_str());
    let answer = accepted(event.id);
    let claim = key.map(|key| Claim {
        tenant_id: caller.tenant,
        key: scoped(caller.tenant, request.path(), &key),
        body_hash: Sha256::digest(&body).into(),
        answer: answer.clone(),
        at: now,
    });
    let published = context
        .store
        .publish_event(event, claim)
        .await
        .map_err(failure::of_store)?;
    respond(context, caller.tenant, published, answer)
}

fn respond(
    context: &Context,
    tenant: TenantId,
    published: Published,
    answer: Answer,
) -> Result<HttpResponse, Problem> {
    match published {
        Published::New => {
            failpoint::reach!(SubscriptionsBeforeEventHint);
            context.metrics.event("api");
            context.broker.hint(Hint::Events(Shard::of_tenant(tenant)));
            Ok(HttpResponse::Accepted()
                .content_type("application/json")
                .body(answer.body))
        }
        Published::Replayed(answer) => Ok(HttpResponse::Accepted()
            .content_type("application/json")
            .insert_header((REPLAYED, "true"))
            .body(answer.body)),
        Published::Mismatch => Err(mismatch()),
    }
}

fn mismatch() -> Problem {
    Problem::new(
        Code::IdempotencyMismatch,
        "this Idempotency-Key came with another body before: use a new key for a new request",
    )
}

/// What is answered about an event that is accepted.
fn accepted(id: EventId) -> Answer {
    Answer {
        status: 202,
        body: format!(r#"{{"id":"{id}"}}"#),
    }
}

/// Where an event comes from.
struct Origin {
    tenant: TenantId,
    /// What raised it, where it does not say so itself.
    source: &'static str,
    traceparent: Option<String>,
    now: Timestamp,
}

impl Origin {
    fn event(self, wanted: PublishEvent, environment: Environment, random: &Random) -> Event {
        Event {
            id: EventId::new(self.now, random),
            tenant_id: self.tenant,
            event_type: wanted.event_type,
            version: VERSION,
            environment,
            created_at: self.now,
            source: wanted.source.unwrap_or_else(|| self.source.to_owned()),
            resource: wanted.resource,
            context: wanted.context.map(|context| Raw::of(&context)),
            metadata: wanted.metadata,
            data: wanted.data,
            transition: None,
            traceparent: self.traceparent,
            caused_at: self.now,
        }
    }
}

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id: EventId = id.parse().map_err(|_| failure::not_found("event"))?;
    let store = &desk.context.store;
    let found = store
        .find_event(caller.tenant, id)
        .await
        .map_err(failure::of_store)?;
    let kept = found.ok_or_else(|| failure::not_found("event"))?;
    let deliveries = store
        .deliveries_of_event(caller.tenant, id)
        .await
        .map_err(failure::of_store)?;
    let deliveries = deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(HttpResponse::Ok().json(view(kept, Some(deliveries))))
}

/// Of an event that is published by itself, whose key is beside it.
fn judge_alone(wanted: &PublishEvent) -> Result<Environment, Problem> {
    if wanted.idempotency_key.is_some() {
        return Err(input::invalid(
            "/idempotency_key",
            "only an item of a batch has its key here: send it as Idempotency-Key",
        ));
    }
    judge(wanted)
}

fn judge(wanted: &PublishEvent) -> Result<Environment, Problem> {
    refuse_type(&wanted.event_type)?;
    let mut faults = Faults::default();
    if !wanted.data.is_object() {
        faults.add("/data", "write a JSON object");
    } else if wanted.data.as_str().len() > MAX_DATA_BYTES {
        faults.add("/data", format!("write at most {MAX_DATA_BYTES} bytes"));
    }
    if wanted.version.is_some_and(|version| version != VERSION) {
        faults.add(
            "/version",
            format!("{} has the version {VERSION}", wanted.event_type),
        );
    }
    if let Some(resource) = &wanted.resource {
        faults.check_text("/resource/type", Some(&resource.kind));
        faults.check_text("/resource/id", Some(&resource.id));
        faults.check_metadata("/resource/data", resource.data.as_ref());
    }
    if let Some(context) = &wanted.context {
        faults.check_text("/context/user_id", context.user_id.as_deref());
        faults.check_text("/context/session_id", context.session_id.as_deref());
        faults.check_text("/context/request_id", context.request_id.as_deref());
        faults.check_text("/context/source_ip", context.source_ip.as_deref());
    }
    faults.check_text("/source", wanted.source.as_deref());
    if wanted.source.as_deref() == Some(OURS) {
        faults.add(
            "/source",
            "this is the source of what Tidings raises itself",
        );
    }
    faults.check_metadata("/metadata", wanted.metadata.as_ref());
    let environment =
        faults.read_environment(wanted.environment.as_deref(), Environment::default());
    faults.unless_any()?;
    Ok(environment)
}

fn refuse_type(name: &str) -> Result<(), Problem> {
    let refuse = |code, detail: String| Err(Problem::new(code, detail.clone()).at("/type", detail));
    match catalog::find(name) {
        None => {
            let name = domain::text::cut(name, 128);
            refuse(
                Code::UnknownEventType,
                format!("{name:?} is not an event type of the catalog"),
            )
        }
        Some(known) if known.is_raised_by_us => refuse(
            Code::ReservedEventType,
            format!("Tidings raises {name} itself"),
        ),
        Some(_) => Ok(()),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let refuse = || {
        let detail = format!("Idempotency-Key is {KEYS}, once");
        Problem::new(Code::InvalidRequest, detail)
    };
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
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

fn is_key(bytes: &[u8]) -> bool {
    let is_printable = |byte: &u8| (b' '..=b'~').contains(byte);
    (1..=MAX_KEY_BYTES).contains(&bytes.len()) && bytes.iter().all(is_printable)
}

/// A key counts for one tenant, method and path. What publishes has one method.
fn scoped(tenant: TenantId, path: &str, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(tenant.as_bytes());
    hash.update(format!("{} {path}\n{key}", Method::POST));
    hash.finalize().into()
}

fn view(kept: Kept, deliveries: Option<Vec<DeliveryView>>) -> EventView {
    let Kept {
        event, sequence, ..
    } = kept;
    EventView {
        id: event.id,
        category: catalog::category(&event.event_type).to_owned(),
        event_type: event.event_type,
        version: event.version,
        timestamp: event.created_at,
        tenant_id: event.tenant_id,
        environment: event.environment,
        sequence,
        source: event.source,
        resource: event.resource,
        context: event.context,
        metadata: event.metadata,
        data: event.data,
        deliveries,
    }
}
