use super::mailbox::{Mailbox, Work};
use super::settle;
use crate::consume::Settlement;
use crate::error::Error;
use crate::handler::JobId;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A consumer's hold on the jobs of a claim. What is unsettled when it is dropped is given back.
pub(crate) struct Ticket {
    mailbox: Arc<Mailbox>,
    slot: usize,
    claim: i64,
    held: Vec<JobId>,
    is_begun: bool,
}

impl Ticket {
    pub(super) const fn new(
        mailbox: Arc<Mailbox>,
        slot: usize,
        claim: i64,
        held: Vec<JobId>,
    ) -> Self {
        Self {
            mailbox,
            slot,
            claim,
            held,
            is_begun: false,
        }
    }

    pub(crate) const fn begin(&mut self) {
        self.is_begun = true;
    }

    pub(crate) fn release(&mut self) {
        self.is_begun = false;
        self.give_back();
    }

    pub(crate) async fn settle(&mut self, settlements: &[Settlement]) -> Result<(), Error> {
        let settled: HashSet<JobId> = settlements.iter().map(|one| one.id).collect();
        let remaining: Vec<JobId> = self
            .held
            .iter()
            .filter(|held| !settled.contains(held))
            .copied()
            .collect();
        let (reply, answer) = oneshot::channel();
        self.mailbox.work(Work::Settle(settle::Request {
            slot: self.slot,
            claim: self.claim,
            settlements: settlements.to_vec(),
            remaining: remaining.iter().map(|id| id.number()).collect(),
            reply,
        }))?;
        answer.await.map_err(|_| Error::Closed)??;
        self.held = remaining;
        Ok(())
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.held).is_empty() {
            return;
        }
        // A closed mailbox: the next start finds the claim in the file and gives its jobs back.
        let _ = self.mailbox.work(Work::Return(settle::Return {
            slot: self.slot,
            claim: self.claim,
            is_attempted: self.is_begun,
        }));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.give_back();
    }
}
