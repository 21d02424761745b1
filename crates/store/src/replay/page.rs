//! A page of a replay: found by a reader, made by a writer.

use super::ReplayRow;
use super::row::{CANCELLING, code_of};
use crate::connection::{Connection, each, insert_rows, load_locked};
use crate::delivery::{DeliveryRow, PENDING, Place, is_pending_in};
use crate::dialect;
use crate::directory::{Directory, OfTenant};
use crate::error::Error;
use crate::installation::{Versioned, version};
use crate::recovery;
use crate::schema::{deliveries, events, replays};
use crate::sql_types::{Moment, Uid};
use crate::subscription::{self, Subscription};
use diesel::dsl::count_star;
use diesel::prelude::*;
use domain::account::Environment;
use domain::event::Resource;
use domain::id::{DeliveryId, SubscriptionId, TenantId};
use domain::news;
use domain::replay::{Selection, State, next_page_at, page_size};
use domain::{Random, Shard, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How many rows are looked at in one query, and how many queries a page takes at the most.
const LOOK: i64 = 1_000;
const MOST_LOOKS: usize = 10;
/// How many deliveries of a replay wait for their turn at one subscription before no more are made for it.
const MOST_AHEAD: i64 = 1_000;
/// How long a replay is left alone whose subscriptions have enough to do.
const REST: Duration = Duration::from_millis(250);

/// What there is to do about replays.
pub(crate) enum Next {
    /// Nothing at all.
    Nothing,
    /// Nothing now.
    Waits,
    /// This.
    Page(Box<Page>),
}

/// A page, found and not made yet.
pub(crate) struct Page {
    row: ReplayRow,
    work: Work,
}

enum Work {
    /// Deliveries of these events are made.
    Make {
        events: Vec<Selected>,
        /// How far it is after them.
        reached: i64,
        is_last: bool,
    },
    /// Its subscriptions have enough to do.
    Rest,
    /// What is pending of it is cancelled.
    Cancel,
}

/// An event that is told again.
struct Selected {
    id: Uid,
    event_type: String,
    environment: Environment,
    /// The subscription it is news of, and is not told to.
    news_of: Option<SubscriptionId>,
    /// The order in which it was written.
    position: i64,
    /// How far the replay is after it.
    reached: i64,
}

/// What pages are made with.
pub(crate) struct Making<'a> {
    pub(crate) now: Timestamp,
    pub(crate) random: &'a Random,
    pub(crate) owned: &'a HashSet<Shard>,
    pub(crate) directory: &'a Directory,
}

impl Page {
    pub(crate) fn shard(&self) -> Shard {
        self.row.shard()
    }
}

/// The next page of that replay of these shards whose turn it is.
pub(crate) fn next(
    connection: &mut Connection,
    numbers: &[i16],
    now: Timestamp,
    since: Timestamp,
) -> Result<Next, Error> {
    let row: Option<ReplayRow> = each!(connection, c => replays::table
        .filter(replays::shard.eq_any(numbers))
        .filter(replays::ended_at.is_null())
        .filter(replays::state.eq_any([code_of(State::Running), CANCELLING]))
        .order(replays::next_at)
        .select(ReplayRow::as_select())
        .first(c)
        .optional())?;
    let Some(row) = row else {
        return Ok(Next::Nothing);
    };
    if Timestamp::from(row.next_at) > now {
        return Ok(Next::Waits);
    }
    let work = if row.state == CANCELLING {
        Work::Cancel
    } else if !is_wanted(connection, &row)? {
        Work::Rest
    } else {
        let most = u32::try_from(recovery::PAGE).unwrap_or(u32::MAX);
        let size = page_size(row.next_at.into(), now, row.per_second(), most);
        let mut work = find(connection, &row, since, usize::try_from(size).unwrap_or(1))?;
        if let Work::Make { events, .. } = &mut work {
            find_subjects(connection, events)?;
        }
        work
    };
    Ok(Next::Page(Box::new(Page { row, work })))
}

