//! `/v1/events`: publishing and reading events.

pub(crate) mod amqp;
mod batch;
pub(crate) mod feed;
mod log;

use crate::caller::Caller;
use crate::event_type::{self, Strangers};
use crate::input::Faults;
use crate::once::{
    KEYS, MAX_KEY_BYTES, REPLAYED, is_key, key as idempotency_key, mismatch, scoped,
};
use crate::openapi::{IdempotencyKey, Routes, operation};
use crate::plan;
use crate::webhook::DeliveryView;
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use catalog::Chosen;
use domain::account::Environment;
use domain::event::{Event, MAX_DATA_BYTES, Resource};
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use domain::{Random, Shard, Timestamp};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::event::{Kept, Publication, Published};
use store::idempotency::{Answer, Claim};
use telemetry::TraceContext;
use telemetry::trace::Kind;
use utoipa::ToSchema;
use wire::Hint;

/// The source of events that Tidings raises itself, some of types that others may publish too.
const OURS: &str = "tidings";
/// Where one event is published; its keys count here wherever it comes from.
const PATH: &str = "/v1/events";

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(publish).refuses(&[
            Code::UnknownEventType,
            Code::ReservedEventType,
            Code::IdempotencyMismatch,
            Code::QuotaExceeded,
        ]))
        .add(operation!(log::list))
        .add(operation!(batch::publish).refuses(&[Code::IdempotencyMismatch]))
        .add(operation!(get));
}

/// An event to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "type": "job.created",
    "data": { "job_id": "job_42", "patients": 120 },
    "resource": { "type": "job", "id": "job_42" },
})))]
struct PublishEvent {
    /// Its type: one of the catalog, or of your own or the operator's, that Tidings does not raise itself.
    #[serde(rename = "type")]
    event_type: String,
    /// What it says, as its type's schema has it: an object of at most 256 KiB. Numbers keep their digits, and members
    /// their order.
    #[schema(value_type = Object)]
    data: Raw,
    /// The version of its type; the newest unless you say otherwise.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// What it is about.
    resource: Option<Resource>,
    /// What published it; `api` unless you say otherwise.
    #[schema(min_length = 1, max_length = 128)]
    source: Option<String>,
    /// Who and what caused it.
    context: Option<EventContext>,
    /// Whatever you want to see again with it: at most 16 KiB, nested at most 8 deep.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Raw>,
    /// Where it belongs: only webhooks of the same environment are told. `production` unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Environment, required = false)]
    environment: Option<String>,
    /// Of an item of a batch alone.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(ignore)]
    idempotency_key: Option<String>,
}

/// Who and what caused an event.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventContext {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    user_id: Option<String>,
    /// The user's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    session_id: Option<String>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    request_id: Option<String>,
    /// The address it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    source_ip: Option<String>,
}

/// An event that is published.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPublished, examples(json!({ "id": "evt_01h455vb4pex5vsknk084sn02q" })))]
struct PublishedView {
    /// Its id, which is the `webhook-id` of its deliveries.
    id: EventId,
}

/// An event.
#[derive(Serialize, ToSchema)]
#[schema(as = Event, examples(json!({
    "id": "evt_01h455vb4pex5vsknk084sn02q",
    "type": "job.created",
    "category": "job",
    "version": 1,
    "timestamp": "2026-11-23T21:09:00.000Z",
    "tenant_id": "ten_01h455vb4pex5vsknk084sn02q",
    "environment": "production",
    "sequence": 42,
    "source": "api",
    "resource": { "type": "job", "id": "job_42" },
    "context": null,
    "metadata": null,
    "data": { "job_id": "job_42", "patients": 120 },
})))]
struct EventView {
    /// Its id, which is the `webhook-id` of its deliveries.
    id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    event_type: String,
    /// The category of its type.
    category: String,
    /// The version of its type.
    version: u32,
    /// When it was raised.
    timestamp: Timestamp,
    /// Whose it is.
    tenant_id: TenantId,
    /// Where it belongs.
    environment: Environment,
    /// Its place among the tenant's events; null for the moment until it has one.
    sequence: Option<i64>,
    /// What raised it.
    source: String,
    /// What it is about.
    resource: Option<Resource>,
    /// Who and what caused it.
    #[schema(value_type = Option<Object>)]
    context: Option<Raw>,
    /// What its publisher wanted to see again with it.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Raw>,
    /// What it says.
    #[schema(value_type = Object)]
    data: Raw,
    /// To whom it is owed, and how far that is; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<DeliveryView>, required = false)]
    deliveries: Option<Vec<DeliveryView>>,
}

