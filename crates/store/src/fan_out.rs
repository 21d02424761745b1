//! The fan-out: new events get their place in their tenant's order, and become deliveries.

use crate::Store;
use crate::delivery::{DeliveryRow, Owed, PENDING, Place, Room};
use crate::dialect::fan_out::{Leg, Unstamped, look, write};
use crate::directory::{Directory, OfTenant};
use crate::error::Error;
use crate::event::{EventRow, Kept};
use crate::shard::{Fenced, numbers_of, those_held};
use crate::sql_types::{Moment, Uid};
use domain::id::{DeliveryId, SubscriptionId, TenantId};
use domain::news;
use domain::{Random, Shard, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How many events one fan-out takes at the most.
const BATCH: i64 = 256;
/// After how many deliveries it takes no more: a tenant with many subscriptions holds nobody up for long.
const ENOUGH: usize = 4_096;

/// Which new events a fan-out takes: a batch of those of some shards. Tenants take turns.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// The shards.
    pub shards: Vec<Shard>,
    /// Who had the last turn, of which shard: whoever comes after it is the first, and it is the last.
    pub after: Option<(Shard, TenantId)>,
}

impl Turns {
    /// Once around.
    fn legs(&self) -> Vec<Leg> {
        let leg = |is_in: &dyn Fn(Shard) -> bool, after, up_to| {
            let shards = self.shards.iter().filter(|shard| is_in(**shard));
            Leg {
                shards: shards.map(|shard| i16::from(shard.number())).collect(),
                after,
                up_to,
            }
        };
        let Some((last, tenant)) = self.after else {
            return vec![leg(&|_| true, Uid::NONE, Uid::LAST)];
        };
        let tenant = Uid::from(tenant);
        let legs = [
            leg(&|shard| shard == last, tenant, Uid::LAST),
            leg(&|shard| shard > last, Uid::NONE, Uid::LAST),
            leg(&|shard| shard < last, Uid::NONE, Uid::LAST),
            leg(&|shard| shard == last, Uid::NONE, tenant),
        ];
        let has_any = |leg: &Leg| !leg.shards.is_empty();
        legs.into_iter().filter(has_any).collect()
    }

    /// The shards that may have more, where there was no room for what comes after this tenant: those
    /// before it were gone through.
    fn left_at(&self, shard: Shard, tenant: TenantId) -> BTreeSet<Shard> {
        let is_left = |other: &Shard| match self.after {
            None => *other >= shard,
            Some((first, after)) if shard == first => tenant > after || *other == shard,
            Some((first, _)) if shard > first => *other >= shard || *other <= first,
            Some((first, _)) => (shard..=first).contains(other),
        };
        self.shards.iter().copied().filter(is_left).collect()
    }
}

/// What a fan-out did.
#[derive(Debug, Clone, Default)]
pub struct FannedOut {
    /// What the caller now has in its memory.
    pub owed: Vec<Owed>,
    /// When each event was caused, for the time it took to get here.
    pub stamped: Vec<Timestamp>,
    /// Whose feeds have more: the shards of these events.
    pub fed: BTreeSet<Shard>,
    /// Subscriptions that got more than there was room for.
    pub backlogs: Vec<(SubscriptionId, TenantId)>,
    /// Shards of other dispatchers that have new deliveries.
    pub elsewhere: BTreeSet<Shard>,
    /// The shard and the tenant that had the last turn when the batch was full: there may be more.
    pub full_at: Option<(Shard, TenantId)>,
    /// In which of the shards asked for that is, then.
    pub left: BTreeSet<Shard>,
}

impl Store {
    /// Stamps new events and makes their deliveries, in one transaction. `mine` are all the leases of the
    /// caller: a delivery of a shard among them goes into its memory, where there is room.
    pub async fn fan_out(
        &self,
        turns: Turns,
        mine: Vec<Fenced>,
        room: Room,
        directory: &Directory,
    ) -> Result<FannedOut, Error> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let shared = directory.clone();
        let done = self
            .write(move |connection| {
                let mut room = room.clone();
                let seen = look(connection, &numbers_of(&mine), &turns.legs(), BATCH)?;
                let held = those_held(&mine, seen.fences);
                let owned: HashSet<Shard> = held.iter().map(|lease| lease.shard).collect();
                let is_full = i64::try_from(seen.unstamped.len()) == Ok(BATCH);
                let rows = in_shards(seen.unstamped, &owned);
                if rows.is_empty() {
                    return Ok(FannedOut::default());
                }
                let mut done = FannedOut::default();
                let tenants: HashSet<_> = rows
                    .iter()
                    .map(|(_, row)| TenantId::from(row.tenant_id))
                    .collect();
                failpoint::reach!(StoreBeforeStamp);
                let mut made = Making {
                    now: clock.now(),
                    random: random.clone(),
                    owned,
                    room: &mut room,
                    rows: Vec::new(),
                };
                let known = shared.follow(connection, seen.version, &tenants)?.of;
                let mut unstamped = numbered(&rows);
                let mut last = None;
                for (shard, row) in rows {
                    if made.rows.len() >= ENOUGH {
                        break;
                    }
                    let event = Kept::try_from(row)?;
                    let tenant = event.event.tenant_id;
                    let to = known.get(&tenant).cloned();
                    made.deliveries_of(event, &to.unwrap_or_default(), &mut done);
                    done.fed.insert(shard);
                    last = Some((shard, tenant));
                }
                let taken = done.stamped.len();
                done.full_at = last.filter(|_| is_full || taken < unstamped.len());
                if let Some((shard, tenant)) = done.full_at {
                    done.left = turns.left_at(shard, tenant);
                }
                unstamped.truncate(taken);
                let stamped = write(connection, &unstamped, &made.rows)?;
                for Owed { event, .. } in &mut done.owed {
                    event.sequence = stamped.get(&event.event.id.into()).copied();
                }
                Ok(done)
            })
            .await;
        if done.is_err() {
            directory.forget();
        }
        done
    }
}

