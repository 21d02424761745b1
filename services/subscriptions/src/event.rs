//! `/v1/events`: publishing and reading events.

use crate::caller::Caller;
use crate::event_type;
use crate::input::Faults;
use crate::list::Query;
use crate::webhook::DeliveryView;
use crate::{Context, Desk, failure, input};
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use catalog::Chosen;
use domain::account::Environment;
use domain::event::{Event, MAX_DATA_BYTES, Resource};
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use domain::{Shard, Timestamp};
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::event::{Kept, Published};
use store::idempotency::{Answer, Claim};
use telemetry::TraceContext;
use telemetry::trace::Kind;
use wire::Hint;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const MAX_KEY_BYTES: usize = 255;

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/events")
                .route(web::post().to(publish))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
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
    refuse_reserved(&wanted.event_type)?;
    let chosen = event_type::choose(context, caller.tenant, &wanted.event_type, wanted.version);
    let chosen = chosen.await?;
    let environment = judge(&wanted, &chosen)?;
    let version = event_type::check(&chosen, &wanted.data).await?;

    let now = context.clock.now();
    let id = EventId::new(now, &context.random);
    span.set("event.id", id.to_string().as_str());
    let event = Event {
        id,
        tenant_id: caller.tenant,
        event_type: wanted.event_type,
        version,
        environment,
        created_at: now,
        source: wanted.source.unwrap_or_else(|| "api".to_owned()),
        resource: wanted.resource,
        context: wanted.context.map(|context| Raw::of(&context)),
        metadata: wanted.metadata,
        data: wanted.data,
        transition: None,
        traceparent: Some(span.context().to_string()),
        caused_at: now,
    };
    let answer = Answer {
        status: 202,
        body: format!(r#"{{"id":"{id}"}}"#),
    };
    let claim = key.map(|key| Claim {
        tenant_id: caller.tenant,
        key: scoped(caller.tenant, &request, &key),
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
        Published::Mismatch => Err(Problem::new(
            Code::IdempotencyMismatch,
            "this Idempotency-Key came with another body before: use a new key for a new request",
        )),
    }
}

async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let page = desk.context.store.list_events(caller.tenant, window).await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |kept| view(kept, None))))
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

fn judge(wanted: &PublishEvent, chosen: &Chosen) -> Result<Environment, Problem> {
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

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let refuse = || {
        let detail =
            format!("Idempotency-Key is 1 to {MAX_KEY_BYTES} printable ASCII characters, once");
        Problem::new(Code::InvalidRequest, detail)
    };
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let fits = (1..=MAX_KEY_BYTES).contains(&bytes.len())
        && bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    if !fits || values.next().is_some() {
        return Err(refuse());
    }
    value
        .to_str()
        .map(|text| Some(text.to_owned()))
        .map_err(|_| refuse())
}

/// A key counts for one tenant, method and path.
fn scoped(tenant: TenantId, request: &HttpRequest, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(tenant.as_bytes());
    hash.update(format!("{} {}\n{key}", request.method(), request.path()));
    hash.finalize().into()
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
