//! In which version a webhook gets events of the types that it names.

use crate::event_type::Types;
use crate::input::{self, Faults};
use catalog::built_in;
use domain::subscription::{MAX_PATTERNS, Pattern};
use runtime::http::Problem;
use std::collections::BTreeMap;
use store::subscription::Subscription;

/// Judges what was asked for. Where nothing was, a type stays in the version that it was in, if in any, and one
/// that is named for the first time is in its newest: so a later version breaks nobody. Other types that a
/// pattern fits are told as they are published.
pub(super) fn judge(
    asked: Option<BTreeMap<String, i64>>,
    patterns: &[Pattern],
    before: Option<&Subscription>,
    types: &Types,
) -> Result<BTreeMap<String, u32>, Problem> {
    let is_wanted = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
    let Some(asked) = asked else {
        let stays = before.map(|before| before.settings.versions.iter());
        let stays = stays.into_iter().flatten();
        let stays = stays.filter(|(name, _)| is_wanted(name));
        let mut pinned: BTreeMap<String, u32> = stays
            .map(|(name, version)| (name.clone(), *version))
            .collect();
        let was_named = |pattern: &Pattern| {
            before.is_some_and(|before| before.interest.patterns.contains(pattern))
        };
        for pattern in patterns.iter().filter(|pattern| !was_named(pattern)) {
            if let Pattern::Exact(name) = pattern
                && let Some(newest) = types.newest(name)
            {
                pinned.entry(name.clone()).or_insert(newest);
            }
        }
        return Ok(pinned);
    };
    if asked.len() > MAX_PATTERNS {
        let detail = format!("name at most {MAX_PATTERNS} types");
        return Err(input::invalid("/versions", detail));
    }
    let mut faults = Faults::default();
    let mut pinned = BTreeMap::new();
    for (name, version) in asked {
        let pointer = format!("/versions/{}", input::escaped(&name));
        let shipped = built_in::find(&name).map(|_| built_in::VERSION);
        let newest = shipped.or_else(|| types.newest(&name));
        let version = u32::try_from(version).unwrap_or_default();
        match newest {
            None => faults.add(pointer, "there is no such type in the catalog"),
            Some(_) if !is_wanted(&name) => {
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