/// Those of the rows that are of these shards.
fn in_shards(rows: Vec<(i16, EventRow)>, owned: &HashSet<Shard>) -> Vec<(Shard, EventRow)> {
    rows.into_iter()
        .filter_map(|(number, row)| {
            let shard = Shard::new(u8::try_from(number).ok()?)?;
            owned.contains(&shard).then_some((shard, row))
        })
        .collect()
}

/// Events by shard and tenant, in the order of their positions, each with its place among those of its
/// shard: so numbers of one tenant only grow, in the order in which its events were written.
fn numbered(rows: &[(Shard, EventRow)]) -> Vec<Unstamped> {
    let mut counts: BTreeMap<Shard, i64> = BTreeMap::new();
    let place = |(shard, row): &(Shard, EventRow)| {
        let nth = counts.entry(*shard).or_default();
        *nth += 1;
        Unstamped {
            id: row.id,
            position: row.position,
            shard: i16::from(shard.number()),
            nth: *nth,
        }
    };
    rows.iter().map(place).collect()
}

struct Making<'a> {
    now: Timestamp,
    random: Random,
    owned: HashSet<Shard>,
    room: &'a mut Room,
    rows: Vec<DeliveryRow>,
}

impl Making<'_> {
    fn deliveries_of(&mut self, kept: Kept, known: &OfTenant, done: &mut FannedOut) {
        let event = &kept.event;
        let news_of = news::about(&event.event_type, event.resource.as_ref());
        let mut to = Vec::new();
        for subscription in known.iter() {
            let interest = &subscription.interest;
            if !subscription.is_enabled
                || !interest.wants(&event.event_type, &event.environment, kept.position)
            {
                continue;
            }
            let id = interest.subscription_id;
            if news_of == Some(id) {
                continue;
            }
            let shard = Shard::of_subscription(id);
            let place = if !self.owned.contains(&shard) {
                done.elsewhere.insert(shard);
                Place::Scheduled
            } else if self.room.take(event.tenant_id, id) {
                Place::Claimed
            } else {
                done.backlogs.push((id, event.tenant_id));
                Place::Backlog
            };
            let row = DeliveryRow {
                id: DeliveryId::new(self.now, &self.random).into(),
                tenant_id: event.tenant_id.into(),
                event_id: event.id.into(),
                subscription_id: id.into(),
                shard: i16::from(shard.number()),
                state: PENDING,
                place: place.code(),
                attempts: 0,
                due_at: Moment::from(self.now),
                created_at: Moment::from(self.now),
                error: None,
                has_body: false,
                budget_from: 0,
                replay_id: Uid::NONE,
            };
            if place == Place::Claimed {
                to.push(row.recipient());
            }
            self.rows.push(row);
        }
        done.stamped.push(event.caused_at);
        if !to.is_empty() {
            done.owed.push(Owed { event: kept, to });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Clock;

    #[test]
    fn a_full_batch_leaves_the_shards_after_its_last_turn_once_around() {
        let (now, random) = (Clock::system().now(), Random::seeded(3));
        let mut tenants = [(); 3].map(|()| TenantId::new(now, &random));
        tenants.sort_unstable();
        let [before, after, behind] = tenants;
        let shard = |number| Shard::new(number).unwrap();
        let turns = |after| Turns {
            shards: [2, 4, 6, 8].map(shard).to_vec(),
            after,
        };
        let left = |turns: &Turns, number, tenant| {
            let left = turns.left_at(shard(number), tenant);
            left.into_iter().map(Shard::number).collect::<Vec<_>>()
        };
        let first = turns(None);
        assert_eq!(left(&first, 2, before), [2, 4, 6, 8]);
        assert_eq!(left(&first, 6, before), [6, 8]);
        let around = turns(Some((shard(6), after)));
        assert_eq!(left(&around, 6, behind), [2, 4, 6, 8]);
        assert_eq!(left(&around, 8, before), [2, 4, 6, 8]);
        assert_eq!(left(&around, 2, before), [2, 4, 6]);
        assert_eq!(left(&around, 4, before), [4, 6]);
        assert_eq!(left(&around, 6, after), [6]);
        // One that is asked for no more.
        let elsewhere = turns(Some((shard(5), after)));
        assert_eq!(left(&elsewhere, 8, before), [2, 4, 8]);
    }
}
