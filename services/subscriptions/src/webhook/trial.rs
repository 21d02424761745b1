//! `POST /v1/webhooks/{id}/test` and `GET …/tests`: a request to the endpoint now, made as a delivery's is,
//! and what came of it. It is no delivery: neither health nor breaker nor limit hear of it.

use super::attempt::AttemptView;
use super::sample::{Sample, sample};
use super::{find, parse_id};
use crate::caller::Caller;
use crate::list::{PageView, Query};
use crate::openapi::Paging;
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use domain::delivery::status_error;
use domain::event::{Event, MAX_DATA_BYTES};
use domain::id::{EventId, SubscriptionId, TenantId, TrialId};
use domain::json::Raw;
use domain::{Timestamp, text};
use egress::Attempted;
use endpoint::{Endpoint, Marks, Means, Outgoing};
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use store::delivery::Tried;
use store::subscription::Subscription;
use store::trial::{Ended, Trial};
use telemetry::trace::Kind;
use tokio::sync::oneshot;
use utoipa::ToSchema;

/// What is told, unless a type is named.
const USUAL_TYPE: &str = "webhook.test";
/// How much of what was sent is kept, in bytes.
const KEPT_BYTES: usize = 16 * 1024;
/// After this, one without an end is no longer under way: twice the longest timeout.
const OVER_AFTER: Duration = Duration::from_mins(1);

/// What to tell an endpoint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "type": "sms.delivered" })))]
struct TestWebhook {
    /// Under which type of event; `webhook.test` unless you say otherwise.
    #[serde(rename = "type", default, deserialize_with = "input::present")]
    #[schema(value_type = String, required = false)]
    event_type: Option<String>,
    /// What; the example of the type unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Object, required = false)]
    data: Option<Raw>,
}

/// A test of a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest, examples(json!({
    "id": "tst_01h455vb4pex5vsknk084sn02q",
    "webhook_id": "sub_01h455vb4pex5vsknk084sn02q",
    "event_id": "evt_01h455vb4pex5vsknk084sn02q",
    "type": "webhook.test",
    "state": "interrupted",
    "created_at": "2026-11-23T21:09:04.300Z",
    "request_body": "{}",
    "attempt": null,
})))]
struct TrialView {
    /// Its id.
    id: TrialId,
    /// The webhook.
    webhook_id: SubscriptionId,
    /// The id that the endpoint was told. There is no such event.
    event_id: EventId,
    /// The type that the endpoint was told.
    #[serde(rename = "type")]
    event_type: String,
    /// How it ended, or that it did not.
    #[schema(schema_with = states)]
    state: &'static str,
    /// When it began.
    created_at: Timestamp,
    /// The beginning of what was sent, 16 KiB.
    request_body: String,
    /// The request and its answer; null while there is none.
    attempt: Option<AttemptView>,
}

fn states() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "How it ended, or that it did not.",
        crate::openapi::word(["running", "succeeded", "failed", "interrupted"]),
    )
}

/// Test a webhook
///
/// Sends a request now, exactly as a delivery is sent but for the header `webhook-test: true`, and shows the answer. It is
/// no delivery: neither health nor limits hear of it. `429` beyond 30 in a minute or 4 at a time, checks included.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/test",
    tag = "Webhooks",
    operation_id = "test_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    request_body = TestWebhook,
    responses((status = 200, description = "What came of it", body = TrialView)),
)]
pub(super) async fn test(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, asked) = input::read::<TestWebhook>(&request, payload).await?;
    judge(&asked)?;
    let context = &desk.context;
    let subscription = find_to_send(context, caller.tenant, &id).await?;
    let named = asked.event_type.as_deref().unwrap_or(USUAL_TYPE);
    let mut sample = sample(context, &subscription, named).await?;
    if let Some(data) = asked.data {
        sample.data = data;
    }
    let endpoint = open(context, &subscription)?;
    let now = context.clock.now();
    let told = Told::new(context, &subscription, sample, now);
    if told.body.len() > endpoint.max_payload_bytes {
        let most = endpoint.max_payload_bytes;
        let detail =
            format!("with this the body is longer than the {most} bytes that this webhook takes");
        return Err(input::invalid("/data", detail));
    }
    let turn = desk.allowance.enter(caller.tenant, now)?;
    let trial = told.trial(context, &subscription, now);
    // Written before it is sent: what is sent in a tenant's name is known, whatever happens.
    let begun = context.store.begin_trial(trial.clone()).await;
    begun.map_err(failure::of_store)?;
    let (tell, told_end) = oneshot::channel();
    let (ours, id) = (context.clone(), trial.id);
    // It goes on to its end, and is written down, also when the caller does not wait for it.
    context.tasks.spawn("webhook test", async move {
        let ended = send(&ours, &endpoint, told, now).await;
        drop(turn);
        let kept = ours.store.end_trial(trial.tenant_id, id, ended.clone());
        if let Err(error) = kept.await {
            tracing::warn!(%error, "what came of a test could not be kept");
        }
        let _ = tell.send(Trial {
            ended: Some(ended),
            ..trial
        });
    });
    let trial = told_end.await.map_err(|_| failure::broken())?;
    Ok(HttpResponse::Ok().json(TrialView::of(trial, now)))
}

