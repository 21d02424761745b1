//! Looking at what is about to be changed, and at what it became.

use crate::account;
use crate::connection::{Connection, each};
use crate::delivery::decode_state;
use crate::error::Error;
use crate::key::{self, Key};
use crate::member::{self, Member};
use crate::message;
use crate::quarantine;
use crate::replay::{self, Replay};
use crate::schema::{deliveries, message_history, messages};
use crate::sql_types::{Moment, Uid};
use crate::subscription::Subscription;
use crate::tenant::{self, Tenant};
use diesel::prelude::*;
use domain::id::{
    AccountId, DeliveryId, EventId, KeyId, MemberId, MessageId, QuarantineId, ReplayId,
    SubscriptionId, TenantId,
};
use domain::{State, Timestamp};

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A tenant.
    Tenant(TenantId),
    /// A key.
    Key(KeyId),
    /// A member.
    Member(MemberId),
    /// A provider account.
    Account(AccountId),
    /// A delivery.
    Delivery(DeliveryId),
    /// A replay.
    Replay(ReplayId),
    /// A message.
    Message(MessageId),
    /// A refused request.
    Quarantined(QuarantineId),
    /// The change says it by itself.
    Said,
}

/// Something as it is in the store.
#[derive(Debug)]
pub enum Seen {
    /// A tenant.
    Tenant(Tenant),
    /// A key.
    Key(Key),
    /// A member.
    Member(Member),
    /// A provider account.
    Account(account::Account),
    /// A subscription.
    Webhook(Box<Subscription>),
    /// A delivery.
    Delivery {
        /// Of which event.
        event_id: EventId,
        /// To which subscription.
        subscription_id: SubscriptionId,
        /// How far it is.
        state: domain::delivery::State,
        /// When it is tried, where it is.
        due_at: Timestamp,
    },
    /// A replay.
    Replay(Replay),
    /// A message.
    Message {
        /// Its state.
        state: State,
        /// How much was said of it.
        history_length: i64,
    },
    /// A refused request.
    Quarantined {
        /// Of which account.
        provider_account: String,
        /// When it was received.
        received_at: Timestamp,
    },
}

impl Target {
    /// What kind of thing it is.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant(_) => "tenant",
            Self::Key(_) => "key",
            Self::Member(_) => "member",
            Self::Account(_) => "provider_account",
            Self::Delivery(_) => "delivery",
            Self::Replay(_) => "replay",
            Self::Message(_) => "message",
            Self::Quarantined(_) => "quarantined_request",
            Self::Said => "",
        }
    }

    pub(crate) fn id(self) -> Option<String> {
        Some(match self {
            Self::Tenant(id) => id.to_string(),
            Self::Key(id) => id.to_string(),
            Self::Member(id) => id.to_string(),
            Self::Account(id) => id.to_string(),
            Self::Delivery(id) => id.to_string(),
            Self::Replay(id) => id.to_string(),
            Self::Message(id) => id.to_string(),
            Self::Quarantined(id) => id.to_string(),
            Self::Said => return None,
        })
    }
}

/// What a tenant's thing is now; none where there is none.
pub(super) fn at(
    connection: &mut Connection,
    tenant: TenantId,
    target: Target,
) -> Result<Option<Seen>, Error> {
    Ok(match target {
        Target::Tenant(id) => {
            let row = tenant::find(connection, id)?;
            row.map(Tenant::try_from).transpose()?.map(Seen::Tenant)
        }
        Target::Key(id) => {
            let row = key::find(connection, tenant, id)?;
            row.map(Key::try_from).transpose()?.map(Seen::Key)
        }
        Target::Member(id) => {
            let row = member::find(connection, tenant, id)?;
            row.map(Member::try_from).transpose()?.map(Seen::Member)
        }
        Target::Account(id) => account::find(connection, tenant, id)?.map(Seen::Account),
        Target::Replay(id) => replay::find(connection, tenant, id)?.map(Seen::Replay),
        Target::Delivery(id) => delivery(connection, tenant, id)?,
        Target::Message(id) => message(connection, tenant, id)?,
        Target::Quarantined(id) => {
            let found = quarantine::find(connection, tenant, id)?;
            found.map(|found| Seen::Quarantined {
                provider_account: found.provider_account,
                received_at: found.received_at,
            })
        }
        Target::Said => None,
    })
}

fn delivery(
    connection: &mut Connection,
    tenant: TenantId,
    id: DeliveryId,
) -> Result<Option<Seen>, Error> {
    let row: Option<(Uid, Uid, i16, Moment)> = each!(connection, c => deliveries::table
        .filter(deliveries::id.eq(Uid::from(id)))
        .filter(deliveries::tenant_id.eq(Uid::from(tenant)))
        .select((
            deliveries::event_id,
            deliveries::subscription_id,
            deliveries::state,
            deliveries::due_at,
        ))
        .first(c)
        .optional())?;
    row.map(|(event, subscription, state, due_at)| {
        Ok(Seen::Delivery {
            event_id: event.into(),
            subscription_id: subscription.into(),
            state: decode_state(state)?,
            due_at: due_at.into(),
        })
    })
    .transpose()
}

fn message(
    connection: &mut Connection,
    tenant: TenantId,
    id: MessageId,
) -> Result<Option<Seen>, Error> {
    let state: Option<i16> = each!(connection, c => messages::table
        .filter(messages::id.eq(Uid::from(id)))
        .filter(messages::tenant_id.eq(Uid::from(tenant)))
        .select(messages::state)
        .first(c)
        .optional())?;
    let Some(state) = state else {
        return Ok(None);
    };
    let history_length: i64 = each!(connection, c => message_history::table
        .filter(message_history::message_id.eq(Uid::from(id)))
        .count()
        .get_result(c))?;
    Ok(Some(Seen::Message {
        state: message::decode_state(state)?,
        history_length,
    }))
}
