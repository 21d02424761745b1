//! In which version a webhook gets events of the types that it names.

use crate::input::{self, Faults};
use crate::{Context, failure};
use catalog::built_in;
use domain::id::TenantId;
use domain::subscription::{MAX_PATTERNS, Pattern};
use runtime::http::Problem;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::subscription::Subscription;

/// Judges what was asked for. Where nothing was, a type that is named stays in the version that it was in,
/// and one that is named for the first time is in its newest: so a later version breaks nobody. Types that
/// only a pattern fits are told as they are published.
pub(super) async fn judge(
    context: &Context,
    tenant: TenantId,
    asked: Option<BTreeMap<String, i64>>,
    patterns: &[Pattern],
    already: Option<&Subscription>,
) -> Result<BTreeMap<String, u32>, Problem> {
    if asked
        .as_ref()
        .is_some_and(|asked| asked.len() > MAX_PATTERNS)
    {
        let detail = format!("name at most {MAX_PATTERNS} types");
        return Err(input::invalid("/versions", detail));
    }
    let exact = patterns.iter().filter_map(|pattern| match pattern {
        Pattern::Exact(name) => Some(name.clone()),
        Pattern::All | Pattern::Prefix(_) => None,
    });
    let names: BTreeSet<String> = match &asked {
        Some(asked) => asked.keys().cloned().collect(),
        None => exact
            .filter(|name| built_in::find(name).is_none())
            .collect(),
    };
    let newest = newest(context, tenant, &names).await?;
    let Some(asked) = asked else {
        let before = already.map(|already| &already.settings.versions);
        let pin = |(name, newest): (String, u32)| {
            let stays = before.and_then(|before| before.get(&name)).copied();
            (name, stays.unwrap_or(newest))
        };
        return Ok(newest.into_iter().map(pin).collect());
    };
    let mut faults = Faults::default();
    let mut pinned = BTreeMap::new();
    for (name, version) in asked {
        let pointer = format!("/versions/{}", input::escaped(&name));
        let known = newest.get(&name).copied();
        let version = u32::try_from(version).unwrap_or_default();
        match known {
            None => faults.add(pointer, "there is no such type in the catalog"),
            Some(_) if !patterns.iter().any(|pattern| pattern.matches(&name)) => {
                faults.add(pointer, "this webhook does not want this type");
            }
            Some(newest) if !(1..=newest).contains(&version) => {
                faults.add(pointer, format!("write a version from 1 to {newest}"));
            }
            Some(_) => {
                pinned.insert(name, version);
            }
        }
    }
    faults.unless_any()?;
    Ok(pinned)
}

/// The newest versions of these types, where they are there.
async fn newest(
    context: &Context,
    tenant: TenantId,
    names: &BTreeSet<String>,
) -> Result<HashMap<String, u32>, Problem> {
    let (shipped, others): (Vec<String>, Vec<String>) = names
        .iter()
        .cloned()
        .partition(|name| built_in::find(name).is_some());
    let mut newest: HashMap<String, u32> = shipped
        .into_iter()
        .map(|name| (name, built_in::VERSION))
        .collect();
    if !others.is_empty() {
        let found = context.store.find_event_types(tenant, others).await;
        let found = found.map_err(failure::of_store)?;
        newest.extend(found.into_iter().map(|of| (of.name, of.newest)));
    }
    Ok(newest)
}
