use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// An endpoint as bytes on a socket. It ends with the test.
pub struct Server {
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Serves every connection with `serve`.
    pub async fn start<F, S>(serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(socket));
            }
        });
        Self {
            address,
            accepted,
            _tasks: tasks,
        }
    }

    /// Answers the first request of every connection with these bytes and keeps the connection
    /// open.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<Vec<u8>> = Arc::new(answer.into());
        Self::start(move |mut socket| {
            let answer = Arc::clone(&answer);
            async move {
                read_request(&mut socket).await;
                let _ = socket.write_all(&answer).await;
                until_closed(&mut socket).await;
            }
        })
        .await
    }

    /// Answers every request of every connection with `200 OK`.
    pub async fn well() -> Self {
        Self::start(answer_well).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?secret=1", self.address)
    }

    /// How many connections were made.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

pub async fn answer_well(mut socket: impl AsyncRead + AsyncWrite + Unpin) {
    while read_request(&mut socket).await.is_some() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        if socket.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The next request as it was sent, if there is one.
pub async fn read_request(socket: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = vec![];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Reads until the other side ends the connection; returns how many bytes there were.
pub async fn until_closed(socket: &mut (impl AsyncRead + Unpin)) -> usize {
    let mut buffer = [0; 4096];
    let mut read = 0;
    while let Ok(length @ 1..) = socket.read(&mut buffer).await {
        read += length;
    }
    read
}
