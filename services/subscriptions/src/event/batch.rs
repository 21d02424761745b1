//! `/v1/events/batch`: many events in one request and one commit.
//!
//! An item is judged as an event that is published by itself, and what is wrong with it is told of it
//! alone: the others are published. So the answer is a 202 whatever became of each, and `data` says what.

use super::{
    KEYS, MAX_KEY_BYTES, Origin, PublishEvent, REPLAYED, accepted, idempotency_key, is_key, judge,
    mismatch, scoped,
};
use crate::caller::Caller;
use crate::event_type::Strangers;
use crate::openapi::IdempotencyKey;
use crate::plan;
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use domain::{Shard, Timestamp};
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use store::event::{Batch, Publication, Published};
use store::idempotency::{Answer, Claim};
use store::news::Told;
use telemetry::TraceContext;
use telemetry::trace::Kind;
use utoipa::openapi::schema::{
    AnyOfBuilder, Array, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use wire::Hint;

/// The most items of a batch.
const MOST: usize = 1_000;

/// Events to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "events": [
        { "type": "job.created", "data": { "job_id": "job_42" }, "idempotency_key": "job_42-created" },
        { "type": "job.started", "data": { "job_id": "job_42" } },
    ],
})))]
struct PublishBatch {
    /// Each as it is published by itself, with an `idempotency_key` of its own where it may be sent again.
    #[schema(schema_with = wanted)]
    events: Vec<Raw>,
}

/// Events as they are published by themselves, each with its key. Whatever else one is, it is refused by itself.
fn wanted() -> Array {
    let mut item = PublishEvent::schema();
    if let RefOr::T(Schema::Object(event)) = &mut item {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_KEY_BYTES))
            .pattern(Some("^[ -~]+$"))
            .description(Some(
                "Your own name of this event: for 24 hours the same event under it is published once",
            ));
        event
            .properties
            .insert("idempotency_key".to_owned(), key.into());
    }
    let other = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some(
            "What is no event is refused in its place, and the others are published",
        ));
    let item = AnyOfBuilder::new().item(item).item(other);
    ArrayBuilder::new()
        .items(item)
        .min_items(Some(1))
        .max_items(Some(MOST))
        .description(Some(
            "Each as it is published by itself, with an `idempotency_key` of its own where it may be sent again",
        ))
        .build()
}

/// The id of an event, or why there is none.
fn told() -> Array {
    let item = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("id", EventId::schema())
        .property(
            "replayed",
            ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .description(Some("Whether it was published before, under the same key")),
        )
        .property("error", Ref::from_schema_name("Problem"));
    ArrayBuilder::new()
        .items(item)
        .description(Some("Of each event its `id`, or its `error`"))
        .build()
}

/// What became of an item before anything is written.
enum Item {
    /// It is to be published.
    Good(EventId),
    Refused(Problem),
}

/// What became of the events of a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchPublished, examples(json!({
    "data": [{ "id": "evt_01h455vb4pex5vsknk084sn02q" }],
    "accepted": 1,
    "refused": 0,
})))]
struct BatchView {
    /// Of each item its id, or its error.
    #[schema(schema_with = told)]
    data: Vec<Raw>,
    /// How many of them are published, now or before under the same key.
    accepted: usize,
    /// How many of them are not.
    refused: usize,
}

/// Publish many events
///
/// In one commit. What is wrong with one is told of it alone, in its place of `data`: the others are published. An
/// `Idempotency-Key` is one of the whole batch; each event may have its own besides.
#[utoipa::path(
    post,
    path = "/v1/events/batch",
    tag = "Events",
    operation_id = "publish_events",
    params(IdempotencyKey),
    request_body = PublishBatch,
    responses((
        status = 202,
        description = "They are published, but those that are refused",
        body = BatchView,
        headers(("idempotency-replayed" = String, description = "`true` where this answer is repeated")),
    )),
)]

pub(super) async fn publish(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let parent = request.headers().get("traceparent");
    let parent = parent.and_then(|value| TraceContext::parse(value.to_str().ok()?));
    let span = context
        .tracer
        .start("publish events", Kind::Server, parent.as_ref());
    let key = idempotency_key(request.headers())?;
    let (body, batch) = input::read::<PublishBatch>(&request, payload).await?;
    if !(1..=MOST).contains(&batch.events.len()) {
        let detail = format!("name 1 to {MOST} events");
        return Err(input::invalid("/events", detail));
    }
    let door = Door {
        context,
        tenant: caller.tenant,
        counts: caller.counts_events,
        path: request.path(),
        traceparent: span.context().to_string(),
        now: context.clock.now(),
    };
    let (items, good) = door.judge(&batch.events).await?;
    let claim = key.map(|key| Claim {
        tenant_id: caller.tenant,
        key: scoped(caller.tenant, request.path(), &key),
        body_hash: Sha256::digest(&body).into(),
        // What is answered is known once it is known what became of each.
        answer: Answer {
            status: 202,
            body: String::new(),
        },
        at: door.now,
    });
    door.publish(items, good, claim).await
}

/// Where a batch comes in.
struct Door<'a> {
    context: &'a Context,
    tenant: TenantId,
    /// Whether its events are counted.
    counts: bool,
    path: &'a str,
    traceparent: String,
    now: Timestamp,
}

