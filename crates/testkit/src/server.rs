//! A TCP server on a thread of its own, so that it answers also while a test blocks.

mod request;

pub(crate) use request::{Request, RequestReader};

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long to try for a port that was ours before and that something may hold for a moment.
const PORT_PATIENCE: Duration = Duration::from_secs(5);

/// A running server. When it is dropped its connections are cut and its port is free.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on 127.0.0.1 and gives every connection to `serve`. Port 0 is any free port.
    ///
    /// # Panics
    ///
    /// When the port is not to be had.
    pub(crate) async fn start<S, F>(port: u16, serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (ready, bound) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || run(port, &serve, ready, stopped));
        match bound.await {
            Ok(Ok(address)) => Self {
                address,
                stop: Some(stop),
                thread: Some(thread),
            },
            Ok(Err(error)) => panic!("cannot listen on 127.0.0.1:{port}: {error}"),
            Err(gone) => panic!("no server started for 127.0.0.1:{port}: {gone}"),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A port of 127.0.0.1 that nobody else gets and where connections are refused.
pub(crate) struct Reserved {
    _socket: TcpSocket,
}

impl Reserved {
    pub(crate) fn new(port: u16) -> io::Result<Self> {
        Ok(Self {
            _socket: bound(port)?,
        })
    }
}

/// The whole life of the thread. Its runtime ends with it, and the connections end with that.
fn run<S, F>(
    port: u16,
    serve: &S,
    ready: oneshot::Sender<io::Result<SocketAddr>>,
    stopped: oneshot::Receiver<()>,
) where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    runtime.block_on(async {
        let bound = listen(port).await.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        match bound {
            Err(error) => drop(ready.send(Err(error))),
            Ok((listener, address)) => {
                let _ = ready.send(Ok(address));
                tokio::select! {
                    () = accept(&listener, serve) => {}
                    _ = stopped => {}
                }
            }
        }
    });
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    let deadline = Instant::now() + PORT_PATIENCE;
    loop {
        match bind(port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                sleep(Duration::from_millis(20)).await;
            }
            bound => return bound,
        }
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    bound(port)?.listen(BACKLOG)
}

fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

async fn accept<S, F>(listener: &TcpListener, serve: &S)
where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream));
                }
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
