//! Requests of the API that their callers gave a name: each is done at most once, whoever dies meanwhile.
//!
//! A request is claimed before it is done. Every transaction that is written for it says first that the
//! request is done, and only where the claim is still its own. So a claim that lapsed without being done had
//! no effect and passes to whoever asks again, and what still comes under the old claim is undone. One that
//! lapsed and was done is never done again, whether its answer is known or not.

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::error::Error;
use crate::idempotency::REMEMBERED;
use crate::retention::PAGE;
use crate::schema::requests;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::TenantId;
use std::time::Duration;
use uuid::Uuid;

/// How long a request may take before somebody else may do it, if it was not begun to be done.
pub const LEASE: Duration = Duration::from_mins(1);

/// A request under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// SHA-256 over tenant, method, path and key.
    pub key: [u8; 32],
    /// Whose request.
    pub tenant_id: TenantId,
    /// SHA-256 of what was asked.
    pub body_hash: [u8; 32],
}

/// Somebody's doing of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    key: [u8; 32],
    run: Uid,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is to be done, by whoever is told this.
    Begun(Run),
    /// It is done; its answer, as it was sealed.
    Answered(Vec<u8>),
    /// It is being done.
    InFlight,
    /// It is done, and nobody knows its answer: who did it died, or the answer was erased.
    AnswerLost,
    /// The key came with another request before.
    Other,
}

tokio::task_local! {
    /// What the work at hand is done for.
    static PRESENT: Run;
}

impl Run {
    /// Has everything that `work` writes say that the request is done.
    pub async fn during<F: Future>(self, work: F) -> F::Output {
        PRESENT.scope(self, work).await
    }
}

/// What is being done at this moment, if that has a name.
pub(crate) fn present() -> Option<Run> {
    PRESENT.try_with(|run| *run).ok()
}

/// Says that a request is done, in the transaction of what it does.
pub(crate) fn note_done(connection: &mut Connection, run: &Run) -> Result<(), Error> {
    let noted = each!(connection, c => diesel::update(requests::table.find(run.key.as_slice()))
        .filter(requests::run.eq(run.run))
        .set(requests::is_done.eq(true))
        .execute(c))?;
    if noted == 0 {
        return Err(Error::RequestLost);
    }
    Ok(())
}

impl Store {
    /// Claims a request.
    pub async fn claim_request(&self, named: Named) -> Result<Claimed, Error> {
        let now = self.clock.now();
        let run = Uid(Uuid::from_bytes(self.random.bytes()));
        self.write(move |connection| claim(connection, &named, run, now))
            .await
    }

    /// Keeps the answer to a request that was done.
    pub async fn keep_answer(&self, run: Run, sealed: Vec<u8>) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::update(requests::table.find(run.key.as_slice()))
                .filter(requests::run.eq(run.run))
                .set((requests::is_done.eq(true), requests::answer.eq(Some(&sealed))))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Gives a request back: it was refused. With `unless_done`, only where it had no effect.
    pub async fn release_request(&self, run: Run, unless_done: bool) -> Result<(), Error> {
        self.write(move |connection| {
            let may_be_done = !unless_done;
            each!(connection, c => diesel::delete(requests::table.find(run.key.as_slice()))
                .filter(requests::run.eq(run.run))
                .filter(requests::is_done.eq(false).or(requests::is_done.eq(may_be_done)))
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Forgets a page of requests older than [`REMEMBERED`]; how many.
    pub async fn forget_requests(&self) -> Result<usize, Error> {
        let limit = Moment::from(self.clock.now().minus(REMEMBERED));
        self.write(move |connection| {
            let old: Vec<Vec<u8>> = each!(connection, c => requests::table
                .filter(requests::created_at.lt(limit))
                .order(requests::created_at)
                .select(requests::key)
                .limit(PAGE)
                .load(c))?;
            Ok(each!(connection, c => diesel::delete(requests::table)
                .filter(requests::key.eq_any(&old))
                .filter(requests::created_at.lt(limit))
                .execute(c))?)
        })
        .await
    }

    /// Forgets the answers to a tenant's requests: they are sealed, and may name anybody. That the requests
    /// are done stays known.
    pub(crate) async fn forget_answers(&self, tenant: TenantId) -> Result<(), Error> {
        self.write(move |connection| {
            each!(connection, c => diesel::update(requests::table)
                .filter(requests::tenant_id.eq(Uid::from(tenant)))
                .filter(requests::answer.is_not_null())
                .set(requests::answer.eq(None::<Vec<u8>>))
                .execute(c))?;
            Ok(())
        })
        .await
    }
}

fn claim(
    connection: &mut Connection,
    named: &Named,
    run: Uid,
    now: Timestamp,
) -> Result<Claimed, Error> {
    let row = RequestRow::new(named, run, now);
    let begun = Claimed::Begun(Run {
        key: named.key,
        run,
    });
    let is_new = each!(connection, c => diesel::insert_into(requests::table)
        .values(&row)
        .on_conflict_do_nothing()
        .execute(c))?;
    if is_new > 0 {
        return Ok(begun);
    }
    let known: Vec<RequestRow> = load_locked!(
        connection,
        requests::table
            .find(named.key.as_slice())
            .select(RequestRow::as_select()),
        for_update
    );
    // It was there a moment ago: it was given back meanwhile, and the caller asks again.
    let Some(known) = known.into_iter().next() else {
        return Ok(Claimed::InFlight);
    };
    let is_forgotten = known.created_at < Moment::from(now.minus(REMEMBERED));
    if !is_forgotten {
        if known.body_hash != named.body_hash {
            return Ok(Claimed::Other);
        }
        if let Some(answer) = known.answer {
            return Ok(Claimed::Answered(answer));
        }
        if known.lease_until > Moment::from(now) {
            return Ok(Claimed::InFlight);
        }
        if known.is_done {
            return Ok(Claimed::AnswerLost);
        }
    }
    each!(connection, c => diesel::update(requests::table.find(named.key.as_slice()))
        .set(&row)
        .execute(c))?;
    Ok(begun)
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = requests, treat_none_as_default_value = false, treat_none_as_null = true)]
struct RequestRow {
    key: Vec<u8>,
    tenant_id: Uid,
    body_hash: Vec<u8>,
    run: Uid,
    lease_until: Moment,
    is_done: bool,
    answer: Option<Vec<u8>>,
    created_at: Moment,
}

impl RequestRow {
    fn new(named: &Named, run: Uid, now: Timestamp) -> Self {
        Self {
            key: named.key.to_vec(),
            tenant_id: named.tenant_id.into(),
            body_hash: named.body_hash.to_vec(),
            run,
            lease_until: now.plus(LEASE).into(),
            is_done: false,
            answer: None,
            created_at: now.into(),
        }
    }
}
