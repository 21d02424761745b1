//! Listing messages.

use super::{Held, MessageRow, encode_state, with_histories};
use crate::Store;
use crate::asked::{Asked, asked};
use crate::connection::{Connection, each};
use crate::dialect;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::{messages, send_attempts};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::id::{MessageId, TenantId};
use domain::report::FailureClass;
use domain::{State, Timestamp};
use std::collections::BTreeMap;

/// Which of a tenant's messages.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With a send attempt of this provider message id.
    pub provider_message_id: Option<Asked>,
    /// With a send attempt of this client reference; where both are given, of the same attempt.
    pub client_reference: Option<Asked>,
    /// Of this notification.
    pub notification_id: Option<Asked>,
    /// To this number, in E.164.
    pub to: Option<Asked>,
    /// In this state.
    pub state: Option<State>,
    /// Failed for this class of reasons.
    pub failure_class: Option<FailureClass>,
    /// Registered at or after this.
    pub after: Option<Timestamp>,
    /// Registered before this.
    pub before: Option<Timestamp>,
}

impl Filter {
    /// Whether it asks for ids, which are those of the message or of a later send attempt.
    const fn names_ids(&self) -> bool {
        self.provider_message_id.is_some() || self.client_reference.is_some()
    }
}

/// Whose ids a filter is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    OfMessages,
    OfLaterAttempts,
}

impl Store {
    /// A tenant's messages, newest first, with their histories.
    pub async fn list_messages(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<MessageId>,
    ) -> Result<Page<Held, MessageId>, Error> {
        self.read(move |connection| {
            let mut rows = find(connection, tenant, &filter, &window, Ids::OfMessages)?;
            if filter.names_ids() {
                let again = find(connection, tenant, &filter, &window, Ids::OfLaterAttempts)?;
                rows = merged(rows, again);
            }
            let page = window.page(rows, |row: &MessageRow| MessageId::from(row.id));
            Ok(Page {
                items: with_histories(connection, page.items)?,
                next: page.next,
            })
        })
        .await
    }
}

/// Both, newest first, each once.
fn merged(one: Vec<MessageRow>, two: Vec<MessageRow>) -> Vec<MessageRow> {
    let rows = one.into_iter().chain(two).map(|row| (row.id, row));
    let rows: BTreeMap<Uid, MessageRow> = rows.collect();
    rows.into_values().rev().collect()
}

fn find(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    window: &Window<MessageId>,
    ids: Ids,
) -> Result<Vec<MessageRow>, Error> {
    let order = dialect::message::text_order(connection);
    Ok(each!(connection, c => {
        let mut query = messages::table
            .filter(messages::tenant_id.eq(Uid::from(tenant)))
            .order(messages::id.desc())
            .limit(window.reach())
            .select(MessageRow::as_select())
            .into_boxed();
        if let Some(before) = window.before {
            query = query.filter(messages::id.lt(Uid::from(before)));
        }
        if ids == Ids::OfMessages {
            let (id, reference) = (&filter.provider_message_id, &filter.client_reference);
            asked!(query, order, messages::provider_message_id, "messages.provider_message_id", id);
            asked!(query, order, messages::client_reference, "messages.client_reference", reference);
        } else {
            let mut attempts = send_attempts::table
                .filter(send_attempts::tenant_id.eq(Uid::from(tenant)))
                .select(send_attempts::message_id)
                .into_boxed();
            let (id, reference) = (&filter.provider_message_id, &filter.client_reference);
            asked!(attempts, order, send_attempts::provider_message_id, "send_attempts.provider_message_id", id);
            asked!(attempts, order, send_attempts::client_reference, "send_attempts.client_reference", reference);
            query = query.filter(messages::id.eq_any(attempts));
        }
        let (notification, to) = (&filter.notification_id, &filter.to);
        asked!(query, order, messages::notification_id, "messages.notification_id", notification);
        asked!(query, order, messages::recipient, "messages.recipient", to);
        if let Some(state) = filter.state {
            query = query.filter(messages::state.eq(encode_state(state)));
        }
        if let Some(class) = filter.failure_class {
            query = query.filter(messages::failure_class.eq(class.as_str()));
        }
        // Ids begin with the time of registration, and are what the indexes end with.
        if let Some(after) = filter.after {
            query = query.filter(messages::id.ge(Uid::first_of(after)));
        }
        if let Some(before) = filter.before {
            query = query.filter(messages::id.lt(Uid::first_of(before)));
        }
        query.load(c)
    })?)
}
