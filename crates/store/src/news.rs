//! News of subscriptions, written as events in the transaction of what they tell.

use crate::connection::{Connection, each, insert_rows};
use crate::error::Error;
use crate::event::NewEventRow;
use crate::schema::{events, subscriptions};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::id::SubscriptionId;
use domain::news::{News, Webhook, What, host_of};
use domain::{Random, Shard, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// What was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// How many events that is.
    pub events: usize,
    /// The shards that have them.
    pub shards: BTreeSet<Shard>,
}

/// Tells news of subscriptions, except of those that were deleted.
pub(crate) fn tell(
    connection: &mut Connection,
    news: Vec<(SubscriptionId, What)>,
    now: Timestamp,
    random: &Random,
) -> Result<Told, Error> {
    if news.is_empty() {
        return Ok(Told::default());
    }
    let of: BTreeSet<Uid> = news.iter().map(|(id, _)| Uid::from(*id)).collect();
    let webhooks = webhooks(connection, of)?;
    let mut rows = Vec::new();
    for (id, what) in news {
        if let Some(webhook) = webhooks.get(&id) {
            let webhook = webhook.clone();
            let events = News { webhook, what }.events(now, random);
            rows.extend(events.into_iter().map(NewEventRow::from));
        }
    }
    insert_rows!(connection, events::table, rows.iter());
    Ok(Told::of(&rows))
}

impl Told {
    /// That these were written.
    pub(crate) fn of(rows: &[NewEventRow]) -> Self {
        let numbers = rows.iter().filter_map(|row| u8::try_from(row.shard).ok());
        Self {
            events: rows.len(),
            shards: numbers.filter_map(Shard::new).collect(),
        }
    }

    /// That more was told.
    pub fn add(&mut self, more: Self) {
        self.events += more.events;
        self.shards.extend(more.shards);
    }
}

fn webhooks(
    connection: &mut Connection,
    of: BTreeSet<Uid>,
) -> Result<HashMap<SubscriptionId, Webhook>, Error> {
    let rows: Vec<(Uid, Uid, String, Option<String>, String)> = each!(connection, c => subscriptions::table
        .filter(subscriptions::id.eq_any(&of))
        .filter(subscriptions::deleted_at.is_null())
        .select((
            subscriptions::id,
            subscriptions::tenant_id,
            subscriptions::environment,
            subscriptions::name,
            subscriptions::url,
        ))
        .load(c))?;
    rows.into_iter()
        .map(|(id, tenant, environment, name, url)| {
            let webhook_id = SubscriptionId::from(id);
            let webhook = Webhook {
                webhook_id,
                tenant_id: tenant.into(),
                environment: environment
                    .parse()
                    .map_err(|_| Error::unreadable("a subscription with an invalid environment"))?,
                name,
                host: host_of(&url).to_owned(),
            };
            Ok((webhook_id, webhook))
        })
        .collect()
}
