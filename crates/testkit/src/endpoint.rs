//! A tenant's webhook endpoint.

mod check;
mod hit;
mod reply;

pub use hit::Hit;
pub use reply::{Reply, Script};

use crate::eventually::eventually_at;
use crate::server::{RequestReader, Server};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How many requests a panic shows.
const SHOWN: usize = 20;

/// An HTTP/1.1 server on 127.0.0.1 that keeps what it is sent and answers as it was told: 200 to
/// everything unless it was told otherwise. It runs on a thread of its own, and ends when dropped.
///
/// Every event it receives from Tidings is held against the catalog; dropped, it panics where one was not
/// as the catalog says.
pub struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Mutex<Option<Server>>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: Script,
    scripts_by_path: HashMap<String, Script>,
    hits: Vec<Hit>,
    /// The first event that was not as the catalog says.
    wrong: Option<String>,
}

impl Endpoint {
    /// Starts on any free port.
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    /// Starts on this port, for one that was stopped to come back. Nothing is kept of what it was.
    ///
    /// # Panics
    ///
    /// When the port is not to be had within 5 seconds.
    pub async fn start_on(port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let server = Server::start(port, move |stream| serve(stream, Arc::clone(&serving))).await;
        Self {
            address: server.address(),
            shared,
            server: Mutex::new(Some(server)),
        }
    }

    /// `http://127.0.0.1:PORT` and `path`, which begins with a slash or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where it listens, or listened.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers by this script from now on, from its beginning.
    pub fn answer_with(&self, script: impl Into<Script>) {
        self.shared.state().script = script.into();
    }

    /// Answers requests to this path (given without a query) by a script of their own.
    pub fn answer_at(&self, path: &str, script: impl Into<Script>) {
        let mut state = self.shared.state();
        state.scripts_by_path.insert(path.to_owned(), script.into());
    }

    /// Every request until now, in the order they were read to their ends.
    pub fn hits(&self) -> Vec<Hit> {
        self.shared.state().hits.clone()
    }

    /// The same, and forgets them.
    pub fn take_hits(&self) -> Vec<Hit> {
        std::mem::take(&mut self.shared.state().hits)
    }

    /// How many connections were ever opened to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Every request, once there are at least `n`.
    ///
    /// # Panics
    ///
    /// When there are fewer `within` the time: with what there is.
    #[track_caller]
    pub fn wait_for(&self, n: usize, within: Duration) -> impl Future<Output = Vec<Hit>> {
        let what = format!("{} has {n} requests", self.url(""));
        self.wait(Location::caller(), what, within, move |hits| {
            hits.len() >= n
        })
    }

    /// Every request, once they are as wanted. `wanted` must not use the endpoint itself.
    ///
    /// # Panics
    ///
    /// When they are not `within` the time: with what there is.
    #[track_caller]
    pub fn wait_until(
        &self,
        wanted: impl FnMut(&[Hit]) -> bool,
        within: Duration,
    ) -> impl Future<Output = Vec<Hit>> {
        let what = format!("the requests at {} are as wanted", self.url(""));
        self.wait(Location::caller(), what, within, wanted)
    }

    /// Cuts every connection and refuses new ones. What was seen is kept.
    pub fn stop(&self) {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(server);
    }

    async fn wait(
        &self,
        asked_at: &Location<'_>,
        what: String,
        within: Duration,
        mut wanted: impl FnMut(&[Hit]) -> bool,
    ) -> Vec<Hit> {
        eventually_at(asked_at, &what, within, async || {
            let state = self.shared.state();
            if wanted(&state.hits) {
                Ok(state.hits.clone())
            } else {
                Err(describe(&state.hits))
            }
        })
        .await
    }
}

/// A test in which an event was not as the catalog says fails, whatever it was about.
impl Drop for Endpoint {
    fn drop(&mut self) {
        let wrong = self.shared.state().wrong.take();
        if let Some(wrong) = wrong.filter(|_| !std::thread::panicking()) {
            panic!("{wrong}");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Chooses the answer and keeps the request in one step: whoever has seen the request may change
    /// the script, and its answer stays as it was.
    fn receive(&mut self, hit: Hit) -> Reply {
        let path = hit.path.split('?').next().unwrap_or_default();
        let script = self.scripts_by_path.get_mut(path);
        let reply = script.unwrap_or(&mut self.script).next();
        if self.wrong.is_none() {
            self.wrong = check::judge(&hit);
        }
        self.hits.push(hit);
        reply
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let (read_half, mut write_half) = stream.split();
    let mut requests = RequestReader::new(read_half);
    while let Ok(Some(request)) = requests.next().await {
        let is_head = request.method == "HEAD";
        let reply = shared.state().receive(Hit::new(Instant::now(), request));
        if matches!(reply, Reply::Hang) {
            return requests.closed().await;
        }
        match reply.send(&mut write_half, is_head).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
    }
}

fn describe(hits: &[Hit]) -> String {
    let mut lines = vec![format!("{} requests", hits.len())];
    lines.extend(hits.iter().take(SHOWN).map(ToString::to_string));
    if hits.len() > SHOWN {
        lines.push(format!("and {} more", hits.len() - SHOWN));
    }
    lines.join("\n  ")
}