/// Publish an event
///
/// It is kept when this is answered, and told to every webhook of the tenant that wants its type. With an
/// `Idempotency-Key` the same request may be sent again for 24 hours: the first answer is repeated, marked by
/// `idempotency-replayed: true`.
#[utoipa::path(
    post,
    path = "/v1/events",
    tag = "Events",
    operation_id = "publish_event",
    params(IdempotencyKey),
    request_body = PublishEvent,
    responses((
        status = 202,
        description = "It is published",
        body = PublishedView,
        headers(("idempotency-replayed" = String, description = "`true` where this answer is repeated")),
    )),
)]
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
    let judged = judge_alone(context, caller.tenant, &wanted, &Strangers::default()).await?;

    let now = context.clock.now();
    let event = Origin {
        tenant: caller.tenant,
        source: "api",
        traceparent: Some(span.context().to_string()),
        now,
    }
    .event(wanted, &judged, &context.random);
    span.set("event.id", event.id.to_string().as_str());
    let answer = accepted(event.id);
    let claim = key.map(|key| Claim {
        tenant_id: caller.tenant,
        key: scoped(caller.tenant, request.path(), &key),
        body_hash: Sha256::digest(&body).into(),
        answer: answer.clone(),
        at: now,
    });
    let publication = Publication {
        event,
        claim,
        counts: caller.counts_events,
    };
    let published = context.store.publish(publication).await;
    let (published, told) = published.map_err(failure::of_store)?;
    plan::note(context, [&published], &told);
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
        Published::Refused(used) => Err(plan::used_up(&used, context.clock.now())),
    }
}

/// What is answered about an event that is accepted.
fn accepted(id: EventId) -> Answer {
    Answer {
        status: 202,
        body: serde_json::to_string(&PublishedView { id }).unwrap_or_default(),
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
    fn event(self, wanted: PublishEvent, judged: &Judged, random: &Random) -> Event {
        Event {
            id: EventId::new(self.now, random),
            tenant_id: self.tenant,
            event_type: wanted.event_type,
            version: judged.version,
            environment: judged.environment.clone(),
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

/// Read an event
///
/// With its deliveries.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    tag = "Events",
    operation_id = "get_event",
    params(("id" = EventId, Path, description = "The event")),
    responses((status = 200, description = "The event", body = EventView)),
)]
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

/// What an event is, judged.
struct Judged {
    environment: Environment,
    /// The version of its type.
    version: u32,
}

/// Of an event that is published by itself, whose key is beside it.
async fn judge_alone(
    context: &Context,
    tenant: TenantId,
    wanted: &PublishEvent,
    strangers: &Strangers,
) -> Result<Judged, Problem> {
    if wanted.idempotency_key.is_some() {
        return Err(input::invalid(
            "/idempotency_key",
            "only an item of a batch has its key here: send it as Idempotency-Key",
        ));
    }
    judge(context, tenant, wanted, strangers).await
}

/// Judges an event, wherever it comes from. What is known to be of no type is not looked for again.
async fn judge(
    context: &Context,
    tenant: TenantId,
    wanted: &PublishEvent,
    strangers: &Strangers,
) -> Result<Judged, Problem> {
    let name = &wanted.event_type;
    refuse_reserved(name)?;
    strangers.refuse(tenant, name)?;
    let chosen = event_type::choose(context, tenant, name, wanted.version).await?;
    let environment = judge_members(wanted, &chosen)?;
    let version = event_type::check(&chosen, &wanted.data).await?;
    Ok(Judged {
        environment,
        version,
    })
}

fn judge_members(wanted: &PublishEvent, chosen: &Chosen) -> Result<Environment, Problem> {
    let mut faults = Faults::default();
    if !wanted.data.is_object() {
        faults.add("/data", "write a JSON object");
    } else if wanted.data.as_str().len() > MAX_DATA_BYTES {
        faults.add("/data", format!("write at most {MAX_DATA_BYTES} bytes"));
    }
    if let Chosen::NoVersion { newest } = chosen {
        let known = if *newest == 1 {
            "the version 1".to_owned()
        } else {
            format!("the versions 1 to {newest}")
        };
        faults.add("/version", format!("{} has {known}", wanted.event_type));
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

fn refuse_reserved(name: &str) -> Result<(), Problem> {
    if domain::catalog::find(name).is_some_and(|known| known.is_raised_by_us) {
        let detail = format!("Tidings raises {name} itself");
        return Err(Problem::new(Code::ReservedEventType, detail.clone()).at("/type", detail));
    }
    Ok(())
}

fn view(kept: Kept, deliveries: Option<Vec<DeliveryView>>) -> EventView {
    let Kept {
        event, sequence, ..
    } = kept;
    EventView {
        id: event.id,
        category: domain::catalog::category(&event.event_type).to_owned(),
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
