//! Tenants' endpoints, in the process and on the clock of who sends.

use crate::http::Message;
use crate::id;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// The most arrivals that one endpoint keeps, 32 MB of them. The run fails when there were more.
const MAX_ARRIVALS: usize = 1_000_000;

/// What an endpoint does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers 200 at once, and knows what arrived by its `webhook-id`.
    KnowsEvents,
    /// Answers 200 at once, and knows what arrived by the message it tells of.
    KnowsMessages,
    /// Answers 200 at once and keeps nothing.
    Forgets,
    /// Reads, and never answers.
    Hangs,
}

/// Something that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    pub key: u128,
    pub at: Instant,
}

/// A listening endpoint. Dropped, it is gone with all its connections.
pub struct Endpoint {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    _listener: JoinSet<()>,
}

#[derive(Default)]
struct Inbox {
    arrivals: Mutex<Vec<Arrival>>,
    count: AtomicUsize,
}

impl Endpoint {
    /// Starts one on a free port.
    pub async fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let inbox = Arc::new(Inbox::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, manner, inbox.clone()));
        Ok(Self {
            address,
            inbox,
            _listener: tasks,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for a subscription.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        self.inbox.count.load(Ordering::Relaxed)
    }

    /// Forgets what has arrived.
    pub fn clear(&self) {
        self.inbox.clear();
    }

    /// What has arrived, in its order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let arrivals = self.inbox.arrivals.lock();
        arrivals.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inbox {
    fn clear(&self) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.clear();
        self.count.store(0, Ordering::Relaxed);
    }

    fn take(&self, key: Option<u128>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let Some(key) = key else { return };
        let at = Instant::now();
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() < MAX_ARRIVALS {
            arrivals.push(Arrival { key, at });
        }
    }
}

async fn listen(listener: TcpListener, manner: Manner, inbox: Arc<Inbox>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, manner, inbox.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Until the other side closes, or says what is not HTTP.
async fn serve(mut stream: TcpStream, manner: Manner, inbox: Arc<Inbox>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(8 * 1024);
    while stream
        .read_buf(&mut buffer)
        .await
        .is_ok_and(|length| length > 0)
    {
        let Ok(answers) = take_all(&mut buffer, manner, &inbox) else {
            return;
        };
        for _ in 0..answers {
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// Takes the requests that are complete; how many answers are due.
fn take_all(buffer: &mut Vec<u8>, manner: Manner, inbox: &Inbox) -> io::Result<usize> {
    let mut taken = 0;
    let mut at = 0;
    while let Some(request) = Message::read(&buffer[at..])? {
        let body = request.body();
        let key = match manner {
            Manner::KnowsEvents => request.header("webhook-id").and_then(id::key),
            Manner::KnowsMessages => id::number_of_message(&buffer[at..][body.clone()]),
            Manner::Forgets | Manner::Hangs => None,
        };
        inbox.take(key);
        taken += usize::from(manner != Manner::Hangs);
        at += body.end;
    }
    buffer.drain(..at);
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Connection, Request};

    async fn post(endpoint: &Endpoint, request: Request, body: &[u8]) -> u16 {
        let mut bytes = Vec::new();
        request.write(body, &mut bytes);
        let mut connection = Connection::open(endpoint.address()).await.unwrap();
        connection.exchange(&bytes).await.unwrap().status
    }

    #[tokio::test]
    async fn what_arrives_is_answered_and_known_by_its_id() {
        let endpoint = Endpoint::start(Manner::KnowsEvents).await.unwrap();
        let id = "evt_00000000000000000000000002";
        let request = Request::post("/hook").header("webhook-id", id);
        assert_eq!(post(&endpoint, request, b"{}").await, 200);
        assert_eq!(endpoint.count(), 1);
        assert_eq!(endpoint.arrivals()[0].key, 2);
    }

    #[tokio::test]
    async fn what_arrives_is_known_by_its_message() {
        let endpoint = Endpoint::start(Manner::KnowsMessages).await.unwrap();
        let body = br#"{"data":{"provider_message_id":"bench-3"}}"#;
        assert_eq!(post(&endpoint, Request::post("/hook"), body).await, 200);
        assert_eq!(endpoint.arrivals()[0].key, 3);
    }
}
