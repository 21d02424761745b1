//! Listing subscriptions.

use super::{Subscription, SubscriptionRow};
use crate::Store;
use crate::asked::{Asked, asked};
use crate::connection::{Connection, each};
use crate::dialect;
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::subscriptions;
use crate::sql_types::Uid;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use domain::account::Environment;
use domain::id::{SubscriptionId, TenantId};
use domain::subscription::{Pattern, State};

/// Which of a tenant's subscriptions.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this environment.
    pub environment: Option<Environment>,
    /// In this state.
    pub state: Option<State>,
    /// That want events of this type, by its name or by a pattern.
    pub event_type: Option<String>,
    /// To this URL, as it was written.
    pub url: Option<Asked>,
    /// Of this name.
    pub name: Option<Asked>,
}

impl Store {
    /// A tenant's subscriptions, newest first, with how they fare.
    pub async fn list_subscriptions(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<SubscriptionId>,
    ) -> Result<Page<Subscription, SubscriptionId>, Error> {
        self.read(move |connection| {
            let rows = rows(connection, tenant, &filter, &window)?;
            let page = window.page(rows, |row| SubscriptionId::from(row.id));
            let items = page.items.into_iter().map(Subscription::try_from);
            Ok(Page {
                items: items.collect::<Result<_, _>>()?,
                next: page.next,
            })
        })
        .await
    }
}

/// As many as the window reaches, newest first.
pub(super) fn rows(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    window: &Window<SubscriptionId>,
) -> Result<Vec<SubscriptionRow>, Error> {
    let is_enabled = match filter.state {
        None => None,
        Some(State::Active) => Some(true),
        Some(State::Disabled) => Some(false),
        Some(State::Unverified) => return Ok(Vec::new()),
    };
    let order = dialect::message::text_order(connection);
    let (wants, these) = dialect::subscription::wants(connection);
    Ok(each!(connection, c => {
        let mut query = subscriptions::table
            .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
            .filter(subscriptions::deleted_at.is_null())
            .order(subscriptions::id.desc())
            .limit(window.reach())
            .select(SubscriptionRow::as_select())
            .into_boxed();
        if let Some(before) = window.before {
            query = query.filter(subscriptions::id.lt(Uid::from(before)));
        }
        if let Some(environment) = &filter.environment {
            query = query.filter(subscriptions::environment.eq(environment.as_str()));
        }
        if let Some(is_enabled) = is_enabled {
            query = query.filter(subscriptions::is_enabled.eq(is_enabled));
        }
        if let Some(event_type) = &filter.event_type {
            let patterns = Pattern::all_matching(event_type).join(",");
            query = query.filter(sql::<Bool>(wants).bind::<Text, _>(patterns).sql(these));
        }
        let (url, name) = (&filter.url, &filter.name);
        asked!(query, order, subscriptions::url, "subscriptions.url", url);
        asked!(query, order, subscriptions::name, "subscriptions.name", name);
        query.load(c)
    })?)
}
