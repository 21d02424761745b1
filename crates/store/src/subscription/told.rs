//! What is written of changed subscriptions into the audit log.

use super::{Subscription, SubscriptionRow};
use crate::audit::{Change, Recorder, Seen, Shown};
use crate::connection::Connection;
use crate::error::Error;
use domain::id::SubscriptionId;

/// What subscriptions were, and what they became.
pub(super) type Pair = (Option<SubscriptionRow>, Option<SubscriptionRow>);

/// Writes what was changed, where somebody did it.
pub(super) fn changed(
    recorder: Option<&Recorder>,
    connection: &mut Connection,
    pairs: Vec<Pair>,
) -> Result<(), Error> {
    let Some(recorder) = recorder else {
        return Ok(());
    };
    let mut changes = Vec::with_capacity(pairs.len());
    for (before, after) in pairs {
        let id = before.as_ref().or(after.as_ref()).map(|row| row.id);
        changes.push(Change {
            target_type: "webhook",
            target_id: id.map(|id| SubscriptionId::from(id).to_string()),
            before: show(recorder, before)?,
            after: show(recorder, after)?,
        });
    }
    recorder.changed(connection, changes)
}

fn show(recorder: &Recorder, row: Option<SubscriptionRow>) -> Result<Option<Shown>, Error> {
    let Some(row) = row else {
        return Ok(None);
    };
    let seen = Seen::Webhook(Box::new(Subscription::try_from(row)?));
    Ok(Some(recorder.show(&seen)))
}
