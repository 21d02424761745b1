//! Stands between a store and its PostgreSQL, counts how often one waits for the other, and cuts the
//! line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens to the next commit.
#[derive(Clone, Copy)]
pub enum Cut {
    Never = 0,
    /// The server gets it; its answer gets nowhere.
    AfterCommit = 1,
    /// The server never gets it.
    BeforeCommit = 2,
}

/// Forwards until it is dropped.
pub struct Proxy {
    pub address: String,
    cut: Arc<AtomicU8>,
    round_trips: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// To the server of this URL, on a port of its own.
    pub async fn before(url: &str) -> Self {
        Self::at(url, "127.0.0.1:0").await
    }

    pub async fn at(url: &str, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (_, place) = url.rsplit_once('@').unwrap();
        let server = place.split('/').next().unwrap().to_owned();
        let cut = Arc::new(AtomicU8::new(Cut::Never as u8));
        let mut tasks = JoinSet::new();
        let shared = cut.clone();
        let round_trips = Arc::<AtomicUsize>::default();
        let counted = round_trips.clone();
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let (shared, counted) = (shared.clone(), counted.clone());
                lines.spawn(forward(client, server, shared, counted));
            }
        });
        Self {
            address,
            cut,
            round_trips,
            _tasks: tasks,
        }
    }

    /// The same database, by way of this.
    pub fn url(&self, url: &str) -> String {
        let (_, database) = url.rsplit_once('/').unwrap();
        format!(
            "postgres://postgres@{}/{database}?sslmode=disable",
            self.address
        )
    }

    /// How often the server was asked something after it had answered.
    pub fn round_trips(&self) -> usize {
        self.round_trips.load(Ordering::SeqCst)
    }

    pub fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

/// Ends when either side does, or at a commit that is to be cut.
async fn forward(
    client: TcpStream,
    server: TcpStream,
    cut: Arc<AtomicU8>,
    round_trips: Arc<AtomicUsize>,
) {
    let was_answered = AtomicBool::new(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let said = &buffer[..length];
            if was_answered.swap(false, Ordering::SeqCst) {
                round_trips.fetch_add(1, Ordering::SeqCst);
            }
            let commits = said.windows(7).any(|window| window == b"commit\0");
            let now = if commits {
                cut.swap(0, Ordering::SeqCst)
            } else {
                0
            };
            if now == Cut::BeforeCommit as u8 || to_server.write_all(said).await.is_err() {
                return;
            }
            if now == Cut::AfterCommit as u8 {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            was_answered.store(true, Ordering::SeqCst);
            if to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