/// Whether any of its subscriptions can take more. One that is disabled takes none, and holds up nobody.
fn is_wanted(connection: &mut Connection, row: &ReplayRow) -> Result<bool, Error> {
    let all = subscription::of_tenants(connection, &[row.tenant_id.into()])?;
    let active: Vec<Uid> = all
        .iter()
        .filter(|known| known.is_enabled && is_meant(row, known))
        .map(|known| known.interest.subscription_id.into())
        .collect();
    if active.is_empty() {
        return Ok(true);
    }
    let waiting: Vec<(Uid, i64)> = each!(connection, c => deliveries::table
        .filter(deliveries::replay_id.eq(row.id))
        .filter(is_pending_in(Place::Later))
        .group_by(deliveries::subscription_id)
        .select((deliveries::subscription_id, count_star()))
        .load(c))?;
    let waiting: HashMap<Uid, i64> = waiting.into_iter().collect();
    Ok(active
        .iter()
        .any(|id| waiting.get(id).copied().unwrap_or(0) < MOST_AHEAD))
}

fn is_meant(row: &ReplayRow, known: &Subscription) -> bool {
    let id = Uid::from(known.interest.subscription_id);
    row.subscription_id.is_none_or(|only| only == id)
}

fn find(
    connection: &mut Connection,
    row: &ReplayRow,
    since: Timestamp,
    size: usize,
) -> Result<Work, Error> {
    let selection = row.selection()?;
    match &selection {
        Selection::Ids { ids } => {
            let from = usize::try_from(row.reached).unwrap_or(0).min(ids.len());
            let to = (from + size).min(ids.len());
            let asked: Vec<Uid> = ids
                .iter()
                .take(to)
                .skip(from)
                .map(|id| Uid::from(*id))
                .collect();
            named(connection, row, &asked, since, to == ids.len())
        }
        Selection::Range { .. } => in_range(connection, row, &selection, since, size),
    }
}

type EventColumns = (Uid, String, String, i64, Moment, Option<i64>);

/// Those of these ids that are there, in their order, up to one that nobody was told yet.
fn named(
    connection: &mut Connection,
    row: &ReplayRow,
    asked: &[Uid],
    since: Timestamp,
    ends: bool,
) -> Result<Work, Error> {
    let rows: Vec<EventColumns> = each!(connection, c => events::table
        .filter(events::id.eq_any(asked))
        .filter(events::tenant_id.eq(row.tenant_id))
        .filter(events::created_at.ge(Moment::from(since)))
        .select((events::id, events::event_type, events::environment, events::position, events::created_at, events::sequence))
        .load(c))?;
    let mut known: HashMap<Uid, EventColumns> =
        rows.into_iter().map(|event| (event.0, event)).collect();
    let mut found = Vec::new();
    let mut reached = row.reached;
    for id in asked {
        if let Some(event) = known.remove(id) {
            if event.5.is_none() {
                return Ok(Work::Make {
                    events: found,
                    reached,
                    is_last: false,
                });
            }
            found.push(selected(event, reached + 1)?);
        }
        reached += 1;
    }
    Ok(Work::Make {
        events: found,
        reached,
        is_last: ends,
    })
}

/// The next ones in the order in which they were written, up to one that nobody was told yet.
fn in_range(
    connection: &mut Connection,
    row: &ReplayRow,
    selection: &Selection,
    since: Timestamp,
    size: usize,
) -> Result<Work, Error> {
    let mut found = Vec::new();
    let mut reached = row.reached;
    for _ in 0..MOST_LOOKS {
        let rows: Vec<EventColumns> = each!(connection, c => events::table
            .filter(events::tenant_id.eq(row.tenant_id))
            .filter(events::position.gt(reached))
            .filter(events::position.le(row.through))
            .order(events::position)
            .limit(LOOK)
            .select((events::id, events::event_type, events::environment, events::position, events::created_at, events::sequence))
            .load(c))?;
        let is_end = i64::try_from(rows.len()).unwrap_or(LOOK) < LOOK;
        for event in rows {
            let is_told = event.5.is_some();
            let is_kept = event.4 >= Moment::from(since);
            let holds = is_kept && selection.holds(event.0.into(), &event.1, event.4.into());
            if holds && (found.len() == size || !is_told) {
                return Ok(Work::Make {
                    events: found,
                    reached,
                    is_last: false,
                });
            }
            reached = event.3;
            if holds {
                found.push(selected(event, reached)?);
            }
        }
        if is_end {
            return Ok(Work::Make {
                events: found,
                reached: row.through,
                is_last: true,
            });
        }
    }
    Ok(Work::Make {
        events: found,
        reached,
        is_last: false,
    })
}

