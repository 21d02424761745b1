//! `PATCH /v1/webhooks/{id}`, and enabling and disabling: a webhook is read, changed and written in one
//! transaction, so that two requests that change different members both hold.

use super::settings::{AskedAuth, AskedSigning};
use super::view::{WebhookView, WriteWebhook, view};
use super::{change_of, judge, parse_id, settings};
use crate::caller::Caller;
use crate::event_type::Types;
use crate::openapi::merge_patch;
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::id::{SubscriptionId, TenantId};
use runtime::http::Problem;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use store::subscription::{Change, Outcome, Subscription, Which};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use wire::Hint;

/// A merge patch has its own type; plain JSON is taken as one.
const TYPES: [&str; 2] = ["application/merge-patch+json", "application/json"];

/// What may be written of a webhook, with the members of what is an object of ours.
const WRITABLE: [(&str, &[&str]); 17] = [
    ("url", &[]),
    ("events", &[]),
    ("secret", &[]),
    ("name", &[]),
    ("description", &[]),
    ("environment", &[]),
    ("enabled", &[]),
    ("method", &[]),
    ("headers", &[]),
    ("retry", &["preset", "delays"]),
    ("rate_limit", &["per_minute", "per_hour"]),
    ("max_in_flight", &[]),
    ("timeout_seconds", &[]),
    ("max_payload_bytes", &[]),
    ("signing", &["schemes", "header_prefix"]),
    (
        "endpoint_auth",
        &["type", "header", "value", "token", "username", "password"],
    ),
    ("versions", &[]),
];

/// How a patch is described.
pub(super) struct PatchSchema;

impl PartialSchema for PatchSchema {
    fn schema() -> RefOr<Schema> {
        let inside = vec![
            ("signing", AskedSigning::schema()),
            ("endpoint_auth", AskedAuth::schema()),
        ];
        let mut schema = merge_patch(WriteWebhook::schema(), inside);
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let said = "What is to change of a webhook (RFC 7396): any members of a webhook that may be written. \
                        What is null has its default again.";
            object.description = Some(said.to_owned());
            object.examples = vec![json!({ "name": null, "max_in_flight": 4 })];
        }
        schema
    }
}

impl ToSchema for PatchSchema {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PatchWebhook")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WriteWebhook::schemas(schemas);
        AskedSigning::schemas(schemas);
    }
}

/// A merge patch (RFC 7396) of a webhook, that names nothing but what may be written.
#[derive(Debug, Clone)]
pub(super) struct Patch(Map<String, Value>);

/// Change some of a webhook
///
/// A merge patch (RFC 7396), as `application/merge-patch+json` or `application/json`: what it does not name stays, also
/// when others change that at the same time. A `retry`, and an `endpoint_auth` of another type, are replaced whole.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "patch_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    request_body(
        content(
            (PatchSchema = "application/merge-patch+json"),
            (PatchSchema = "application/json"),
        ),
    ),
    responses((status = 200, description = "It is changed", body = WebhookView)),
)]
pub(super) async fn patch(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read_as::<Value>(&request, payload, &TYPES).await?;
    let patch = Patch::check(body)?;
    let types = Types::of(&desk.context, caller.tenant).await?;
    let decide = patching(&desk.context, caller.tenant, patch, types);
    change_one(&desk, caller, &id, decide).await
}

/// Enable a webhook
///
/// Events are sent to it from then on, and what it is still owed. One that is enabled stays as it is.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/enable",
    tag = "Webhooks",
    operation_id = "enable_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook", body = WebhookView)),
)]
pub(super) async fn enable(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let decide = enabling(true, desk.context.clock.now());
    change_one(&desk, caller, &id, decide).await
}

/// Disable a webhook
///
/// Nothing is sent to it any more; what it is owed is kept. One that is disabled stays as it is.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/disable",
    tag = "Webhooks",
    operation_id = "disable_webhook",
    params(("id" = SubscriptionId, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook", body = WebhookView)),
)]
pub(super) async fn disable(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let decide = enabling(false, desk.context.clock.now());
    change_one(&desk, caller, &id, decide).await
}

async fn change_one(
    desk: &Desk,
    caller: Caller,
    id: &str,
    decide: impl FnMut(&Subscription) -> Result<Option<Change>, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let which = Which::Ids(vec![parse_id(id)?]);
    let store = &desk.context.store;
    let chosen = store
        .change_subscriptions(caller.tenant, which, false, decide)
        .await
        .map_err(failure::of_store)?;
    let outcome = chosen.items.into_iter().next().map(|(_, outcome)| outcome);
    let shown = match outcome {
        Some(Outcome::Changed(subscription)) => {
            desk.context.broker.hint(Hint::Subscriptions);
            subscription
        }
        Some(Outcome::Same(subscription)) => subscription,
        Some(Outcome::Refused(problem)) => return Err(problem),
        Some(Outcome::Missing) | None => return Err(failure::not_found("webhook")),
    };
    Ok(HttpResponse::Ok().json(view(&desk.context, *shown)?))
}

