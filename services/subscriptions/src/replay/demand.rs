//! What is asked for with a replay.

use crate::input::{self, Faults, present};
use crate::list::TIME;
use crate::webhook::refuse_patterns;
use domain::Timestamp;
use domain::id::{EventId, SubscriptionId};
use domain::replay::{MAX_IDS, MAX_PER_SECOND, Selection, types_of};
use domain::subscription::Pattern;
use runtime::http::Problem;
use serde::Deserialize;
use std::collections::HashSet;
use utoipa::ToSchema;

/// Which events to tell again, and to whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "events": { "from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z", "types": ["sms.*"] },
    "webhook_id": "sub_01h455vb4pex5vsknk084sn02q",
    "dry_run": true,
})))]
pub(super) struct CreateReplay {
    /// Which events.
    events: Events,
    /// The webhook to tell; every one that wants the events where none is named.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SubscriptionId, required = false)]
    webhook_id: Option<String>,
    /// Only says how many events there are.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// How many in each second; as fast as it goes where none is named.
    #[schema(minimum = 1, maximum = 1_000)]
    per_second: Option<i64>,
}

/// Either `ids`, or `from` and `to` and perhaps `types`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventsToReplay)]
struct Events {
    /// These.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<EventId>, required = false, min_items = 1, max_items = 1_000)]
    ids: Option<Vec<String>>,
    /// From this moment on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Timestamp, required = false)]
    from: Option<String>,
    /// Until this one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Timestamp, required = false)]
    to: Option<String>,
    /// Of these types, or beginnings of types.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, min_items = 1)]
    types: Option<Vec<String>>,
}

/// What was asked for, judged.
pub(super) struct Wanted {
    pub(super) selection: Selection,
    pub(super) webhook_id: Option<SubscriptionId>,
    pub(super) per_second: Option<u32>,
}

impl CreateReplay {
    /// The names or patterns of types that are asked for, as they are written.
    pub(super) fn types(&self) -> Option<&[String]> {
        self.events.types.as_deref()
    }

    /// Judges it. Besides the types that ship, those of these names count.
    pub(super) fn check(self, own: &[String]) -> Result<Wanted, Problem> {
        let mut faults = Faults::default();
        let per_second = self
            .per_second
            .map(|asked| u32::try_from(asked).unwrap_or(0));
        if per_second.is_some_and(|rate| !(1..=MAX_PER_SECOND).contains(&rate)) {
            let allowed = format!("a whole number from 1 to {MAX_PER_SECOND}");
            faults.add("/per_second", allowed);
        }
        faults.unless_any()?;
        let webhook_id = match self.webhook_id.as_deref().map(str::parse) {
            None => None,
            Some(Ok(id)) => Some(id),
            // As another tenant's.
            Some(Err(_)) => return Err(unknown_webhook()),
        };
        Ok(Wanted {
            selection: self.events.check(own)?,
            webhook_id,
            per_second,
        })
    }
}

impl Events {
    fn check(self, own: &[String]) -> Result<Selection, Problem> {
        match self {
            Self {
                ids: Some(ids),
                from: None,
                to: None,
                types: None,
            } => by_ids(&ids),
            Self {
                ids: None,
                from: Some(from),
                to: Some(to),
                types,
            } => by_range(&from, &to, types, own),
            Self { ids: Some(_), .. } => Err(input::invalid(
                "/events",
                "name the ids alone, or a time from … to",
            )),
            Self { from: None, .. } => Err(input::invalid("/events/from", TIME)),
            Self { .. } => Err(input::invalid("/events/to", TIME)),
        }
    }
}

/// Each once, in the order they were named in.
fn by_ids(texts: &[String]) -> Result<Selection, Problem> {
    if texts.is_empty() || texts.len() > MAX_IDS {
        let allowed = format!("name 1 to {MAX_IDS} events");
        return Err(input::invalid("/events/ids", allowed));
    }
    let mut faults = Faults::default();
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<EventId>() {
            Ok(id) if seen.insert(id) => ids.push(id),
            Ok(_) => {}
            Err(_) => faults.add(
                format!("/events/ids/{index}"),
                "an id that begins with evt_",
            ),
        }
    }
    faults.unless_any()?;
    Ok(Selection::Ids { ids })
}

fn by_range(
    from: &str,
    to: &str,
    types: Option<Vec<String>>,
    own: &[String],
) -> Result<Selection, Problem> {
    let mut faults = Faults::default();
    let mut time = |at, text| {
        let time = Timestamp::parse_rfc3339(text);
        if time.is_none() {
            faults.add(at, TIME);
        }
        time
    };
    let times = (time("/events/from", from), time("/events/to", to));
    if let (Some(from), Some(to)) = times
        && from >= to
    {
        faults.add("/events/to", "a later time than from");
    }
    faults.unless_any()?;
    let (Some(from), Some(to)) = times else {
        return Err(input::invalid("/events", TIME));
    };
    let types = match types {
        None => None,
        Some(texts) => {
            let patterns = Pattern::parse_list(&texts, own)
                .map_err(|error| refuse_patterns("/events/types", error))?;
            (patterns != [Pattern::All]).then(|| types_of(&patterns, own))
        }
    };
    Ok(Selection::Range { from, to, types })
}

pub(super) fn unknown_webhook() -> Problem {
    input::invalid("/webhook_id", "there is no such webhook")
}
