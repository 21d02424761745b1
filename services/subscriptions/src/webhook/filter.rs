//! Which webhooks: the filters of the list, which a bulk request takes too.

use crate::list::{MAX_URL_BYTES, MAX_VALUE_BYTES, Query};
use crate::openapi::{parameters, query, text, word};
use domain::account::Environment;
use domain::catalog;
use domain::subscription::State;
use runtime::http::Problem;
use store::subscription::Filter;
use utoipa::PartialSchema;

parameters! {
    /// Of which webhooks.
    Wanted:
    query("environment", "Of this environment", Environment::schema()),
    query("state", "In this state", word(State::ALL.map(State::as_str))),
    query("event_type", "That would receive events of this type", text(MAX_VALUE_BYTES)),
    query("url", "To this URL, as it was written", text(MAX_URL_BYTES)),
    query("url_prefix", "To URLs that begin with this, at least 3 characters", text(MAX_URL_BYTES)),
    query("name", "Of this name", text(MAX_VALUE_BYTES)),
    query("name_prefix", "Whose names begin with this, at least 3 characters", text(MAX_VALUE_BYTES)),
}

/// The names of the filters.
pub(super) const NAMES: [&str; 7] = [
    "environment",
    "state",
    "event_type",
    "url",
    "url_prefix",
    "name",
    "name_prefix",
];

/// Reads the filters of a list.
pub(super) fn read(query: &Query) -> Result<Filter, Problem> {
    let any = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let environment = |text: &str| text.parse::<Environment>().ok();
    // One that somebody may bring is asked for, whether it is there or not.
    let may_be =
        |name: &str| catalog::find(name).is_some() || catalog::judge_own_name(name).is_ok();
    let event_type = |text: &str| may_be(text).then(|| text.to_owned());
    Ok(Filter {
        environment: query.parsed("environment", environment, "the name of an environment")?,
        state: query.parsed("state", State::parse, "active, disabled or unverified")?,
        event_type: query.parsed("event_type", event_type, "the name of an event type")?,
        url: query.asked("url", any, any, "a URL as it was written")?,
        name: query.asked("name", any, any, "a name")?,
    })
}
