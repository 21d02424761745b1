//! HTTP by the byte, for what no proper client would send.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep, timeout_at};

/// The longest that [`raw`] waits for the end of the answers.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long [`raw`] looks whether one more answer comes.
const AFTERMATH: Duration = Duration::from_millis(300);

/// Sends `bytes` over a new connection and returns everything that comes back: until the server
/// closes, or the answers are complete and no other follows for 300 ms, or 15 seconds are over.
///
/// `address` is `127.0.0.1:PORT`, or a URL of it.
///
/// # Panics
///
/// When nobody listens there.
pub async fn raw(address: &str, bytes: impl AsRef<[u8]>) -> String {
    let mut connection = RawConnection::open(address).await;
    let RawConnection {
        reader,
        writer,
        received,
        ..
    } = &mut connection;
    // At the same time, as the server may answer, and even close, before it has everything.
    let deadline = Instant::now() + PATIENCE;
    let is_head = bytes.as_ref().starts_with(b"HEAD ");
    let read = async {
        while !is_complete(received, is_head) && read_more(reader, received, deadline).await {}
        while read_more(reader, received, Instant::now() + AFTERMATH).await {}
    };
    let _ = tokio::join!(writer.write_all(bytes.as_ref()), read);
    connection.take()
}

/// A connection to write to in pieces.
pub struct RawConnection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    received: Vec<u8>,
    /// Whether the answer awaited is one to a HEAD, and so without a body.
    is_head: bool,
}

impl RawConnection {
    /// Connects to `127.0.0.1:PORT`, or to a URL of it.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn open(address: &str) -> Self {
        let address = address.strip_prefix("http://").unwrap_or(address);
        let address = address.split('/').next().unwrap_or_default();
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                let (reader, writer) = stream.into_split();
                Self {
                    reader,
                    writer,
                    received: Vec::new(),
                    is_head: false,
                }
            }
            Err(error) => panic!("cannot connect to {address}: {error}"),
        }
    }

    /// Writes all of it. Returns whether the server still took it.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.is_head |= bytes.as_ref().starts_with(b"HEAD ");
        self.writer.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Writes one byte at a time with a pause after each, until the server answers or closes.
    /// Returns how many bytes were written.
    pub async fn send_slowly(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> usize {
        for (written, byte) in bytes.as_ref().iter().enumerate() {
            if self.writer.write_all(&[*byte]).await.is_err() {
                return written;
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.reader.readable() => return written + 1,
            }
        }
        bytes.as_ref().len()
    }

    /// What came since the last call: until the answers are complete, the server closes, or the time
    /// is over.
    pub async fn receive(&mut self, within: Duration) -> String {
        let deadline = Instant::now() + within;
        while !is_complete(&self.received, self.is_head)
            && read_more(&mut self.reader, &mut self.received, deadline).await
        {}
        self.take()
    }

    /// Whether the server closes the connection in this time. What it sends before that is kept for
    /// [`receive`](Self::receive).
    pub async fn is_closed(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while read_more(&mut self.reader, &mut self.received, deadline).await {}
        Instant::now() < deadline
    }

    /// Ends it as the system of a process that was killed does: the server is told of a reset.
    pub fn reset(self) {
        if let Ok(stream) = self.reader.reunite(self.writer) {
            let _ = stream.set_zero_linger();
        }
    }

    fn take(&mut self) -> String {
        self.is_head = false;
        let received = std::mem::take(&mut self.received);
        String::from_utf8_lossy(&received).into_owned()
    }
}

/// Whether there was more. A connection that is reset is one that is closed.
async fn read_more(reader: &mut OwnedReadHalf, received: &mut Vec<u8>, deadline: Instant) -> bool {
    let read = timeout_at(deadline, reader.read_buf(received)).await;
    matches!(read, Ok(Ok(length)) if length > 0)
}

/// Whether these are whole answers, the last of them a final one.
fn is_complete(mut received: &[u8], is_head: bool) -> bool {
    let mut is_final = false;
    while !received.is_empty() {
        let Some(head_length) = end_of(received, b"\r\n\r\n") else {
            return false;
        };
        let (head, rest) = received.split_at(head_length);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let Some(body_length) = body_length(&head, rest, is_head) else {
            return false;
        };
        let Some(rest) = rest.get(body_length..) else {
            return false;
        };
        is_final = !head.starts_with("http/1.1 1");
        received = rest;
    }
    is_final
}

/// The length of a body that its head or its own form tells: none while it cannot be told.
fn body_length(head: &str, rest: &[u8], is_head: bool) -> Option<usize> {
    if is_head
        || ["1", "204", "304"]
            .iter()
            .any(|status| has_status(head, status))
    {
        return Some(0);
    }
    if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        let is_empty = rest.starts_with(b"0\r\n\r\n");
        return if is_empty {
            Some(5)
        } else {
            end_of(rest, b"\r\n0\r\n\r\n")
        };
    }
    let length = head.split("\r\ncontent-length:").nth(1)?;
    length.lines().next()?.trim().parse().ok()
}

fn has_status(head: &str, status: &str) -> bool {
    let said = head.split(' ').nth(1).unwrap_or_default();
    said.starts_with(status)
}

fn end_of(bytes: &[u8], end: &[u8]) -> Option<usize> {
    let at = bytes.windows(end.len()).position(|here| here == end)?;
    Some(at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        for complete in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n.\r\n0\r\n\r\n",
        ] {
            assert!(is_complete(complete.as_bytes(), false), "{complete}");
            let cut = &complete[..complete.len() - 1];
            assert!(!is_complete(cut.as_bytes(), false), "{cut}");
        }
        assert!(!is_complete(b"", false));
        assert!(!is_complete(b"HTTP/1.1 100 Continue\r\n\r\n", false));
        assert!(is_complete(
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
            true
        ));
    }
}
