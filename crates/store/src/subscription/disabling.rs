//! Disabling subscriptions that nobody asked us to.

use super::all_changed;
use crate::audit;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::schema::subscriptions;
use crate::sql_types::{Moment, Uid};
use crate::warning::Disabling;
use diesel::prelude::*;
use domain::subscription::DisabledReason;
use domain::{Random, Timestamp};
use std::collections::BTreeSet;

/// Disables subscriptions, except those that somebody changed since the attempts that are to blame; those
/// that were enabled until now.
pub(crate) fn disable(
    connection: &mut Connection,
    wanted: Vec<Disabling>,
    now: Timestamp,
    random: &Random,
) -> Result<Vec<Disabling>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let ids: BTreeSet<Uid> = wanted.iter().map(|wanted| wanted.id.into()).collect();
    let enabled: Vec<(Uid, Uid, Moment)> = load_locked!(
        connection,
        subscriptions::table
            .filter(subscriptions::id.eq_any(ids))
            .filter(subscriptions::is_enabled.eq(true))
            .filter(subscriptions::deleted_at.is_null())
            .order(subscriptions::id)
            .select((
                subscriptions::id,
                subscriptions::tenant_id,
                subscriptions::updated_at
            )),
        for_update
    );
    let (mut disabled, mut tenants, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (id, tenant, updated_at) in enabled {
        let is_to_blame = |wanted: &&Disabling| {
            Uid::from(wanted.id) == id && Moment::from(wanted.settings_of) == updated_at
        };
        if let Some(wanted) = wanted.iter().find(is_to_blame) {
            disabled.push(wanted.clone());
            tenants.push(tenant);
            told.push((wanted.id, tenant.into(), wanted.reason));
        }
    }
    for reason in DisabledReason::ALL {
        let for_it = disabled.iter().filter(|disabled| disabled.reason == reason);
        let ids: Vec<Uid> = for_it.map(|disabled| disabled.id.into()).collect();
        if !ids.is_empty() {
            each!(connection, c => diesel::update(subscriptions::table)
                .filter(subscriptions::id.eq_any(&ids))
                .set((
                    subscriptions::is_enabled.eq(false),
                    subscriptions::disabled_reason.eq(Some(reason.as_str())),
                    subscriptions::disabled_at.eq(Some(Moment::from(now))),
                    subscriptions::updated_at.eq(Moment::from(now)),
                ))
                .execute(c))?;
        }
    }
    if !tenants.is_empty() {
        all_changed(connection, &tenants)?;
        audit::disabled(connection, &told, now, random)?;
    }
    Ok(disabled)
}
