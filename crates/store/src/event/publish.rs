//! Publishing: events that come while others are being written are written together, in as many
//! statements as one takes.

use super::{NewEventRow, Published};
use crate::Store;
use crate::connection::{Connection, insert_rows};
use crate::error::Error;
use crate::idempotency::{self, Answer, Claim, Claimed};
use crate::news::Told;
use crate::plan::{self, Asked};
use crate::schema::events;
use crate::writer::{Job, Permit, Writer};
use domain::event::Event;
use domain::plan::{Limit, Use, day_of};
use domain::{Random, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The most events that are written together.
const MOST: usize = 256;

impl Store {
    /// Writes an event that no limit counts, once for each idempotency key.
    pub async fn publish_event(
        &self,
        event: Event,
        claim: Option<Claim>,
    ) -> Result<Published, Error> {
        let publication = Publication {
            event,
            claim,
            counts: false,
        };
        Ok(self.publish(publication).await?.0)
    }

    /// Writes an event, once for each idempotency key. What became of it, and what was told with it.
    pub async fn publish(&self, publication: Publication) -> Result<(Published, Told), Error> {
        let permit = self.writer.admit().await?;
        let (caller, told) = oneshot::channel();
        self.publishing.add(Publish {
            one: publication.into(),
            caller,
            _permit: permit,
        })?;
        told.await.unwrap_or(Err(Error::Closed))
    }
}

/// An event that is to be published, with the claim of its idempotency key.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The event.
    pub event: Event,
    /// Its key, where it has one.
    pub claim: Option<Claim>,
    /// Whether it counts as one of its tenant's day, where the plan limits these. Who knows that the plan
    /// does not says so: then nothing is looked for.
    pub counts: bool,
}

/// What became of many events that were published as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// What became of each, in their order, and what was told with them.
    New(Vec<Published>, Told),
    /// The same batch was published under this key before: that answer again.
    Replayed(Answer),
    /// Something else was published under this key before.
    Mismatch,
}

impl Store {
    /// Writes events in one commit, each once for its idempotency key, and all of them once for that of
    /// the whole. What is answered under the key of the whole is `answer` of what became of each.
    pub async fn publish_batch(
        &self,
        batch: Vec<Publication>,
        claim: Option<Claim>,
        answer: impl Fn(&[Published]) -> String + Send + 'static,
    ) -> Result<Batch, Error> {
        let batch: Vec<One> = batch.into_iter().map(One::from).collect();
        let random = self.random.clone();
        self.write(move |connection| {
            if let Some(claim) = &claim {
                match idempotency::claim(connection, &[claim])?.pop() {
                    None | Some(Claimed::New) => {}
                    Some(Claimed::Same(answer)) => return Ok(Batch::Replayed(answer)),
                    Some(Claimed::Other) => return Ok(Batch::Mismatch),
                }
            }
            let (done, told) = write(connection, batch.iter(), &random)?;
            if let Some(claim) = &claim {
                idempotency::answer(connection, claim, answer(&done))?;
            }
            Ok(Batch::New(done, told))
        })
        .await
    }
}

/// Where events come together.
#[derive(Clone)]
pub(crate) struct Publishing {
    writer: Writer,
    random: Random,
    waiting: Arc<Waiting>,
    /// How many batches the writer has at once, at the most. What comes meanwhile is written together
    /// afterwards: a transaction costs as much as writing many events.
    at_once: usize,
}

#[derive(Default)]
struct Waiting(Mutex<Batches>);

#[derive(Default)]
struct Batches {
    /// Those whose writing has not begun.
    waiting: VecDeque<Vec<Publish>>,
    /// How many jobs the writer has that each take one of them, or have taken one.
    jobs: usize,
    /// How many of these have not taken theirs yet.
    idle_jobs: usize,
}

/// An event as it is written.
struct One {
    row: NewEventRow,
    claim: Option<Claim>,
    counts: bool,
}

