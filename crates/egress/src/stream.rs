use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::client::TlsStream;

/// The name of HTTP/2 in a TLS handshake (RFC 9113 §3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";

/// A connection to a tenant's endpoint that the attempt using it can end.
pub(crate) struct Stream {
    socket: Socket,
    lifeline: Lifeline,
    stall: Stall,
}

/// Ends a connection that carries many attempts and does not take what it is sent: none of them would
/// end it, and it cannot even be told that it is not needed any more.
struct Stall {
    timeout: Duration,
    /// Runs from the first byte that was not taken until all of them are.
    timer: Option<Pin<Box<Sleep>>>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The attempt's hold on the connection it uses: handed out with each response.
#[derive(Clone, Default)]
pub(crate) struct Lifeline {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Whether several attempts use it at once, over HTTP/2: an attempt that ends ends its own stream.
    carries_many: bool,
    is_cut: AtomicBool,
    is_stalled: AtomicBool,
    reader: AtomicWaker,
}

impl Stream {
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self {
            socket: Socket::Plain(socket),
            lifeline: Lifeline::default(),
            stall: Stall::after(Duration::MAX),
        }
    }

    /// Over which the two sides speak what they agreed on in the handshake. One that carries many
    /// attempts ends when it has not taken what it was sent for `stall_timeout`.
    pub(crate) fn tls(socket: TlsStream<TcpStream>, stall_timeout: Duration) -> Self {
        let carries_many = socket.get_ref().1.alpn_protocol() == Some(HTTP_2);
        Self {
            socket: Socket::Tls(Box::new(socket)),
            lifeline: Lifeline {
                shared: Arc::new(Shared {
                    carries_many,
                    ..Shared::default()
                }),
            },
            stall: Stall::after(stall_timeout),
        }
    }

    pub(crate) fn lifeline(&self) -> Lifeline {
        self.lifeline.clone()
    }

    fn wrote<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let is_pending = outcome.is_pending();
        self.lifeline.wrote(is_pending);
        let carries_many = self.lifeline.shared.carries_many;
        if is_pending && carries_many && self.stall.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }
}

/// What was not taken would otherwise stay in the system for minutes, to be offered again and again.
impl Drop for Stream {
    fn drop(&mut self) {
        if self.lifeline.shared.is_stalled.load(Ordering::Acquire) {
            let _ = self.socket.tcp().set_zero_linger();
        }
    }
}

impl Stall {
    const fn after(timeout: Duration) -> Self {
        Self {
            timeout,
            timer: None,
        }
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timer.as_mut().poll(context).is_ready()
    }
}

impl Lifeline {
    /// Ends the connection, whatever it is doing, unless others use it as well.
    pub(crate) fn cut(&self) {
        if self.shared.carries_many {
            return;
        }
        self.shared.is_cut.store(true, Ordering::Release);
        self.shared.reader.wake();
    }

    /// Leaves the connection to the pool, unless the endpoint still has not read the request it has
    /// answered: nobody would ever end such a connection, nor free the request.
    pub(crate) fn release(&self) {
        if self.shared.is_stalled.load(Ordering::Acquire) {
            self.cut();
        }
    }

    /// Whether both are of the same connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn is_cut(&self) -> bool {
        self.shared.is_cut.load(Ordering::Acquire)
    }

    fn wrote(&self, is_pending: bool) {
        self.shared.is_stalled.store(is_pending, Ordering::Release);
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.lifeline.clone());
        if self.lifeline.shared.carries_many {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(socket) => socket.get_ref().0,
        }
    }

    fn pinned(&mut self) -> Pin<&mut (dyn ReadWrite + '_)> {
        match self {
            Self::Plain(socket) => Pin::new(socket),
            Self::Tls(socket) => Pin::new(&mut **socket),
        }
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.lifeline.shared.reader.register(context.waker());
        if this.lifeline.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        this.socket.pinned().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.socket.pinned().poll_write(context, bytes);
        this.wrote(context, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.socket.pinned().poll_write_vectored(context, slices);
        this.wrote(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = this.socket.pinned().poll_flush(context);
        if outcome.is_ready() {
            this.stall.timer = None;
        }
        this.wrote(context, outcome)
    }

    /// Says goodbye once and does not wait: an endpoint that stopped reading would hold the
    /// connection for ever.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().socket.pinned().poll_shutdown(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}
