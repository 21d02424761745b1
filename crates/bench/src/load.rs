//! Sending requests: as many as are answered, or on a timetable that waits for nobody.

mod turns;
mod until;

use crate::http::Connection;
use crate::latencies::Latencies;
use crate::script::Script;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use turns::{Turn, Turns};

pub use until::{Side, until};

/// How many connections a load keeps, as the design's numbers say.
pub const CONNECTIONS: usize = 64;

/// What became of a load.
#[derive(Debug)]
pub struct Load {
    /// What was answered with 2xx, in no order.
    pub accepted: Vec<Accepted>,
    /// How many were answered otherwise.
    pub refused: u64,
    /// How many were not answered: what became of them is not known.
    pub broken: u64,
    /// How long the answers took, from when each request was due.
    pub answers: Latencies,
    /// When the first request was due.
    pub began: Instant,
    /// From then to the last answer.
    pub took: Duration,
}

/// Something that was accepted, and so is owed.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// What its arrival is known by.
    pub key: u128,
    /// When its request was due, which is when its time begins.
    pub due: Instant,
}

impl Load {
    /// Accepted in a second.
    pub fn rate(&self) -> f64 {
        rate(self.accepted.len(), self.took)
    }

    fn new(began: Instant) -> Self {
        Self {
            accepted: Vec::new(),
            refused: 0,
            broken: 0,
            answers: Latencies::default(),
            began,
            took: Duration::ZERO,
        }
    }

    fn extend(&mut self, part: Self) {
        self.accepted.extend(part.accepted);
        self.refused += part.refused;
        self.broken += part.broken;
        self.answers.extend(part.answers);
        self.took = self.took.max(part.took);
    }
}

/// So many in a second.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(0.001)
}

/// Asks for these numbers in their order, each connection its next one as soon as it is answered, until
/// the time is over.
pub async fn closed<S: Script>(
    script: S,
    address: SocketAddr,
    numbers: Range<u64>,
    until: Duration,
) -> Load {
    run(script, address, Turns::closed(numbers, until)).await
}

/// Asks for `count` numbers from 0, `per_second` of them in a second. Each is due at its time whatever
/// became of those before it, and its latency counts from then, so a system that stands still is seen
/// standing still.
pub async fn open<S: Script>(script: S, address: SocketAddr, count: u64, per_second: u32) -> Load {
    let (turns, timetable) = Turns::open(count, per_second, CONNECTIONS);
    // A thread, because the runtime's timer is only exact to a millisecond.
    let timetable = std::thread::spawn(timetable);
    let load = run(script, address, turns).await;
    let _ = timetable.join();
    load
}

async fn run<S: Script>(script: S, address: SocketAddr, turns: Turns) -> Load {
    let mut load = Load::new(turns.began());
    let (script, turns) = (Arc::new(script), Arc::new(turns));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(take_turns(script.clone(), address, turns.clone()));
    }
    for part in connections.join_all().await {
        load.extend(part);
    }
    load
}

async fn take_turns<S: Script>(script: Arc<S>, address: SocketAddr, turns: Arc<Turns>) -> Load {
    let mut load = Load::new(turns.began());
    let mut request = Vec::with_capacity(1024);
    let mut connection = None;
    while let Some(turn) = turns.next().await {
        request.clear();
        script.write(turn.number, &mut request);
        if ask(
            &mut connection,
            address,
            &request,
            &*script,
            turn,
            &mut load,
        )
        .await
        .is_err()
        {
            load.broken += 1;
            connection = None;
        }
    }
    load
}

async fn ask<S: Script>(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    request: &[u8],
    script: &S,
    turn: Turn,
    load: &mut Load,
) -> std::io::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(address).await?),
    };
    let answer = connection.exchange(request).await?;
    let now = Instant::now();
    load.answers.push(now - turn.due);
    load.took = now - load.began;
    if !(200..300).contains(&answer.status) {
        load.refused += 1;
    } else if let Some(key) = script.key(turn.number, answer.body) {
        load.accepted.push(Accepted { key, due: turn.due });
    }
    Ok(())
}