/// An event, and who waits until it is written.
struct Publish {
    one: One,
    caller: oneshot::Sender<Result<(Published, Told), Error>>,
    /// Its place in the writer's queue.
    _permit: Permit,
}

impl From<Publication> for One {
    fn from(publication: Publication) -> Self {
        Self {
            row: publication.event.into(),
            claim: publication.claim,
            counts: publication.counts,
        }
    }
}

impl Publishing {
    pub(crate) fn new(writer: Writer, random: Random, at_once: usize) -> Self {
        Self {
            writer,
            random,
            waiting: Arc::default(),
            at_once,
        }
    }

    /// Puts it into the batch that waits, or begins one.
    fn add(&self, publish: Publish) -> Result<(), Error> {
        let mut batches = self.waiting.lock();
        match batches.waiting.back_mut() {
            Some(batch) if batch.len() < MOST => batch.push(publish),
            _ => batches.waiting.push_back(vec![publish]),
        }
        self.begin(batches)
    }

    /// Gives the writer a job for a batch that has none, where it may have one more.
    fn begin(&self, mut batches: MutexGuard<'_, Batches>) -> Result<(), Error> {
        if batches.jobs >= self.at_once || batches.idle_jobs >= batches.waiting.len() {
            return Ok(());
        }
        batches.jobs += 1;
        batches.idle_jobs += 1;
        drop(batches);
        self.writer.push(Box::new(Together::of(self)))
    }

