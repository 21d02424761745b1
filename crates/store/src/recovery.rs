//! Recovery: what was asked for many deliveries at once is done by the owners of the shards, a page at a time
//! and under their fences, behind whatever is owed anyway.

use crate::Store;
use crate::directory::Directory;
use crate::error::Error;
use crate::shard::{Fenced, holding, numbers_of};
use crate::{replay, sweep};
use domain::id::{SubscriptionId, TenantId};
use domain::{Shard, Timestamp};
use std::collections::{BTreeSet, HashSet};

/// How many rows one page changes at the most.
pub(crate) const PAGE: i64 = 500;

/// What was done of sweeps and replays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Subscriptions of the caller's shards of which something waits for its turn behind all others.
    pub later: Vec<(SubscriptionId, TenantId)>,
    /// Shards of other dispatchers that have new deliveries.
    pub elsewhere: BTreeSet<Shard>,
    /// Whether something is left to do, now or soon.
    pub more: bool,
}

impl Store {
    /// Does a page of a sweep and a page of a replay of the shards that are leased, if there are any.
    /// Events from before `since` are about to be forgotten, and left out.
    pub async fn recover(
        &self,
        leases: Vec<Fenced>,
        since: Timestamp,
        directory: &Directory,
    ) -> Result<Page, Error> {
        let now = self.clock.now();
        let numbers = numbers_of(&leases);
        let found = self.read(move |connection| {
            Ok((
                sweep::next(connection, &numbers)?,
                replay::page::next(connection, &numbers, now, since)?,
            ))
        });
        let (sweep, replay) = found.await?;
        let mut more = sweep.is_some();
        let replay = match replay {
            replay::page::Next::Nothing => None,
            replay::page::Next::Waits => {
                more = true;
                None
            }
            replay::page::Next::Page(page) => {
                more = true;
                Some(*page)
            }
        };
        if sweep.is_none() && replay.is_none() {
            return Ok(Page {
                more,
                ..Page::default()
            });
        }
        let (random, shared) = (self.random.clone(), directory.clone());
        let done = self.write(move |connection| {
            let held = holding(connection, &leases)?;
            let owned: HashSet<Shard> = held.iter().map(|lease| lease.shard).collect();
            let mut done = Page {
                more: true,
                ..Page::default()
            };
            if let Some(sweep) = &sweep
                && owned.contains(&sweep.shard())
            {
                done.later.extend(sweep::apply(connection, sweep, now)?);
            }
            if let Some(replay) = &replay
                && owned.contains(&replay.shard())
            {
                let making = replay::page::Making {
                    now,
                    random: &random,
                    owned: &owned,
                    directory: &shared,
                };
                replay::page::apply(connection, replay, &making, &mut done)?;
            }
            Ok(done)
        });
        let done = done.await;
        if done.is_err() {
            directory.forget();
        }
        done
    }
}