impl Door<'_> {
    /// Judges each by itself. What is wrong on our side is wrong with all of them.
    async fn judge(&self, events: &[Raw]) -> Result<(Vec<Item>, Vec<Publication>), Problem> {
        let read = |raw: &Raw| input::parse::<PublishEvent>(raw.as_str().as_bytes());
        let read: Vec<_> = events.iter().map(read).collect();
        let types = read.iter().flatten();
        let types = types.map(|wanted| (self.tenant, wanted.event_type.clone()));
        let strangers = Strangers::among(self.context, types.collect()).await;
        let strangers = strangers.map_err(failure::of_store)?;
        let mut good = Vec::with_capacity(events.len());
        let mut items = Vec::with_capacity(events.len());
        for (index, (raw, wanted)) in events.iter().zip(read).enumerate() {
            let publication = match wanted {
                Ok(wanted) => self.publication(raw, wanted, &strangers).await,
                Err(problem) => Err(problem),
            };
            items.push(match publication {
                Ok(publication) => {
                    let id = publication.event.id;
                    good.push(publication);
                    Item::Good(id)
                }
                Err(problem) if problem.is_ours() => return Err(problem),
                Err(problem) => Item::Refused(problem.inside(&format!("/events/{index}"))),
            });
        }
        Ok((items, good))
    }

    async fn publication(
        &self,
        raw: &Raw,
        mut wanted: PublishEvent,
        strangers: &Strangers,
    ) -> Result<Publication, Problem> {
        let judged = judge(self.context, self.tenant, &wanted, strangers).await?;
        let key = wanted.idempotency_key.take();
        if key.as_ref().is_some_and(|key| !is_key(key.as_bytes())) {
            return Err(input::invalid("/idempotency_key", KEYS));
        }
        let origin = Origin {
            tenant: self.tenant,
            source: "api",
            traceparent: Some(self.traceparent.clone()),
            now: self.now,
        };
        let event = origin.event(wanted, &judged, &self.context.random);
        let claim = key.map(|key| Claim {
            tenant_id: self.tenant,
            // A key of an item is none of a batch.
            key: scoped(self.tenant, &format!("{} item", self.path), &key),
            body_hash: Sha256::digest(raw.as_str()).into(),
            answer: accepted(event.id),
            at: self.now,
        });
        Ok(Publication {
            event,
            claim,
            counts: self.counts,
        })
    }

    async fn publish(
        self,
        items: Vec<Item>,
        good: Vec<Publication>,
        claim: Option<Claim>,
    ) -> Result<HttpResponse, Problem> {
        let context = self.context;
        let items = Arc::new(items);
        let ours = items.clone();
        let published = if good.is_empty() && claim.is_none() {
            Ok(Batch::New(Vec::new(), Told::default()))
        } else {
            let now = self.now;
            let answer = move |done: &[Published]| show(now, &ours, done);
            context.store.publish_batch(good, claim, answer).await
        };
        let done = match published.map_err(failure::of_store)? {
            Batch::New(done, told) => {
                plan::note(context, &done, &told);
                done
            }
            Batch::Replayed(answer) => {
                return Ok(HttpResponse::Accepted()
                    .content_type("application/json")
                    .insert_header((REPLAYED, "true"))
                    .body(answer.body));
            }
            Batch::Mismatch => return Err(mismatch()),
        };
        let new = done.iter().filter(|one| **one == Published::New).count();
        if new > 0 {
            failpoint::reach!(SubscriptionsBeforeEventHint);
            (0..new).for_each(|_| context.metrics.event("api"));
            let shard = Shard::of_tenant(self.tenant);
            context.broker.hint(Hint::Events(shard));
        }
        Ok(HttpResponse::Accepted()
            .content_type("application/json")
            .body(show(self.now, &items, &done)))
    }
}

/// What is answered.
fn show(now: Timestamp, items: &[Item], done: &[Published]) -> String {
    let mut done = done.iter();
    let (mut published, mut data) = (0, Vec::with_capacity(items.len()));
    for (index, item) in items.iter().enumerate() {
        let told = match item {
            Item::Good(id) => match done.next() {
                Some(Published::New) => Ok(accepted(*id).body),
                Some(Published::Replayed(answer)) => Ok(replayed(answer)),
                Some(Published::Refused(used)) => Err(plan::used_up(used, now).to_json()),
                Some(Published::Mismatch) | None => {
                    let at = format!("/events/{index}/idempotency_key");
                    let mismatch = mismatch().at(at, "use a new key for a new event");
                    Err(mismatch.to_json())
                }
            },
            Item::Refused(problem) => Err(problem.to_json()),
        };
        published += usize::from(told.is_ok());
        let told = told.unwrap_or_else(|problem| format!(r#"{{"error":{problem}}}"#));
        // It is JSON of our own making.
        data.extend(Raw::parse(told));
    }
    let view = BatchView {
        refused: items.len() - published,
        accepted: published,
        data,
    };
    serde_json::to_string(&view).unwrap_or_default()
}

/// What was answered before, with a word that it was.
fn replayed(answer: &Answer) -> String {
    let told = answer.body.strip_suffix('}').unwrap_or(&answer.body);
    format!(r#"{told},"replayed":true}}"#)
}
