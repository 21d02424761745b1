//! The audit log: an entry for each change of what a tenant has, written in the transaction of the change.
//!
//! A [`Store`] that acts for somebody ([`Store::acting`]) writes it: what is changed is looked at before and
//! after, and where nothing differs nothing is written. What is changed many at once says itself what it was.

mod chain;
mod list;
mod look;
mod row;

pub(crate) use chain::Linked;
pub use chain::{Chain, Chained};
pub use list::{Filter, Listed};
pub use look::{Seen, Target};

use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::dialect::lock;
use crate::error::Error;
use crate::schema::{api_keys, audit_entries, members};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::audit::{Action, Actor, Entry};
use domain::id::{AuditEntryId, SubscriptionId, TenantId};
use domain::subscription::DisabledReason;
use domain::{Clock, Random, Timestamp};
use row::EntryRow;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// The longest text of what something was or became.
const MAX_SHOWN_BYTES: usize = 16_384;
/// The longest name of an actor.
const MAX_NAME_BYTES: usize = 128;
/// So many digits in a row may be somebody's phone number.
const PHONE_DIGITS: usize = 7;

/// What is shown of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What everybody who may read the log may see.
    pub view: Value,
    /// A hash of what is secret of it. It is compared, and kept nowhere.
    pub secrets: [u8; 32],
}

impl Shown {
    /// Of something that has no secrets.
    pub const fn open(view: Value) -> Self {
        Self {
            view,
            secrets: [0; 32],
        }
    }
}

/// Says what is shown of something.
pub type Show = Arc<dyn Fn(&Seen) -> Shown + Send + Sync>;

/// Somebody who changes something.
#[derive(Clone)]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// Whose things.
    pub tenant_id: TenantId,
    /// What is done.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// From where.
    pub source_ip: Option<String>,
    /// With which request.
    pub request_id: Option<String>,
    /// What is shown of it.
    pub show: Show,
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Act")
            .field("actor", &self.actor)
            .field("action", &self.action)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// A change: what of, what it was, and what it became.
pub(crate) struct Change {
    pub target_type: &'static str,
    pub target_id: Option<String>,
    pub before: Option<Shown>,
    pub after: Option<Shown>,
}

/// Writes what an act did.
#[derive(Clone)]
pub(crate) struct Recorder {
    act: Arc<Act>,
    clock: Clock,
    random: Random,
}

impl Store {
    /// The same store, whose next change is somebody's act.
    #[must_use]
    pub fn acting(&self, act: Act) -> Self {
        Self {
            act: Some(Arc::new(act)),
            ..self.clone()
        }
    }

    /// Writes down what somebody begins that is done in many transactions.
    pub async fn note_act(&self, target_type: &'static str, what: Value) -> Result<(), Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            Recorder::note(
                recorder.as_ref(),
                connection,
                target_type,
                None,
                what.clone(),
            )
        })
        .await
    }

    /// What writes the act of this store; none where nobody acts.
    pub(crate) fn recorder(&self) -> Option<Recorder> {
        let act = self.act.clone()?;
        Some(Recorder {
            act,
            clock: self.clock.clone(),
            random: self.random.clone(),
        })
    }
}

