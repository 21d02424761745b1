//! What an endpoint answers.

use std::fmt::Write;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// The pause between two bytes of [`Reply::Drip`].
const DRIP: Duration = Duration::from_millis(50);

/// One answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// This status and an empty body.
    Status(u16),
    /// A status with headers and a body; see [`Reply::with`].
    With {
        /// The status code.
        status: u16,
        /// Besides `content-length`, which is made. `connection: close` closes the connection after it.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// This status, so long after the request.
    Delay(Duration, u16),
    /// No answer, and the connection stays open until the client closes it.
    Hang,
    /// A head with status 200, and then a byte of the body every 50 ms for ever.
    Drip,
    /// The connection is closed without an answer.
    Close,
    /// Bytes that are not HTTP, and the connection is closed.
    Garbage,
}

impl Reply {
    /// A status with headers and a body.
    pub fn with(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self::With {
            status,
            headers: headers.iter().map(owned).collect(),
            body: body.into(),
        }
    }

    /// Writes the answer, without its body to a HEAD. Returns whether the connection can be used for
    /// the next request.
    pub(crate) async fn send(
        self,
        stream: &mut (impl AsyncWrite + Unpin),
        is_head: bool,
    ) -> io::Result<bool> {
        match self {
            Self::Status(status) => write_whole(stream, status, &[], 0, &[]).await,
            Self::With {
                status,
                headers,
                body,
            } => {
                let sent: &[u8] = if is_head { &[] } else { &body };
                write_whole(stream, status, &headers, body.len(), sent).await
            }
            Self::Delay(pause, status) => {
                sleep(pause).await;
                write_whole(stream, status, &[], 0, &[]).await
            }
            Self::Drip => drip(stream).await,
            Self::Garbage => {
                stream
                    .write_all(b"\x16\x03this is not HTTP\r\n\r\n")
                    .await?;
                Ok(false)
            }
            Self::Close | Self::Hang => Ok(false),
        }
    }
}

/// Replies, used one after another; the last one for ever. An empty script is 200 for ever.
///
/// Made from a [`Reply`], a status, or an array or `Vec` of either.
#[derive(Debug, Clone)]
pub struct Script {
    replies: Vec<Reply>,
    /// How many were used.
    used: usize,
}

impl Script {
    pub(crate) fn next(&mut self) -> Reply {
        let reply = self.replies.get(self.used).or(self.replies.last());
        self.used += 1;
        reply.cloned().unwrap_or(Reply::Status(200))
    }
}

impl Default for Script {
    fn default() -> Self {
        Vec::<Reply>::new().into()
    }
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self::Status(status)
    }
}

impl<R: Into<Reply>> From<R> for Script {
    fn from(reply: R) -> Self {
        [reply].into()
    }
}

impl<R: Into<Reply>, const N: usize> From<[R; N]> for Script {
    fn from(replies: [R; N]) -> Self {
        Vec::from(replies).into()
    }
}

impl<R: Into<Reply>> From<Vec<R>> for Script {
    fn from(replies: Vec<R>) -> Self {
        Self {
            replies: replies.into_iter().map(Into::into).collect(),
            used: 0,
        }
    }
}

/// A complete answer in one write.
async fn write_whole(
    stream: &mut (impl AsyncWrite + Unpin),
    status: u16,
    headers: &[(String, String)],
    content_length: usize,
    body: &[u8],
) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {status} \r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !matches!(status, 204 | 304) {
        let _ = write!(head, "content-length: {content_length}\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    let closes = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
    };
    Ok(!headers.iter().any(closes))
}

/// Ends when the client has closed.
async fn drip(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<bool> {
    let head = b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await?;
    loop {
        stream.write_all(b"1\r\n.\r\n").await?;
        sleep(DRIP).await;
    }
}