    /// A job is over, and another may begin.
    fn end(&self, has_taken: bool) {
        let mut batches = self.waiting.lock();
        batches.jobs -= 1;
        if has_taken {
            // Where the writer is closed, the job that it does not take tells everybody.
            let _ = self.begin(batches);
        } else {
            // Nobody began it: the writer is closed. Whoever waits hears so when his event is let go.
            batches.idle_jobs -= 1;
            batches.waiting.clear();
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing of a batch. It takes what has come when it begins.
struct Together {
    /// None: of a part of one.
    turn: Option<Turn>,
    random: Random,
    taken: Vec<Publish>,
    done: Vec<Published>,
    told: Told,
}

/// That it is one of those the writer has.
struct Turn {
    of: Publishing,
    has_taken: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.end(self.has_taken);
    }
}

impl Together {
    fn of(publishing: &Publishing) -> Self {
        Self {
            turn: Some(Turn {
                of: publishing.clone(),
                has_taken: false,
            }),
            random: publishing.random.clone(),
            taken: Vec::new(),
            done: Vec::new(),
            told: Told::default(),
        }
    }

    fn alone(one: Publish, random: Random) -> Self {
        Self {
            turn: None,
            random,
            taken: vec![one],
            done: Vec::new(),
            told: Told::default(),
        }
    }

    fn take(&mut self) {
        let Some(turn) = self.turn.as_mut().filter(|turn| !turn.has_taken) else {
            return;
        };
        turn.has_taken = true;
        let mut batches = turn.of.waiting.lock();
        batches.idle_jobs -= 1;
        self.taken = batches.waiting.pop_front().unwrap_or_default();
    }
}

impl Job for Together {
    fn run(&mut self, connection: &mut Connection) -> Result<(), Error> {
        self.take();
        let all = self.taken.iter().map(|publish| &publish.one);
        (self.done, self.told) = write(connection, all, &self.random)?;
        Ok(())
    }

    fn split(&mut self) -> Vec<Box<dyn Job>> {
        if self.taken.len() < 2 {
            return Vec::new();
        }
        let single = |one| {
            let alone = Self::alone(one, self.random.clone());
            Box::new(alone) as Box<dyn Job>
        };
        self.taken.drain(..).map(single).collect()
    }

    fn tell(mut self: Box<Self>, ended: Result<(), Error>) {
        self.take();
        let mut done = self.done.into_iter();
        // One of those whose events count passes on what was told.
        let mut told = Some(self.told);
        for publish in self.taken {
            let is_asked = publish.one.counts;
            let outcome = match &ended {
                Ok(()) => done.next().ok_or(Error::Closed),
                Err(error) => Err(error.again()),
            };
            let outcome = outcome.map(|done| {
                let told = told.take_if(|_| is_asked).unwrap_or_default();
                (done, told)
            });
            // The caller may have gone away; its event is written all the same.
            let _ = publish.caller.send(outcome);
        }
    }
}

/// Writes events whose idempotency keys are new, as far as limits leave room; what became of each, and what
/// was told with them.
fn write<'a>(
    connection: &mut Connection,
    batch: impl Iterator<Item = &'a One> + Clone,
    random: &Random,
) -> Result<(Vec<Published>, Told), Error> {
    let claims: Vec<&Claim> = batch.clone().filter_map(|one| one.claim.as_ref()).collect();
    let mut claimed = idempotency::claim(connection, &claims)?.into_iter();
    let mut done: Vec<Published> = batch
        .clone()
        .map(
            |one| match one.claim.as_ref().and_then(|_| claimed.next()) {
                None | Some(Claimed::New) => Published::New,
                Some(Claimed::Same(answer)) => Published::Replayed(answer),
                Some(Claimed::Other) => Published::Mismatch,
            },
        )
        .collect();
    let told = count(connection, batch.clone(), &mut done, random)?;
    let rows: Vec<&NewEventRow> = batch
        .zip(&done)
        .filter_map(|(one, done)| (*done == Published::New).then_some(&one.row))
        .chain(&told)
        .collect();
    insert_rows!(connection, events::table, rows.iter().copied());
    Ok((done, Told::of(&told)))
}

/// Counts those of them that count, and refuses the last ones that there is no room for. A key under which
/// one was refused is free again. What is to be told of it.
fn count<'a>(
    connection: &mut Connection,
    batch: impl Iterator<Item = &'a One> + Clone,
    done: &mut [Published],
    random: &Random,
) -> Result<Vec<NewEventRow>, Error> {
    let mut asked: BTreeMap<plan::Key, Asked> = BTreeMap::new();
    for (one, done) in batch.clone().zip(&*done) {
        if one.counts && *done == Published::New {
            let more = asked.entry(one.counted_at()).or_insert(Asked {
                more: 0,
                used: None,
                at: one.row.created_at.into(),
            });
            more.more += 1;
        }
    }
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let taken = plan::take(connection, &asked, random)?;
    if taken.refused.is_empty() {
        return Ok(taken.told);
    }
    let mut left: BTreeMap<plan::Key, u64> = asked
        .iter()
        .map(|(key, asked)| {
            let refused = taken.refused.get(key).map_or(0, |(number, _)| *number);
            (*key, asked.more - refused)
        })
        .collect();
    let mut freed: HashMap<&[u8; 32], &Use> = HashMap::new();
    for (one, done) in batch.zip(done) {
        let claim = one.claim.as_ref().map(|claim| &claim.key);
        let refused = match done {
            Published::New if one.counts => refuse(&one.counted_at(), &mut left, &taken),
            // The same again, of what was refused just now.
            Published::Replayed(_) => claim.and_then(|claim| freed.get(claim).copied()),
            _ => None,
        };
        if let Some(used) = refused {
            freed.extend(claim.map(|claim| (claim, used)));
            *done = Published::Refused(used.clone());
        }
    }
    let freed: Vec<&[u8; 32]> = freed.into_keys().collect();
    idempotency::release(connection, &freed)?;
    Ok(taken.told)
}

/// The limit that one more meets, where nothing is left; takes one otherwise.
fn refuse<'a>(
    key: &plan::Key,
    left: &mut BTreeMap<plan::Key, u64>,
    taken: &'a plan::Taken,
) -> Option<&'a Use> {
    let left = left.get_mut(key)?;
    if *left == 0 {
        return taken.refused.get(key).map(|(_, used)| used);
    }
    *left -= 1;
    None
}

impl One {
    fn counted_at(&self) -> plan::Key {
        let day = day_of(Timestamp::from(self.row.created_at));
        (self.row.tenant_id, Limit::EventsPerDay, day)
    }
}
