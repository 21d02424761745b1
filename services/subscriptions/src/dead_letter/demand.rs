//! What is asked for many dead letters at once.

use crate::input::{self, Faults, present};
use domain::Timestamp;
use domain::id::DeadLetterId;
use runtime::http::Problem;
use serde::Deserialize;
use std::num::NonZeroU32;
use store::dead_letter::Filter;
use utoipa::ToSchema;
use wire::Queue;

/// How many are done again in each second, unless the request says otherwise.
pub(super) const USUAL_RATE: NonZeroU32 = match NonZeroU32::new(50) {
    Some(rate) => rate,
    None => NonZeroU32::MIN,
};
/// The most that a request may say.
const MOST_PER_SECOND: u32 = 500;
/// As an error says it.
pub(super) const TIME: &str = "a time in RFC 3339, like 2026-11-23T21:09:00Z";

/// Which dead letters to have done again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequeueDeadLetters, examples(json!({
    "filter": { "queue": "callbacks", "after": "2026-11-23T00:00:00Z" },
    "dry_run": true,
})))]
pub(super) struct Requeue {
    /// Which ones.
    pub(super) filter: Wanted,
    /// Only says how many there are.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// How many in each second; 50 unless you say otherwise.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 500)]
    pub(super) per_second: Option<u32>,
}

/// Which dead letters to purge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PurgeDeadLetters, examples(json!({
    "filter": { "account": "clinic-ke" },
    "dry_run": true,
})))]
pub(super) struct Purge {
    /// Which ones.
    pub(super) filter: Wanted,
    /// Only says how many there are.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// Which dead letters to leave dead.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelDeadLetters, examples(json!({ "filter": { "queue": "callbacks" } })))]
pub(super) struct Cancel {
    /// Which ones.
    pub(super) filter: Wanted,
}

/// Which ones: all, where it says nothing. It has to be there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeadLetterFilter)]
pub(super) struct Wanted {
    /// This one alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DeadLetterId, required = false)]
    id: Option<String>,
    /// From this queue.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = queue_names, required = false)]
    queue: Option<String>,
    /// Of this kind of job.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 128)]
    kind: Option<String>,
    /// Of the account of this slug.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 128)]
    account: Option<String>,
    /// Given up after this moment.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Timestamp, required = false)]
    after: Option<String>,
    /// Given up before this moment.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Timestamp, required = false)]
    before: Option<String>,
}

fn queue_names() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "From this queue.",
        crate::openapi::word(Queue::ALL.map(Queue::as_str)),
    )
}

impl Wanted {
    pub(super) fn check(self) -> Result<Filter, Problem> {
        let mut faults = Faults::default();
        faults.check_text("/filter/kind", self.kind.as_deref());
        faults.check_text("/filter/account", self.account.as_deref());
        let id = "the id of a dead letter, dlt_…";
        let id = parsed(&mut faults, "/filter/id", self.id.as_deref(), id, |text| {
            text.parse().ok()
        });
        let queue = self.queue.as_deref();
        let queue = parsed(&mut faults, "/filter/queue", queue, &queues(), Queue::parse);
        let mut time = |at, text: Option<String>| {
            parsed(
                &mut faults,
                at,
                text.as_deref(),
                TIME,
                Timestamp::parse_rfc3339,
            )
        };
        let (after, before) = (
            time("/filter/after", self.after),
            time("/filter/before", self.before),
        );
        faults.unless_any()?;
        Ok(Filter {
            id,
            queue: queue.map(|queue| queue.as_str().to_owned()),
            kind: self.kind,
            provider_account: self.account,
            after,
            before,
        })
    }
}

pub(super) fn rate(per_second: Option<u32>) -> Result<NonZeroU32, Problem> {
    let Some(asked) = per_second else {
        return Ok(USUAL_RATE);
    };
    NonZeroU32::new(asked)
        .filter(|rate| rate.get() <= MOST_PER_SECOND)
        .ok_or_else(|| {
            let allowed = format!("a whole number from 1 to {MOST_PER_SECOND}");
            input::invalid("/per_second", allowed)
        })
}

/// The queues, as an error names them.
pub(super) fn queues() -> String {
    format!("one of {}", Queue::ALL.map(Queue::as_str).join(", "))
}

fn parsed<T>(
    faults: &mut Faults,
    pointer: &str,
    text: Option<&str>,
    allowed: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let value = parse(text?);
    if value.is_none() {
        faults.add(pointer, allowed);
    }
    value
}
