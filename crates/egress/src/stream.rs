use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The name of HTTP/2 in a TLS handshake (RFC 9113 §3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";

/// A connection to a tenant's endpoint that the attempt using it can end.
pub(crate) struct Stream {
    socket: Socket,
    lifeline: Lifeline,
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
        }
    }

    /// Over which the two sides speak what they agreed on in the handshake.
    pub(crate) fn tls(socket: TlsStream<TcpStream>) -> Self {
        let carries_many = socket.get_ref().1.alpn_protocol() == Some(HTTP_2);
        Self {
            socket: Socket::Tls(Box::new(socket)),
            lifeline: Lifeline {
                shared: Arc::new(Shared {
                    carries_many,
                    ..Shared::default()
                }),
            },
        }
    }

    pub(crate) fn lifeline(&self) -> Lifeline {
        self.lifeline.clone()
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

    fn wrote<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.shared
            .is_stalled
            .store(outcome.is_pending(), Ordering::Release);
        outcome
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
        this.lifeline
            .wrote(this.socket.pinned().poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.lifeline
            .wrote(this.socket.pinned().poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.lifeline
            .wrote(this.socket.pinned().poll_flush(context))
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
