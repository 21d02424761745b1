//! What is written of plans into the audit log.

use super::PlanRow;
use crate::audit::{Change, Recorder, Shown};
use crate::connection::Connection;
use crate::error::Error;
use domain::audit::Action;
use serde_json::json;

/// Writes what a plan was and became, where somebody changed it.
pub(super) fn changed(
    recorder: Option<&Recorder>,
    connection: &mut Connection,
    before: Option<PlanRow>,
    after: Option<PlanRow>,
) -> Result<(), Error> {
    let Some(recorder) = recorder else {
        return Ok(());
    };
    let action = match (&before, &after) {
        (None, _) => Action::PlanCreated,
        (Some(_), Some(_)) => Action::PlanUpdated,
        (Some(_), None) => Action::PlanDeleted,
    };
    let name = before.as_ref().or(after.as_ref());
    let change = Change {
        target_type: "plan",
        target_id: name.map(|row| row.name.clone()),
        before: before.as_ref().map(show),
        after: after.as_ref().map(show),
    };
    recorder.doing(action).changed(connection, vec![change])
}

fn show(row: &PlanRow) -> Shown {
    let is_limited = row.per_minute.is_some() || row.per_hour.is_some();
    let rate = json!({ "per_minute": row.per_minute, "per_hour": row.per_hour });
    Shown::open(json!({
        "events_per_day": row.events_per_day,
        "webhooks": row.webhooks,
        "rate_limit": is_limited.then_some(rate),
    }))
}