/// Of which subscriptions events are news.
fn find_subjects(connection: &mut Connection, events: &mut [Selected]) -> Result<(), Error> {
    let news = events
        .iter()
        .filter(|event| news::is_news(&event.event_type));
    let ids: Vec<Uid> = news.map(|event| event.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<(Uid, Option<String>)> = each!(connection, c => events::table
        .filter(events::id.eq_any(&ids))
        .select((events::id, events::resource))
        .load(c))?;
    let resources: HashMap<Uid, Option<String>> = rows.into_iter().collect();
    for event in events {
        let resource = resources.get(&event.id).and_then(Option::as_deref);
        let resource: Option<Resource> = resource
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| Error::unreadable("an event with an unreadable resource"))?;
        event.news_of = news::about(&event.event_type, resource.as_ref());
    }
    Ok(())
}

fn selected(event: EventColumns, reached: i64) -> Result<Selected, Error> {
    let (id, event_type, environment, position, ..) = event;
    let environment = environment
        .parse()
        .map_err(|_| Error::unreadable("an event with an unreadable environment"))?;
    Ok(Selected {
        id,
        event_type,
        environment,
        news_of: None,
        position,
        reached,
    })
}

/// Makes a page, in the transaction that says how far the replay is. One that was changed since it was
/// found is left alone.
pub(crate) fn apply(
    connection: &mut Connection,
    page: &Page,
    making: &Making<'_>,
    done: &mut recovery::Page,
) -> Result<(), Error> {
    let now: Vec<(i16, i64)> = load_locked!(
        connection,
        replays::table
            .find(page.row.id)
            .select((replays::state, replays::reached)),
        for_update
    );
    if now != [(page.row.state, page.row.reached)] {
        return Ok(());
    }
    match &page.work {
        Work::Rest => {
            let again = Moment::from(making.now.plus(REST));
            each!(connection, c => diesel::update(replays::table.find(page.row.id))
                .set(replays::next_at.eq(again))
                .execute(c))?;
            Ok(())
        }
        Work::Cancel => cancel(connection, &page.row, making.now),
        Work::Make {
            events,
            reached,
            is_last,
        } => {
            let newest = version(connection, Versioned::Subscriptions)?;
            let tenant = TenantId::from(page.row.tenant_id);
            let known = making
                .directory
                .follow(connection, newest, &HashSet::from([tenant]))?
                .of;
            let known = known.get(&tenant).cloned().unwrap_or_default();
            if let Some(only) = page.row.subscription_id
                && !known
                    .iter()
                    .any(|known| Uid::from(known.interest.subscription_id) == only)
            {
                return end(connection, &page.row, State::Cancelled, making.now);
            }
            let made = make(&page.row, events, &known, making, done);
            let has_all = made.events == events.len();
            let made = Made {
                reached: if has_all { *reached } else { made.reached },
                ..made
            };
            write(
                connection,
                &page.row,
                &made,
                has_all && *is_last,
                making.now,
            )
        }
    }
}

/// The deliveries of a page.
struct Made {
    rows: Vec<DeliveryRow>,
    /// How many events they are of, with those that nobody wants.
    events: usize,
    reached: i64,
}

