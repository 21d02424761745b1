//! A receiver of webhooks that wishes its sender ill.

mod behaviour;
mod certificate;
mod connection;
pub mod http2;

pub use behaviour::{Behaviour, Step};
pub use certificate::Certificate;

use crate::endpoint::Hit;
use crate::eventually::eventually_at;
use crate::server::Server;
use certificate::Authority;
use connection::Connection;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// A server on 127.0.0.1 that behaves as badly as it is told, the same way every time: over TCP by the
/// path of the request, over TLS by the name that was asked for. It runs on a thread of its own, and
/// ends when dropped.
pub struct Hostile {
    shared: Arc<Shared>,
    server: Server,
    root: CertificateDer<'static>,
}

/// What one behaviour has seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// How often it was met.
    pub met: usize,
    /// How many of these meetings go on: the other side has not closed.
    pub open: usize,
    /// How many bytes the other side, and the buffers on the way to it, took.
    pub written: usize,
    /// The requests that were read to their ends.
    pub hits: Vec<Hit>,
}

#[derive(Default)]
struct Shared {
    rules: HashMap<String, Rule>,
    seen: Mutex<HashMap<String, Seen>>,
}

struct Rule {
    behaviour: Behaviour,
    tls: Option<Arc<ServerConfig>>,
}

impl Hostile {
    /// Starts with these behaviours, each under a name that is both a path and a label of a host name.
    pub async fn start<N: Into<String>>(
        behaviours: impl IntoIterator<Item = (N, Behaviour)>,
    ) -> Self {
        let authority = Authority::new();
        let rule = |(name, behaviour): (N, Behaviour)| {
            let name = name.into();
            let tls = behaviour.tls().map(|(certificate, protocols)| {
                authority.config(&host(&name), certificate, protocols)
            });
            (name, Rule { behaviour, tls })
        };
        let shared = Arc::new(Shared {
            rules: behaviours.into_iter().map(rule).collect(),
            seen: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let serve = move |stream| meet(stream, Arc::clone(&serving));
        Self {
            shared,
            server: Server::start(0, serve).await,
            root: authority.root(),
        }
    }

    /// Where this behaviour is met: a host of its own below `localhost`, over TLS if it speaks that.
    pub fn url(&self, name: &str) -> String {
        let is_secure = self.shared.rules[name].behaviour.is_secure();
        let scheme = if is_secure { "https" } else { "http" };
        format!("{scheme}://{}/{name}", self.authority(name))
    }

    /// The host and the port of it.
    pub fn authority(&self, name: &str) -> String {
        format!("{}:{}", host(name), self.address().port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The certificate of who vouches for those of its behaviours that are to be trusted.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// What this behaviour has seen until now.
    pub fn seen(&self, name: &str) -> Seen {
        self.shared.seen().get(name).cloned().unwrap_or_default()
    }

    /// Waits until the other side has closed whatever it had opened to any behaviour.
    ///
    /// # Panics
    ///
    /// When it has not `within` the time: with those that are open.
    #[track_caller]
    pub fn until_left_alone(&self, within: Duration) -> impl Future<Output = ()> {
        let asked_at = Location::caller();
        async move {
            let what = "every connection to the hostile receiver is closed";
            eventually_at(asked_at, what, within, async || {
                let seen = self.shared.seen();
                let mut open: Vec<_> = seen.iter().filter(|(_, seen)| seen.open > 0).collect();
                open.sort_by_key(|(name, _)| name.as_str());
                let open: Vec<_> = open.into_iter().map(|(name, _)| name.clone()).collect();
                if open.is_empty() {
                    Ok(())
                } else {
                    Err(open.join(", "))
                }
            })
            .await;
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names below `localhost` are this machine's (RFC 6761 §6.3): no name server has to know them.
fn host(name: &str) -> String {
    format!("{name}.localhost")
}

/// One behaviour after another, for as long as the connection can be used again.
async fn meet(stream: TcpStream, shared: Arc<Shared>) {
    let Some((mut connection, over_tls)) = Connection::accept(stream, &shared).await else {
        return;
    };
    loop {
        let name = match &over_tls {
            Some(name) => name.clone(),
            None => match connection.path().await {
                Some(name) => name,
                None => return,
            },
        };
        let Some(rule) = shared.rules.get(&name) else {
            return;
        };
        let meeting = Meeting::begin(&shared, &name);
        if !behaviour::play(&rule.behaviour, &mut connection, &meeting).await {
            return;
        }
        if over_tls.is_some() && !connection.goes_on().await {
            return;
        }
    }
}

/// Counts a meeting as open until it is dropped.
struct Meeting<'a> {
    shared: &'a Shared,
    name: &'a str,
}

impl<'a> Meeting<'a> {
    fn begin(shared: &'a Shared, name: &'a str) -> Self {
        let meeting = Self { shared, name };
        meeting.note(|seen| {
            seen.met += 1;
            seen.open += 1;
        });
        meeting
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(self.shared.seen().entry(self.name.to_owned()).or_default());
    }
}

impl Drop for Meeting<'_> {
    fn drop(&mut self) {
        self.note(|seen| seen.open -= 1);
    }
}
