//! What counts add up to.

use super::{By, Name};
use crate::histogram::Histogram;
use crate::message::Outcome;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many messages of a network ended, and how many of them delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Success {
    /// How many were delivered.
    pub delivered: u64,
    /// How many ended.
    pub ended: u64,
}

/// What counts of any accounts and slots add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Callbacks recorded.
    pub received: u64,
    /// Callbacks applied.
    pub processed: u64,
    /// Callbacks of which a try failed.
    pub failed: u64,
    /// Callbacks given up.
    pub dead_lettered: u64,
    /// Reports that their message stands on.
    pub applied: u64,
    /// Reports that were heard before.
    pub duplicate: u64,
    /// Reports that lost.
    pub stale: u64,
    /// Reports that waited for their message.
    pub orphaned: u64,
    /// Reports with a word that is not listed.
    pub unmapped: u64,
    /// From the receipt of callbacks until they were applied.
    pub processing: Histogram,
    /// From the registration of messages until the callbacks that ended them.
    pub delay: Histogram,
    /// Messages that a callback ended.
    pub by_callback: u64,
    /// Messages that an answer to our question ended.
    pub by_poll: u64,
    /// Messages that a person ended.
    pub by_person: u64,
    /// Messages that ended because nobody reported.
    pub by_silence: u64,
    /// Messages that ended, by network.
    pub networks: BTreeMap<String, Success>,
}

impl Sums {
    /// Adds a count; one under a name of another release is passed over.
    pub fn add(&mut self, name: &str, count: u64) {
        let counter = match Name::parse(name) {
            None => return,
            Some(Name::Processing(bucket)) => return self.processing.add(bucket, count),
            Some(Name::Delay(bucket)) => return self.delay.add(bucket, count),
            Some(Name::Received) => &mut self.received,
            Some(Name::Processed) => &mut self.processed,
            Some(Name::Failed) => &mut self.failed,
            Some(Name::DeadLettered) => &mut self.dead_lettered,
            Some(Name::Report(outcome)) => self.reports_of(outcome),
            Some(Name::Ended(By::Callback)) => &mut self.by_callback,
            Some(Name::Ended(By::Poll)) => &mut self.by_poll,
            Some(Name::Ended(By::Manual)) => &mut self.by_person,
            Some(Name::Ended(By::Silence)) => &mut self.by_silence,
            Some(Name::EndedOn(network)) => &mut self.networks.entry(network).or_default().ended,
            Some(Name::DeliveredOn(network)) => {
                &mut self.networks.entry(network).or_default().delivered
            }
        };
        *counter = counter.saturating_add(count);
    }

    /// Adds all that another adds up to.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.received, other.received),
            (&mut self.processed, other.processed),
            (&mut self.failed, other.failed),
            (&mut self.dead_lettered, other.dead_lettered),
            (&mut self.applied, other.applied),
            (&mut self.duplicate, other.duplicate),
            (&mut self.stale, other.stale),
            (&mut self.orphaned, other.orphaned),
            (&mut self.unmapped, other.unmapped),
            (&mut self.by_callback, other.by_callback),
            (&mut self.by_poll, other.by_poll),
            (&mut self.by_person, other.by_person),
            (&mut self.by_silence, other.by_silence),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
        self.processing.merge(&other.processing);
        self.delay.merge(&other.delay);
        for (network, success) in &other.networks {
            let of_network = self.networks.entry(network.clone()).or_default();
            of_network.delivered = of_network.delivered.saturating_add(success.delivered);
            of_network.ended = of_network.ended.saturating_add(success.ended);
        }
    }

    /// How many reports callbacks brought.
    pub const fn reports(&self) -> u64 {
        self.applied
            .saturating_add(self.duplicate)
            .saturating_add(self.stale)
            .saturating_add(self.orphaned)
            .saturating_add(self.unmapped)
    }

    /// Messages whose end nobody called us about.
    pub const fn missed(&self) -> u64 {
        self.by_poll.saturating_add(self.by_silence)
    }

    const fn reports_of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Applied => &mut self.applied,
            Outcome::Duplicate => &mut self.duplicate,
            Outcome::Stale => &mut self.stale,
            Outcome::Orphaned => &mut self.orphaned,
            Outcome::Unmapped => &mut self.unmapped,
        }
    }
}