/// As many of the events as a page takes. In the order of their ids, which is the one in which they leave.
fn make(
    replay: &ReplayRow,
    events: &[Selected],
    known: &OfTenant,
    making: &Making<'_>,
    done: &mut recovery::Page,
) -> Made {
    let meant: Vec<&Arc<Subscription>> = known
        .iter()
        .filter(|known| is_meant(replay, known))
        // To one alone, it is owed and held like everything else.
        .filter(|known| known.is_enabled || replay.subscription_id.is_some())
        .collect();
    let most = usize::try_from(recovery::PAGE).unwrap_or(usize::MAX);
    let mut made = Made {
        rows: Vec::new(),
        events: 0,
        reached: replay.reached,
    };
    let mut later: BTreeSet<SubscriptionId> = BTreeSet::new();
    for event in events {
        let to = meant.iter().filter(|known| is_told(replay, known, event));
        let to: Vec<SubscriptionId> = to.map(|known| known.interest.subscription_id).collect();
        if made.events > 0 && made.rows.len() + to.len() > most {
            break;
        }
        for subscription in to {
            let shard = Shard::of_subscription(subscription);
            let place = if making.owned.contains(&shard) {
                later.insert(subscription);
                Place::Later
            } else {
                // Its owner finds it, and has it wait for its turn.
                done.elsewhere.insert(shard);
                Place::Scheduled
            };
            made.rows.push(DeliveryRow {
                id: DeliveryId::new(making.now, making.random).into(),
                tenant_id: replay.tenant_id,
                event_id: event.id,
                subscription_id: subscription.into(),
                shard: i16::from(shard.number()),
                state: PENDING,
                place: place.code(),
                attempts: 0,
                due_at: making.now.into(),
                created_at: making.now.into(),
                error: None,
                has_body: false,
                budget_from: 0,
                replay_id: replay.id,
            });
        }
        made.events += 1;
        made.reached = event.reached;
    }
    let mut ids: Vec<Uid> = made.rows.iter().map(|row| row.id).collect();
    ids.sort_unstable();
    for (row, id) in made.rows.iter_mut().zip(ids) {
        row.id = id;
    }
    let tenant = TenantId::from(replay.tenant_id);
    done.later.extend(later.into_iter().map(|id| (id, tenant)));
    made
}

/// To one alone, also what was there before it; to all, what each could have had.
fn is_told(replay: &ReplayRow, known: &Subscription, event: &Selected) -> bool {
    let interest = &known.interest;
    if event.news_of == Some(interest.subscription_id) {
        return false;
    }
    if replay.subscription_id.is_some() {
        interest.matches(&event.event_type, &event.environment)
    } else {
        interest.wants(&event.event_type, &event.environment, event.position)
    }
}

fn write(
    connection: &mut Connection,
    replay: &ReplayRow,
    made: &Made,
    is_last: bool,
    now: Timestamp,
) -> Result<(), Error> {
    insert_rows!(connection, deliveries::table, made.rows.iter());
    failpoint::reach!(StoreBeforeRecovery if !made.rows.is_empty());
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let events = u32::try_from(made.events).unwrap_or(u32::MAX);
    let next_at = next_page_at(replay.next_at.into(), now, events, replay.per_second());
    // It waits for an event that is about to be told.
    let next_at = if made.reached == replay.reached {
        now.plus(REST)
    } else {
        next_at
    };
    each!(connection, c => diesel::update(replays::table.find(replay.id))
        .set((
            replays::reached.eq(made.reached),
            replays::done.eq(replays::done + count(made.events)),
            replays::deliveries.eq(replays::deliveries + count(made.rows.len())),
            replays::next_at.eq(Moment::from(next_at)),
        ))
        .execute(c))?;
    if is_last {
        end(connection, replay, State::Done, now)?;
    }
    Ok(())
}

fn cancel(connection: &mut Connection, replay: &ReplayRow, now: Timestamp) -> Result<(), Error> {
    if dialect::delivery::cancel_replayed(connection, replay.id, recovery::PAGE)? {
        return Ok(());
    }
    end(connection, replay, State::Cancelled, now)
}

fn end(
    connection: &mut Connection,
    replay: &ReplayRow,
    state: State,
    now: Timestamp,
) -> Result<(), Error> {
    each!(connection, c => diesel::update(replays::table.find(replay.id))
        .set((
            replays::state.eq(code_of(state)),
            replays::ended_at.eq(Some(Moment::from(now))),
        ))
        .execute(c))?;
    Ok(())
}
