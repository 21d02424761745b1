//! Audit entries, as they are shown.

use domain::Timestamp;
use domain::audit::{Action, Actor, Entry, to_hex};
use domain::id::{AuditEntryId, TenantId};
use serde::Serialize;
use serde_json::Value;
use store::audit::{Chained, Listed};
use utoipa::ToSchema;

/// One change, and who made it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry, examples(json!({
    "id": "aud_01h455vb4pex5vsknk084sn02q",
    "tenant_id": "ten_01h455vb4pex5vsknk084sn02q",
    "at": "2026-11-23T21:09:00.000Z",
    "actor": { "type": "key", "id": "key_01h455vb4pex5vsknk084sn02q", "name": "deploy" },
    "action": "webhook.updated",
    "target": { "type": "webhook", "id": "sub_01h455vb4pex5vsknk084sn02q" },
    "before": { "name": "Ward display" },
    "after": { "name": "Ward 3" },
    "source_ip": "192.0.2.7",
    "request_id": "0af7651916cd43dd8448eb211c80319c",
    "position": 42,
    "previous_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "hash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
})))]
pub(crate) struct EntryView {
    /// Its id.
    id: AuditEntryId,
    /// Whose things were changed.
    tenant_id: TenantId,
    /// When.
    at: Timestamp,
    /// By whom.
    actor: ActorView,
    /// What was done.
    #[schema(schema_with = actions)]
    action: String,
    /// To what.
    target: TargetView,
    /// What it was, as the API shows it, without what is secret; null where it was not.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it became. `secrets_changed` says that a secret of it is another.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    /// From where the request came; null where there was none.
    source_ip: Option<String>,
    /// The request's `x-request-id`.
    request_id: Option<String>,
    /// Its place in the chain of all entries of the installation; null until it has one.
    position: Option<i64>,
    /// The hash of the entry in the place before.
    previous_hash: Option<String>,
    /// SHA-256 of that and of this entry.
    hash: Option<String>,
}

/// Who changed something.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct ActorView {
    /// What kind of actor.
    #[serde(rename = "type")]
    #[schema(schema_with = actors)]
    kind: String,
    /// Which key or member; null for the operator and Tidings itself.
    id: Option<String>,
    /// What it was called then.
    name: Option<String>,
}

/// What was changed.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditTarget)]
struct TargetView {
    /// What kind of thing.
    #[serde(rename = "type")]
    kind: String,
    /// Which; null where there were many.
    id: Option<String>,
}

fn actions() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "What was done.",
        crate::openapi::word(Action::ALL.map(Action::as_str)),
    )
}

fn actors() -> utoipa::openapi::schema::Object {
    crate::openapi::said("What kind of actor.", crate::openapi::word(Actor::TYPES))
}

impl EntryView {
    fn new(entry: Entry) -> Self {
        // What is no JSON was not written by us: it is shown as the text that it is.
        let read = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            id: entry.id,
            tenant_id: entry.tenant_id,
            at: entry.at,
            actor: ActorView {
                kind: entry.actor_type,
                id: entry.actor_id,
                name: entry.actor_name,
            },
            action: entry.action,
            target: TargetView {
                kind: entry.target_type,
                id: entry.target_id,
            },
            before: entry.before.map(read),
            after: entry.after.map(read),
            source_ip: entry.source_ip,
            request_id: entry.request_id,
            position: None,
            previous_hash: None,
            hash: None,
        }
    }
}

impl From<Listed> for EntryView {
    fn from(listed: Listed) -> Self {
        Self {
            position: listed.position,
            previous_hash: listed.previous_hash.map(|hash| to_hex(&hash)),
            hash: listed.hash.map(|hash| to_hex(&hash)),
            ..Self::new(listed.entry)
        }
    }
}

impl From<Chained> for EntryView {
    fn from(chained: Chained) -> Self {
        Self {
            position: Some(chained.place.position),
            previous_hash: Some(to_hex(&chained.previous_hash)),
            hash: Some(to_hex(&chained.place.hash)),
            ..Self::new(chained.entry)
        }
    }
}