/// Says what a patch makes of a webhook. Besides the types that ship, these count.
pub(super) fn patching(
    context: &Context,
    tenant: TenantId,
    patch: Patch,
    types: Types,
) -> impl FnMut(&Subscription) -> Result<Option<Change>, Problem> + Send + 'static {
    let context = context.clone();
    move |subscription| {
        let body: WriteWebhook = input::parse_value(patch.applied_to(&context, subscription)?)?;
        let mut already = subscription.clone();
        if patch.forgets("versions") {
            // As if its types were named for the first time.
            already.settings.versions.clear();
            already.interest.patterns.clear();
        }
        let wanted = judge(&context, body, Some(&already), &types)?;
        let id = subscription.interest.subscription_id;
        Ok(Some(change_of(&context, tenant, id, wanted)))
    }
}

/// Enables or disables what is not so yet. What disabled a webhook before stays told.
pub(super) fn enabling(
    is_enabled: bool,
    now: Timestamp,
) -> impl FnMut(&Subscription) -> Result<Option<Change>, Problem> + Send + 'static {
    move |subscription| {
        let change = Change {
            is_enabled,
            ..Change::of(subscription, now)
        };
        Ok((subscription.is_enabled != is_enabled).then_some(change))
    }
}

impl Patch {
    /// Refuses what is no object, and what nobody may write: removing that would do nothing, too.
    pub(super) fn check(patch: Value) -> Result<Self, Problem> {
        let Value::Object(patch) = patch else {
            return Err(input::invalid("", "write a JSON object"));
        };
        for (name, value) in &patch {
            let unknown =
                |pointer: String| input::invalid(pointer, "no member of this name may be written");
            let pointer = format!("/{}", input::escaped(name));
            let Some((_, members)) = WRITABLE.iter().find(|(known, _)| known == name) else {
                return Err(unknown(pointer));
            };
            let named = value.as_object().into_iter().flat_map(Map::keys);
            let is_ours =
                |member: &String| members.is_empty() || members.contains(&member.as_str());
            if let Some(member) = named.into_iter().find(|member| !is_ours(member)) {
                return Err(unknown(format!("{pointer}/{}", input::escaped(member))));
            }
        }
        Ok(Self(patch))
    }

    /// Whether a member is to have its default again.
    fn forgets(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    /// The webhook as it would be written now, with the patch.
    fn applied_to(&self, context: &Context, subscription: &Subscription) -> Result<Value, Problem> {
        let mut document = document(context, subscription)?;
        let interest = &subscription.interest;
        let patterns = interest.patterns.iter().map(ToString::to_string);
        // What is pinned stays where nothing is said of it, as far as the types are still wanted.
        if !self.0.contains_key("versions") {
            document.remove("versions");
        }
        let own: [(&str, Value); 6] = [
            ("url", subscription.url.clone().into()),
            ("events", patterns.collect::<Vec<_>>().into()),
            ("name", subscription.name.clone().into()),
            ("description", subscription.description.clone().into()),
            ("environment", interest.environment.as_str().into()),
            ("enabled", subscription.is_enabled.into()),
        ];
        document.extend(own.map(|(name, value)| (name.to_owned(), value)));
        for (name, value) in &self.0 {
            let is = document.remove(name).unwrap_or(Value::Null);
            let is = if is_another(name, &is, value) {
                Value::Null
            } else {
                is
            };
            let becomes = merged(is, value);
            if !becomes.is_null() {
                document.insert(name.clone(), becomes);
            }
        }
        Ok(Value::Object(document))
    }
}

/// Its settings, as they would be written to stay as they are. What is older than a setting leaves it out, and
/// keeps what held then.
fn document(context: &Context, subscription: &Subscription) -> Result<Map<String, Value>, Problem> {
    let shown = serde_json::to_value(settings::view(context, subscription)?);
    let Ok(Value::Object(mut document)) = shown else {
        return Err(failure::broken());
    };
    let settings = &subscription.settings;
    if settings.retry.is_none() {
        document.remove("retry");
    }
    if settings.timeout_seconds.is_none() {
        document.remove("timeout_seconds");
    }
    Ok(document)
}

/// Whether a member becomes something of another kind, of which the members before say nothing: another
/// schedule, or another way to authenticate.
fn is_another(name: &str, is: &Value, patch: &Value) -> bool {
    match name {
        "retry" => true,
        "endpoint_auth" => {
            let kind = patch.get("type");
            kind.is_some() && kind != is.get("type")
        }
        _ => false,
    }
}

/// RFC 7396 §2. As deep as JSON may be that is read here.
fn merged(is: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut becomes = match is {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        let old = becomes.remove(name).unwrap_or(Value::Null);
        if !value.is_null() {
            becomes.insert(name.clone(), merged(old, value));
        }
    }
    Value::Object(becomes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 7396, appendix A, of what is an object.
    #[test]
    fn a_patch_is_merged_as_the_rfc_has_it() {
        for (is, patch, becomes) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ] {
            assert_eq!(merged(is.clone(), &patch), becomes, "{is} {patch}");
        }
    }

    #[test]
    fn what_nobody_may_write_is_refused_also_where_it_is_removed() {
        for (patch, pointer) in [
            (json!({"state": null}), "/state"),
            (json!({"id": "sub_1"}), "/id"),
            (json!({"signing": {"key": null}}), "/signing/key"),
            (json!({"retry": {"times": 3}}), "/retry/times"),
            (json!([]), ""),
        ] {
            let refused = serde_json::to_value(Patch::check(patch).unwrap_err()).unwrap();
            assert_eq!(refused["errors"][0]["pointer"], pointer);
        }
        Patch::check(json!({"headers": {"X-Any": null}, "name": null})).unwrap();
    }
}