impl Recorder {
    /// Does it, and writes what that changed of the act's target.
    pub(crate) fn around<T>(
        &self,
        connection: &mut Connection,
        work: &mut impl FnMut(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let target = self.act.target;
        let Some(id) = target.id() else {
            return work(connection);
        };
        // Of two who change it at once, the second sees what the first made of it.
        lock::for_change(connection, &id)?;
        // Whoever removes themselves has no name afterwards.
        let name = name_of(connection, self.act.actor)?;
        let before = look::at(connection, self.act.tenant_id, target)?;
        let done = work(connection)?;
        let after = look::at(connection, self.act.tenant_id, target)?;
        let change = Change {
            target_type: target.as_str(),
            target_id: Some(id),
            before: before.as_ref().map(|seen| self.show(seen)),
            after: after.as_ref().map(|seen| self.show(seen)),
        };
        self.write(connection, name, vec![change])?;
        Ok(done)
    }

    /// The same, doing something else.
    pub(crate) fn doing(&self, action: Action) -> Self {
        let act = Act {
            action,
            ..(*self.act).clone()
        };
        Self {
            act: Arc::new(act),
            ..self.clone()
        }
    }

    /// The same for somebody else, whose name is known only now.
    pub(crate) fn by(&self, actor: Actor, tenant_id: TenantId) -> Self {
        let act = Act {
            actor,
            tenant_id,
            ..(*self.act).clone()
        };
        Self {
            act: Arc::new(act),
            ..self.clone()
        }
    }

    pub(crate) fn show(&self, seen: &Seen) -> Shown {
        (self.act.show)(seen)
    }

    /// Writes what was changed, but for what is as it was.
    pub(crate) fn changed(
        &self,
        connection: &mut Connection,
        changes: Vec<Change>,
    ) -> Result<(), Error> {
        let name = name_of(connection, self.act.actor)?;
        self.write(connection, name, changes)
    }

    /// Writes what was done, where somebody did it.
    pub(crate) fn note(
        recorder: Option<&Self>,
        connection: &mut Connection,
        target_type: &'static str,
        target_id: Option<String>,
        what: Value,
    ) -> Result<(), Error> {
        let Some(recorder) = recorder else {
            return Ok(());
        };
        let change = Change {
            target_type,
            target_id,
            before: None,
            after: Some(Shown::open(what)),
        };
        recorder.changed(connection, vec![change])
    }

    fn write(
        &self,
        connection: &mut Connection,
        actor_name: Option<String>,
        changes: Vec<Change>,
    ) -> Result<(), Error> {
        let act = &self.act;
        let now = self.clock.now();
        let differs = changes
            .into_iter()
            .filter(|change| change.before != change.after);
        let rows: Vec<EntryRow> = differs
            .map(|change| {
                let Change {
                    target_type,
                    target_id,
                    before,
                    after,
                } = change;
                let is_new_secret = matches!((&before, &after),
                    (Some(before), Some(after)) if before.secrets != after.secrets);
                EntryRow::from(Entry {
                    id: AuditEntryId::new(now, &self.random),
                    tenant_id: act.tenant_id,
                    at: now,
                    actor_type: act.actor.as_str().to_owned(),
                    actor_id: act.actor.id(),
                    actor_name: actor_name.clone(),
                    action: act.action.as_str().to_owned(),
                    target_type: target_type.to_owned(),
                    target_id,
                    before: before.map(|shown| written(shown.view)),
                    after: after.map(|shown| written(with_secret(shown.view, is_new_secret))),
                    source_ip: act.source_ip.clone(),
                    request_id: act.request_id.clone(),
                })
            })
            .collect();
        insert_rows!(connection, audit_entries::table, rows.iter());
        Ok(())
    }
}

/// Writes that Tidings disabled subscriptions by itself.
pub(crate) fn disabled(
    connection: &mut Connection,
    disabled: &[(SubscriptionId, TenantId, DisabledReason)],
    now: Timestamp,
    random: &Random,
) -> Result<(), Error> {
    let rows: Vec<EntryRow> = disabled
        .iter()
        .map(|(id, tenant_id, reason)| {
            EntryRow::from(Entry {
                id: AuditEntryId::new(now, random),
                tenant_id: *tenant_id,
                at: now,
                actor_type: Actor::Tidings.as_str().to_owned(),
                actor_id: None,
                actor_name: None,
                action: Action::WebhookDisabled.as_str().to_owned(),
                target_type: "webhook".to_owned(),
                target_id: Some(id.to_string()),
                before: Some(written(json!({ "enabled": true }))),
                after: Some(written(
                    json!({ "enabled": false, "disabled_reason": reason.as_str() }),
                )),
                source_ip: None,
                request_id: None,
            })
        })
        .collect();
    insert_rows!(connection, audit_entries::table, rows.iter());
    Ok(())
}

/// That a secret is another is said, and nothing else of it.
fn with_secret(mut view: Value, is_new: bool) -> Value {
    if let (true, Value::Object(members)) = (is_new, &mut view) {
        members.insert("secrets_changed".to_owned(), true.into());
    }
    view
}

/// As it is kept: without what may be a phone number where people write, its members in one order, and never
/// too long.
fn written(mut view: Value) -> String {
    if let Value::Object(members) = &mut view {
        for name in ["name", "description", "url", "reason"] {
            if let Some(Value::String(text)) = members.get_mut(name) {
                *text = without_phones(text);
            }
        }
    }
    let text = view.to_string();
    if text.len() > MAX_SHOWN_BYTES {
        return json!({ "too_long": text.len() }).to_string();
    }
    text
}

fn without_phones(text: &str) -> String {
    let (mut kept, mut digits) = (String::new(), String::new());
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        kept.push_str(if digits.len() >= PHONE_DIGITS {
            "[redacted]"
        } else {
            &digits
        });
        digits.clear();
        kept.push(c);
    }
    kept.pop();
    kept
}

/// What an actor is called now.
fn name_of(connection: &mut Connection, actor: Actor) -> Result<Option<String>, Error> {
    let name: Option<String> = match actor {
        Actor::Key(id) => each!(connection, c => api_keys::table
            .find(Uid::from(id))
            .select(api_keys::name)
            .first(c)
            .optional())?,
        Actor::Member(id) => {
            let row: Option<(Option<String>, String)> = each!(connection, c => members::table
                .find(Uid::from(id))
                .select((members::name, members::email))
                .first(c)
                .optional())?;
            row.map(|(name, email)| name.unwrap_or(email))
        }
        Actor::Operator | Actor::Tidings => None,
    };
    Ok(name.map(|name| without_phones(domain::text::cut(&name, MAX_NAME_BYTES))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_phone_number_is_kept_nowhere_that_people_write() {
        let kept = written(json!({
            "name": "Ann +254700000001",
            "url": "https://a.example/254700000001/x?port=8080",
            "id": "sub_01h4559999999999",
        }));
        assert_eq!(
            kept,
            r#"{"id":"sub_01h4559999999999","name":"Ann +[redacted]","url":"https://a.example/[redacted]/x?port=8080"}"#
        );
    }

    #[test]
    fn what_is_too_long_says_how_long_it_is() {
        let kept = written(json!({ "a": "x".repeat(20_000) }));
        assert_eq!(kept, r#"{"too_long":20008}"#);
    }
}
