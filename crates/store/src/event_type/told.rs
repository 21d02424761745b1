//! What is written of event types into the audit log.

use super::NewVersion;
use super::row::TypeRow;
use crate::audit::{Change, Recorder, Shown};
use crate::connection::Connection;
use crate::error::Error;
use domain::audit::Action;
use serde_json::json;

/// Writes which versions were added, where somebody did it.
pub(super) fn added(
    recorder: Option<&Recorder>,
    connection: &mut Connection,
    versions: &[&NewVersion],
) -> Result<(), Error> {
    let Some(recorder) = recorder else {
        return Ok(());
    };
    let (first, later): (Vec<&NewVersion>, Vec<&NewVersion>) =
        versions.iter().partition(|one| one.number == 1);
    for (action, versions) in [
        (Action::EventTypeCreated, first),
        (Action::EventTypeVersionAdded, later),
    ] {
        let changes = versions.into_iter().map(|one| {
            let view = json!({
                "version": one.number,
                "breaking": one.is_breaking,
                "description": one.description,
            });
            change(&one.name, None, Some(Shown::open(view)))
        });
        recorder
            .doing(action)
            .changed(connection, changes.collect())?;
    }
    Ok(())
}

/// Writes what is said of a type, where somebody said it.
pub(super) fn changed(
    recorder: Option<&Recorder>,
    connection: &mut Connection,
    before: Option<TypeRow>,
    after: Option<&TypeRow>,
) -> Result<(), Error> {
    let (Some(recorder), Some(after)) = (recorder, after) else {
        return Ok(());
    };
    let before = before.as_ref().map(show);
    let change = change(&after.name, before, Some(show(after)));
    recorder.changed(connection, vec![change])
}

fn change(name: &str, before: Option<Shown>, after: Option<Shown>) -> Change {
    Change {
        target_type: "event_type",
        target_id: Some(name.to_owned()),
        before,
        after,
    }
}

fn show(row: &TypeRow) -> Shown {
    Shown::open(json!({
        "description": row.description,
        "deprecated": row.is_deprecated,
        "archived": row.is_archived,
    }))
}
