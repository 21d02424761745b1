//! What a test tells, where nobody says what.

use crate::{Context, event_type, failure};
use catalog::built_in;
use domain::json::Raw;
use runtime::http::Problem;
use store::subscription::Subscription;

/// A type, in the version in which a webhook would get it.
pub(super) struct Sample {
    pub name: String,
    pub version: u32,
    /// The example of that version.
    pub data: Raw,
}

/// What a webhook would be told of a type.
pub(super) async fn sample(
    context: &Context,
    subscription: &Subscription,
    name: &str,
) -> Result<Sample, Problem> {
    if let Some(shipped) = built_in::find(name) {
        return Ok(Sample {
            name: shipped.name.clone(),
            version: built_in::VERSION,
            data: shipped.example.clone(),
        });
    }
    let store = &context.store;
    let tenant = subscription.interest.tenant_id;
    let found = store.find_event_type(tenant, name.to_owned()).await;
    let found = found.map_err(failure::of_store)?;
    let of = found.ok_or_else(|| event_type::unknown(name))?;
    let pinned = subscription.settings.versions.get(&of.name).copied();
    let number = pinned.map_or(of.newest, |pinned| pinned.min(of.newest));
    let version = store.find_event_type_version(of.owner, of.name.clone(), number);
    let version = version.await.map_err(failure::of_store)?;
    Ok(Sample {
        name: of.name,
        version: number,
        data: version.ok_or_else(failure::broken)?.example,
    })
}
