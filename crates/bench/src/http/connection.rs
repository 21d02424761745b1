//! A connection that is kept.

use super::Message;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection for one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends a request and waits for its answer, 30 s at most. After an error the connection is of no
    /// more use.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.buffer.clear();
        let (status, body) = timeout(PATIENCE, self.send(request)).await??;
        Ok(Answer {
            status,
            body: &self.buffer[body],
        })
    }

    async fn send(&mut self, request: &[u8]) -> io::Result<(u16, std::ops::Range<usize>)> {
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = Message::read(&self.buffer)? {
                let status = answer.status().ok_or(ErrorKind::InvalidData)?;
                return Ok((status, answer.body()));
            }
        }
    }
}
