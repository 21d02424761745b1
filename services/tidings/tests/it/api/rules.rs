//! What a request may say, rule by rule, and where a refusal says it is wrong.

mod account;
mod event;
mod message;
mod webhook;

use super::assert_refused;
use crate::app::Tenant;
use serde_json::Value;

/// `base` with these members replaced or added.
fn with(base: &Value, members: &Value) -> Value {
    let mut body = base.clone();
    let all = body.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        all.insert(name.clone(), value.clone());
    }
    body
}

/// Each of `bad` breaks a rule at its pointers; each of `good` breaks none.
async fn judge(
    tenant: &Tenant,
    path: &str,
    base: &Value,
    good: &[Value],
    bad: &[(Value, &[&str])],
) {
    for members in good {
        let answer = tenant.api.post(path, with(base, members)).await;
        assert!((200..300).contains(&answer.status), "{members}: {answer}");
    }
    for (members, at) in bad {
        assert_refused(&tenant.api.post(path, with(base, members)).await, at);
    }
}