/// List the tests of a webhook
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/tests",
    tag = "Webhooks",
    operation_id = "list_webhook_tests",
    params(("id" = SubscriptionId, Path, description = "The webhook"), Paging),
    responses((status = 200, description = "A page of them", body = PageView<TrialView>)),
)]
pub(super) async fn list(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let subscription = find(&desk, caller.tenant, &id).await?;
    let id = subscription.interest.subscription_id;
    let context = &desk.context;
    let page = context.store.list_trials(caller.tenant, id, window).await;
    let page = page.map_err(failure::of_store)?;
    let now = context.clock.now();
    let shown = query.show(caller.tenant, page, |trial| TrialView::of(trial, now));
    Ok(HttpResponse::Ok().json(shown))
}

fn judge(asked: &TestWebhook) -> Result<(), Problem> {
    let Some(data) = &asked.data else {
        return Ok(());
    };
    if !data.is_object() {
        return Err(input::invalid("/data", "write a JSON object"));
    }
    if data.as_str().len() > MAX_DATA_BYTES {
        let detail = format!("write at most {MAX_DATA_BYTES} bytes");
        return Err(input::invalid("/data", detail));
    }
    Ok(())
}

async fn find_to_send(
    context: &Context,
    tenant: TenantId,
    id: &str,
) -> Result<Subscription, Problem> {
    let found = context.store.find_to_send(tenant, parse_id(id)?).await;
    found
        .map_err(failure::of_store)?
        .ok_or_else(|| failure::not_found("webhook"))
}

pub(super) fn open(
    context: &Context,
    subscription: &Subscription,
) -> Result<Arc<Endpoint>, Problem> {
    let means = Means {
        vault: &context.vault,
        policy: &context.policy,
        usual: &context.usual,
    };
    Endpoint::of(means, subscription).map_err(|error| {
        let id = subscription.interest.subscription_id;
        tracing::error!(subscription.id = %id, %error, "a subscription cannot be sent to");
        failure::broken()
    })
}

/// What a test tells.
struct Told {
    event_id: EventId,
    event_type: String,
    body: Bytes,
}

impl Told {
    /// As an event is told, but with the source `test`, which is signed with the rest, and without a place
    /// in the tenant's sequence.
    fn new(context: &Context, subscription: &Subscription, sample: Sample, now: Timestamp) -> Self {
        let event_id = EventId::new(now, &context.random);
        let event = Event {
            id: event_id,
            tenant_id: subscription.interest.tenant_id,
            event_type: sample.name.clone(),
            version: sample.version,
            environment: subscription.interest.environment.clone(),
            created_at: now,
            source: "test".to_owned(),
            resource: None,
            context: None,
            metadata: None,
            data: sample.data,
            transition: None,
            traceparent: None,
            caused_at: now,
        };
        Self {
            event_id,
            event_type: sample.name,
            body: wire::body::render(&event, 0).into(),
        }
    }

    fn trial(&self, context: &Context, subscription: &Subscription, now: Timestamp) -> Trial {
        let interest = &subscription.interest;
        let body = String::from_utf8_lossy(&self.body);
        Trial {
            id: TrialId::new(now, &context.random),
            tenant_id: interest.tenant_id,
            subscription_id: interest.subscription_id,
            event_id: self.event_id,
            event_type: self.event_type.clone(),
            request_body: text::clean(text::cut(&body, KEPT_BYTES).to_owned()),
            begun_at: now,
            ended: None,
        }
    }
}

async fn send(context: &Context, endpoint: &Endpoint, told: Told, now: Timestamp) -> Ended {
    let mut span = context.tracer.start("test webhook", Kind::Client, None);
    let trace = span.context().to_string();
    let outgoing = Outgoing {
        event_id: told.event_id,
        event_type: &told.event_type,
        body: told.body,
        marks: Marks {
            is_replay: false,
            is_test: true,
        },
    };
    let request = endpoint::request(endpoint, outgoing, now, context.version, &trace);
    let mut detail = endpoint::of_request(&request, &trace);
    let sent: Attempted = context.client.send(request, endpoint.timeout).await;
    endpoint::add_outcome(&mut detail, &sent);
    let error = match &sent.result {
        Ok(response) => status_error(response.status),
        Err(failure) => Some(failure.class.as_str()),
    };
    if let Some(error) = error {
        span.fail(error);
    }
    context.metrics.trial("test", error.unwrap_or("2xx"));
    let response = sent.result.as_ref().ok();
    Ended {
        duration_ms: i64::try_from(sent.duration.as_millis()).unwrap_or(i64::MAX),
        status_code: response.map(|response| response.status),
        error: error.map(str::to_owned),
        response_body: response.map(endpoint::kept_body),
        detail,
    }
}

impl TrialView {
    fn of(trial: Trial, now: Timestamp) -> Self {
        let state = match &trial.ended {
            Some(ended) if ended.error.is_none() => "succeeded",
            Some(_) => "failed",
            None if trial.begun_at.plus(OVER_AFTER) > now => "running",
            None => "interrupted",
        };
        let begun_at = trial.begun_at;
        let attempt = trial.ended.map(|ended| {
            AttemptView::from(Tried {
                number: 1,
                started_at: begun_at,
                duration_ms: ended.duration_ms,
                status_code: ended.status_code,
                error: ended.error,
                response_body: ended.response_body,
                detail: Some(ended.detail),
            })
        });
        Self {
            id: trial.id,
            webhook_id: trial.subscription_id,
            event_id: trial.event_id,
            event_type: trial.event_type,
            state,
            created_at: begun_at,
            request_body: trial.request_body,
            attempt,
        }
    }
}
