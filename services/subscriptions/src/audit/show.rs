//! What the audit log shows of things: what the API shows of them, without what moves by itself and without
//! what is secret. Of that, a hash is compared.

use crate::Context;
use crate::{account, key, member, replay, tenant, webhook};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::audit::{Seen, Shown};
use store::subscription::Subscription;

/// What changes without anybody changing it.
const MOVES: [&str; 8] = [
    "updated_at",
    "health",
    "last_used_at",
    "last_login_at",
    "done",
    "deliveries",
    "ended_at",
    "secret",
];
/// Stands for what is not shown.
const REDACTED: &str = "[redacted]";

/// What is shown of something.
pub(super) fn show(context: &Context, seen: &Seen) -> Shown {
    match seen {
        Seen::Tenant(it) => open(tenant::view(it.clone())),
        Seen::Key(it) => open(key::view(it.clone())),
        Seen::Member(it) => open(member::MemberView::from(it.clone())),
        Seen::Replay(it) => open(replay::ReplayView::from(it.clone())),
        Seen::Account(it) => {
            let (view, secrets) = account::shown(context, it);
            closed(view, &secrets)
        }
        Seen::Webhook(it) => webhook(context, it),
        Seen::Delivery {
            event_id,
            subscription_id,
            state,
            due_at,
        } => {
            let is_pending = *state == domain::delivery::State::Pending;
            Shown::open(json!({
                "event_id": event_id,
                "subscription_id": subscription_id,
                "state": state,
                "next_attempt_at": is_pending.then_some(due_at),
            }))
        }
        Seen::Message {
            state,
            history_length,
        } => Shown::open(json!({ "state": state.as_str(), "history_length": history_length })),
        Seen::Quarantined {
            provider_account,
            received_at,
        } => {
            Shown::open(json!({ "provider_account": provider_account, "received_at": received_at }))
        }
    }
}

fn webhook(context: &Context, subscription: &Subscription) -> Shown {
    let (view, secrets) = webhook::shown(context, subscription);
    let mut shown = closed(view, &secrets);
    // Names of headers say what is sent; values may be keys.
    if let Some(Value::Object(headers)) = shown.view.get_mut("headers") {
        let values: Vec<u8> = headers
            .values()
            .flat_map(|it| it.to_string().into_bytes())
            .collect();
        shown.secrets = hash(&[&shown.secrets, &values]);
        for value in headers.values_mut() {
            *value = REDACTED.into();
        }
    }
    shown
}

fn open(view: impl Serialize) -> Shown {
    closed(Some(view), &[])
}

/// One that cannot be shown says so: what is done to it is written down all the same.
fn closed(view: Option<impl Serialize>, secrets: &[Vec<u8>]) -> Shown {
    let view = view.and_then(|view| serde_json::to_value(view).ok());
    let mut members = match view {
        Some(Value::Object(members)) => members,
        _ => Map::from_iter([("unreadable".to_owned(), true.into())]),
    };
    for name in MOVES {
        members.remove(name);
    }
    let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
    Shown {
        view: Value::Object(members),
        secrets: hash(&secrets),
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(0).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
