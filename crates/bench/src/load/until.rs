//! Asking until what was accepted has had its effect.

use super::{Accepted, CONNECTIONS, Load, Turn, Turns};
use crate::http::Connection;
use crate::script::Script;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The longest that an effect is asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two questions.
const BREATH: Duration = Duration::from_micros(500);

/// A script, and where it is played.
pub struct Side<S> {
    pub script: S,
    pub address: SocketAddr,
}

/// As [`super::open`]; what is accepted is then asked about, again and again, until the answer has a key.
/// `accepted` is what was seen to have its effect, `answers` the time from when it was due to then, and
/// `broken` counts what had none in time.
pub async fn until<S: Script, A: Script>(
    cause: Side<S>,
    effect: Side<A>,
    count: u64,
    per_second: u32,
) -> Load {
    let (turns, timetable) = Turns::open(count, per_second, CONNECTIONS);
    let timetable = std::thread::spawn(timetable);
    let mut load = Load::new(turns.began());
    let sides = Arc::new((cause, effect, turns));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(take_turns(sides.clone()));
    }
    for part in connections.join_all().await {
        load.extend(part);
    }
    let _ = timetable.join();
    load
}

async fn take_turns<S: Script, A: Script>(sides: Arc<(Side<S>, Side<A>, Turns)>) -> Load {
    let (cause, effect, turns) = &*sides;
    let mut load = Load::new(turns.began());
    let mut connections = None;
    while let Some(turn) = turns.next().await {
        match take_turn(cause, effect, turn, &mut connections).await {
            Ok(Some(seen)) => {
                load.answers.push(seen - turn.due);
                load.took = seen - load.began;
                let key = turn.number.into();
                load.accepted.push(Accepted { key, due: turn.due });
            }
            Ok(None) => load.refused += 1,
            Err(_) => {
                load.broken += 1;
                connections = None;
            }
        }
    }
    load
}

/// When the effect was seen; none where the cause was refused.
async fn take_turn<S: Script, A: Script>(
    cause: &Side<S>,
    effect: &Side<A>,
    turn: Turn,
    connections: &mut Option<(Connection, Connection)>,
) -> std::io::Result<Option<Instant>> {
    let (causing, asking) = match connections {
        Some(connections) => connections,
        None => connections.insert((
            Connection::open(cause.address).await?,
            Connection::open(effect.address).await?,
        )),
    };
    let mut request = Vec::with_capacity(1024);
    cause.script.write(turn.number, &mut request);
    let answer = causing.exchange(&request).await?;
    if !(200..300).contains(&answer.status) {
        return Ok(None);
    }
    request.clear();
    effect.script.write(turn.number, &mut request);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let answer = asking.exchange(&request).await?;
        if effect.script.key(turn.number, answer.body).is_some() {
            return Ok(Some(Instant::now()));
        }
        tokio::time::sleep(BREATH).await;
    }
    Err(std::io::ErrorKind::TimedOut.into())
}
