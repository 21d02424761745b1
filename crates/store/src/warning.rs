//! What attempts say of their subscriptions: who only fails, who is to be warned of, disabled, or has
//! recovered, and which deliveries are given up.

use crate::connection::Connection;
use crate::delivery::{Attempt, Then};
use crate::dialect;
use crate::error::Error;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::delivery::State;
use domain::id::SubscriptionId;
use domain::news::{self, Last, What};
use domain::subscription::DisabledReason;
use domain::warning::{Follows, Run, Standing};
use std::collections::{BTreeMap, HashMap};

/// A recorded attempt that failed, or that was made to a subscription that had failed, and how its
/// subscription stood before.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct Noted {
    pub delivery_id: Uid,
    pub number: i32,
    /// Whether its delivery failed with it.
    pub has_failed: bool,
    pub subscription_id: Uid,
    /// Whether deliveries leave for it.
    pub is_enabled: bool,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    pub told: Option<i16>,
    pub owes_recovery: bool,
}

/// How a subscription stands, as it is written.
#[derive(Debug, Clone)]
pub(crate) struct StandingRow {
    pub id: Uid,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    pub told: Option<i16>,
    pub owes_recovery: bool,
}

/// A subscription that is to be disabled.
#[derive(Debug, Clone)]
pub(crate) struct Disabling {
    pub id: SubscriptionId,
    pub reason: DisabledReason,
    /// When the settings were last changed that are to blame: whoever changed them since then meant
    /// another endpoint, or this one all the same.
    pub settings_of: Timestamp,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// The attempt that says so.
    pub last: Last,
}

/// What follows from attempts.
#[derive(Default)]
pub(crate) struct Judged {
    /// What is to be told.
    pub(crate) news: Vec<(SubscriptionId, What)>,
    /// Who is to be disabled.
    pub(crate) disabling: Vec<Disabling>,
}

/// Judges attempts, of each subscription in the order in which they ended, and writes how these stand
/// now. Those of a subscription that is disabled say nothing of it.
pub(crate) fn judge(
    connection: &mut Connection,
    batch: &[Attempt],
    noted: &[Noted],
) -> Result<Judged, Error> {
    let mut judged = Judged::default();
    if noted.is_empty() {
        return Ok(judged);
    }
    let attempts: HashMap<(Uid, i32), &Attempt> = batch
        .iter()
        .map(|attempt| (key_of(attempt), attempt))
        .collect();
    let mut of_each: BTreeMap<Uid, Vec<(&Noted, &Attempt)>> = BTreeMap::new();
    for noted in noted {
        if let Some(attempt) = attempts.get(&(noted.delivery_id, noted.number)) {
            let of = of_each.entry(noted.subscription_id).or_default();
            of.push((noted, attempt));
        }
    }
    let mut changed = Vec::new();
    for (id, mut attempts) in of_each {
        attempts.sort_by_key(|(_, attempt)| ended_at(attempt));
        let Some((first, _)) = attempts.first() else {
            continue;
        };
        let before = first.standing();
        let mut standing = before;
        for (noted, attempt) in &attempts {
            judged.exhausted(noted, attempt);
            if noted.is_enabled {
                judged.follow(&mut standing, attempt);
            }
        }
        if standing.is_to_be_written_over(&before) {
            changed.push(StandingRow::of(id, &standing));
        }
    }
    dialect::warning::write(connection, &changed)?;
    Ok(judged)
}

/// What an endpoint asked for beside its answer.
pub(crate) fn asked(attempt: &Attempt) -> Option<Disabling> {
    Some(disabling(attempt, attempt.disables?, None))
}

impl Judged {
    fn exhausted(&mut self, noted: &Noted, attempt: &Attempt) {
        let ends = attempt.then == Then::End(State::Failed);
        let (true, true, Some(cause)) = (noted.has_failed, ends, attempt.cause) else {
            return;
        };
        if !news::is_told(cause) || news::is_news(&attempt.event_type) {
            return;
        }
        let what = What::Exhausted {
            delivery_id: attempt.delivery_id,
            event_id: attempt.event_id,
            event_type: attempt.event_type.clone(),
            cause,
            attempts: attempt.number,
            failed_at: ended_at(attempt),
            last: last_of(attempt),
        };
        self.news.push((attempt.subscription_id, what));
    }

    fn follow(&mut self, standing: &mut Standing, attempt: &Attempt) {
        let (id, at) = (attempt.subscription_id, ended_at(attempt));
        if attempt.error.is_none() {
            if let Some(recovery) = standing.succeed() {
                let what = What::Recovered {
                    recovered_at: at,
                    failing_since: recovery.since,
                };
                self.news.push((id, what));
            }
            return;
        }
        // What disables its subscription by itself needs no warning.
        if attempt.disables.is_some() {
            return;
        }
        let is_news = news::is_news(&attempt.event_type);
        match standing.fail(at, is_news, attempt.disable_after) {
            None => {}
            Some(Follows::Warn {
                percent,
                since,
                disable_at,
            }) => {
                let what = What::Failing {
                    percent,
                    failing_since: since,
                    disable_at,
                    last: last_of(attempt),
                };
                self.news.push((id, what));
            }
            Some(Follows::Disable) => {
                let since = standing.run.map(|run| run.since);
                self.disabling
                    .push(disabling(attempt, DisabledReason::Failing, since));
            }
        }
    }
}

impl Noted {
    fn standing(&self) -> Standing {
        let run = self.since.zip(self.until).map(|(since, until)| Run {
            since: since.into(),
            until: until.into(),
            told: self.told.and_then(|told| u8::try_from(told).ok()),
        });
        Standing {
            run,
            owes_recovery: self.owes_recovery,
        }
    }
}

impl StandingRow {
    fn of(id: Uid, standing: &Standing) -> Self {
        let run = standing.run;
        Self {
            id,
            since: run.map(|run| run.since.into()),
            until: run.map(|run| run.until.into()),
            told: run.and_then(|run| run.told).map(i16::from),
            owes_recovery: standing.owes_recovery,
        }
    }
}

fn key_of(attempt: &Attempt) -> (Uid, i32) {
    let number = i32::try_from(attempt.number).unwrap_or(i32::MAX);
    (attempt.delivery_id.into(), number)
}

fn ended_at(attempt: &Attempt) -> Timestamp {
    let took = u64::try_from(attempt.duration_ms).unwrap_or(0);
    attempt
        .started_at
        .plus(std::time::Duration::from_millis(took))
}

const fn last_of(attempt: &Attempt) -> Last {
    Last {
        last_error: attempt.error,
        last_status_code: attempt.status_code,
    }
}

const fn disabling(
    attempt: &Attempt,
    reason: DisabledReason,
    failing_since: Option<Timestamp>,
) -> Disabling {
    Disabling {
        id: attempt.subscription_id,
        reason,
        settings_of: attempt.settings_of,
        failing_since,
        last: last_of(attempt),
    }
}
