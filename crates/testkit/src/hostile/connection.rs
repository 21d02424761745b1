//! A connection to a hostile receiver, over TCP or TLS.

use super::{Shared, http2};
use crate::endpoint::Hit;
use crate::server::RequestReader;
use rustls::server::Acceptor;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// How often is looked for what cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The first byte of a TLS connection: a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// A connection whose client has begun to speak, and the name it asked for over TLS. Where the
    /// behaviour of that name does not speak TLS, the client's hello was read and nothing is answered.
    pub(super) async fn accept(
        stream: TcpStream,
        shared: &Shared,
    ) -> Option<(Self, Option<String>)> {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 0 {
            return None;
        }
        if first != [HANDSHAKE] {
            return Some((Self::Plain(stream), None));
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let start = start.await.ok()?;
        let asked = start.client_hello().server_name()?.to_owned();
        let name = asked.split('.').next()?.to_owned();
        let connection = match shared.rules.get(&name)?.tls.clone() {
            Some(config) => Self::Tls(Box::new(start.into_stream(config).await.ok()?)),
            None => Self::Plain(start.io),
        };
        Some((connection, Some(name)))
    }

    /// The first part of the path of the request that comes next, which is not read.
    pub(super) async fn path(&self) -> Option<String> {
        let Self::Plain(stream) = self else {
            return None;
        };
        let mut buffer = [0; 512];
        loop {
            let length = stream.peek(&mut buffer).await.ok()?;
            let text = String::from_utf8_lossy(buffer.get(..length)?).into_owned();
            if length == 0 {
                return None;
            }
            if text.contains("\r\n") || length == buffer.len() {
                let path = text.split(' ').nth(1)?.trim_start_matches('/');
                return Some(path.split(['/', '?']).next()?.to_owned());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether another request comes over TLS; what it is cannot be seen before.
    pub(super) async fn goes_on(&self) -> bool {
        matches!(self.tcp().peek(&mut [0]).await, Ok(1..))
    }

    pub(super) async fn read(&mut self) -> Option<Hit> {
        let request = RequestReader::new(self).next().await.ok()??;
        Some(Hit::new(Instant::now(), request))
    }

    pub(super) async fn read_http2(&mut self) -> bool {
        http2::read_request(self).await.is_ok()
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        self.write_all(bytes).await.ok()?;
        self.flush().await.ok()
    }

    pub(super) async fn until_closed(&mut self) {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(1..) = AsyncReadExt::read(self, &mut buffer).await {}
    }

    /// The same without reading.
    pub(super) async fn until_left(&self) {
        loop {
            match self.tcp().ready(Interest::READABLE | Interest::ERROR).await {
                Ok(ready) if ready.is_read_closed() || ready.is_error() => return,
                Ok(_) => sleep(LOOK_EVERY).await,
                Err(_) => return,
            }
        }
    }

    /// When it is dropped, the other side gets a reset.
    pub(super) fn will_reset(&self) {
        let _ = self.tcp().set_zero_linger();
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn pinned(&mut self) -> Pin<&mut (dyn ReadWrite + '_)> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().pinned().poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().pinned().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pinned().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pinned().poll_shutdown(context)
    }
}
