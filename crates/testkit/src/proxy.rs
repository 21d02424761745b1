//! The network in front of a server, which fails when it is told to.

use crate::server::{Reserved, Server};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long the server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// What one read may bring, and so how much is held of each direction of a connection.
const CHUNK_BYTES: usize = 16 << 10;

/// A TCP proxy on 127.0.0.1 in front of one address. It runs on a thread of its own; when it is dropped
/// its connections end.
pub struct Proxy {
    target: String,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    is_frozen: watch::Sender<bool>,
    door: Mutex<Door>,
}

/// What is at the proxy's port.
enum Door {
    Open(#[expect(dead_code, reason = "it serves until it is dropped")] Server),
    /// Refuses everybody.
    Shut(#[expect(dead_code, reason = "it keeps the port until it is dropped")] Option<Reserved>),
}

impl Proxy {
    /// Starts on any free port. `target` is `HOST:PORT`; a connection is opened to it for each that is
    /// opened to the proxy.
    pub async fn start(target: &str) -> Self {
        let (is_frozen, _) = watch::channel(false);
        let connections = Arc::default();
        let server = serve(0, target, &connections, &is_frozen).await;
        Self {
            target: target.to_owned(),
            address: server.address(),
            connections,
            is_frozen,
            door: Mutex::new(Door::Open(server)),
        }
    }

    /// Where to reach the target through it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the target, by way of the proxy.
    ///
    /// # Panics
    ///
    /// When the URL does not name the target as it was given.
    #[track_caller]
    pub fn url(&self, url: &str) -> String {
        assert!(
            url.contains(&self.target),
            "{} is not in {url}",
            self.target
        );
        url.replacen(&self.target, &self.address.to_string(), 1)
    }

    /// How many connections were ever opened to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Closes all connections and refuses new ones, until [`heal`](Self::heal).
    pub fn cut(&self) {
        // First, as the port is not to be had before its connections are closed.
        self.put(Door::Shut(None));
        self.put(Door::Shut(Reserved::new(self.address.port()).ok()));
    }

    /// Keeps all connections, accepts new ones, and carries nothing more, not even that one was closed,
    /// until [`heal`](Self::heal).
    pub fn freeze(&self) {
        self.is_frozen.send_replace(true);
    }

    /// Everything is well again: what was held arrives, and connections can be opened.
    pub async fn heal(&self) {
        self.is_frozen.send_replace(false);
        if self.is_open() {
            return;
        }
        self.put(Door::Shut(None));
        let port = self.address.port();
        let server = serve(port, &self.target, &self.connections, &self.is_frozen).await;
        self.put(Door::Open(server));
    }

    fn is_open(&self) -> bool {
        let door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*door, Door::Open(_))
    }

    fn put(&self, door: Door) {
        *self.door.lock().unwrap_or_else(PoisonError::into_inner) = door;
    }
}

async fn serve(
    port: u16,
    target: &str,
    connections: &Arc<AtomicUsize>,
    is_frozen: &watch::Sender<bool>,
) -> Server {
    let (target, connections) = (Arc::<str>::from(target), Arc::clone(connections));
    let is_frozen = is_frozen.subscribe();
    Server::start(port, move |client| {
        connections.fetch_add(1, Ordering::Relaxed);
        relay(client, Arc::clone(&target), is_frozen.clone())
    })
    .await
}

/// The whole life of a connection. When one direction fails, both end.
async fn relay(mut client: TcpStream, target: Arc<str>, mut is_frozen: watch::Receiver<bool>) {
    thawed(&mut is_frozen).await;
    let connected = timeout(PATIENCE, TcpStream::connect(&*target)).await;
    let Ok(Ok(mut server)) = connected else {
        return;
    };
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let _ = tokio::try_join!(
        carry(from_client, to_server, is_frozen.clone()),
        carry(from_server, to_client, is_frozen)
    );
}

async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut is_frozen: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await;
        thawed(&mut is_frozen).await;
        match read? {
            0 => return to.shutdown().await,
            length => to.write_all(&chunk[..length]).await?,
        }
    }
}

async fn thawed(is_frozen: &mut watch::Receiver<bool>) {
    let _ = is_frozen.wait_for(|is_frozen| !is_frozen).await;
}
