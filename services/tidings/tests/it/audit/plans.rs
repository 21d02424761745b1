//! Plans are the operator's, and so are the entries of their changes.

use super::{delete, entries};
use serde_json::{Value, json};
use testkit::Api;

/// Each change of a plan is written down, and nothing else.
pub(super) async fn leave_entries(operator: &Api) {
    let path = "/v1/plans/gold";
    for (webhooks, status) in [(1, 201), (1, 200), (2, 200)] {
        let put = operator.put(path, &json!({ "webhooks": webhooks })).await;
        put.expect(status);
    }
    delete(operator, path).await;
    let left = entries(operator, "&target=gold").await;
    let told = |name: &str| left.iter().map(|it| it[name].clone()).collect::<Vec<_>>();
    let actions = ["plan.deleted", "plan.updated", "plan.created"];
    assert_eq!(told("action"), actions);
    let limits =
        |webhooks| json!({ "events_per_day": null, "rate_limit": null, "webhooks": webhooks });
    assert_eq!(told("before"), [limits(2), limits(1), Value::Null]);
    assert_eq!(told("after"), [Value::Null, limits(2), limits(1)]);
}
