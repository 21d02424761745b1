//! Reading HTTP/1.1 requests (RFC 9112), as strictly as a receiver of webhooks may be expected to.

use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt};

const MAX_HEAD_BYTES: usize = 1 << 20;
const MAX_BODY_BYTES: usize = 64 << 20;
/// What one read may bring.
const READ_BYTES: usize = 16 << 10;

/// A request, read to its end.
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case, in the order of the request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Reads one request after another from a connection.
pub(crate) struct RequestReader<R> {
    stream: R,
    /// Received and not yet used.
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> RequestReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next request, or none when the client has closed between two requests.
    pub(crate) async fn next(&mut self) -> Result<Option<Request>> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Ok(None);
        }
        let head = self.take_to(b"\r\n\r\n", MAX_HEAD_BYTES).await?;
        let mut request = parse_head(&head).ok_or_else(|| broken("the head is not HTTP/1.1"))?;
        request.body = self.body(&request.headers).await?;
        Ok(Some(request))
    }

    /// Returns when the client has closed the connection, whatever it sends before.
    pub(crate) async fn closed(&mut self) {
        while self.fill().await.is_ok_and(|read| read > 0) {
            self.buffer.clear();
        }
    }

    async fn body(&mut self, headers: &[(String, String)]) -> Result<Vec<u8>> {
        if let Some(coding) = find(headers, "transfer-encoding") {
            if !coding.eq_ignore_ascii_case("chunked") {
                return Err(broken("a transfer encoding that is not chunked"));
            }
            return self.chunks().await;
        }
        match find(headers, "content-length").map(str::parse) {
            None => Ok(Vec::new()),
            Some(Ok(length)) => self.take(length).await,
            Some(Err(_)) => Err(broken("a content length that is no number")),
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_to(b"\r\n", 1024).await?;
            let size = String::from_utf8_lossy(&line);
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| broken("a chunk size that is no number"))?;
            if size == 0 {
                while !self.take_to(b"\r\n", MAX_HEAD_BYTES).await?.is_empty() {}
                return Ok(body);
            }
            if size > MAX_BODY_BYTES - body.len() {
                return Err(broken("the body is too long"));
            }
            body.extend(self.take(size).await?);
            self.take_to(b"\r\n", 2).await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > MAX_BODY_BYTES {
            return Err(broken("the body is too long"));
        }
        while self.buffer.len() < length {
            self.fill_more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// What comes before `end`, which is dropped.
    async fn take_to(&mut self, end: &[u8], max_bytes: usize) -> Result<Vec<u8>> {
        loop {
            let found = self.buffer.windows(end.len()).position(|here| here == end);
            if let Some(at) = found {
                let before = self.buffer.drain(..at).collect();
                self.buffer.drain(..end.len());
                return Ok(before);
            }
            if self.buffer.len() > max_bytes {
                return Err(broken("a head or a line is too long"));
            }
            self.fill_more().await?;
        }
    }

    async fn fill_more(&mut self) -> Result<()> {
        match self.fill().await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn fill(&mut self) -> Result<usize> {
        self.buffer.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.buffer).await
    }
}

fn parse_head(head: &[u8]) -> Option<Request> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path, "HTTP/1.1", None) =
        (words.next()?, words.next()?, words.next()?, words.next())
    else {
        return None;
    };
    let headers = lines.map(parse_header).collect::<Option<_>>()?;
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: Vec::new(),
    })
}

fn parse_header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|(found, _)| found == name)?;
    Some(&header.1)
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Vec<Result<Request>> {
        let mut reader = RequestReader::new(bytes);
        let mut requests = Vec::new();
        while let Some(request) = reader.next().await.transpose() {
            let failed = request.is_err();
            requests.push(request);
            if failed {
                break;
            }
        }
        requests
    }

    #[tokio::test]
    async fn requests_follow_one_another_on_a_connection() {
        let requests = read(
            b"POST /a?b=c HTTP/1.1\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\n",
        )
        .await;
        let [Ok(first), Ok(second)] = requests.as_slice() else {
            panic!("two requests")
        };
        assert_eq!(
            (first.method.as_str(), first.path.as_str()),
            ("POST", "/a?b=c")
        );
        assert_eq!(first.headers[0], ("x-one".to_owned(), "1".to_owned()));
        assert_eq!(first.body, b"hi");
        assert_eq!((second.method.as_str(), second.body.len()), ("GET", 0));
    }

    #[tokio::test]
    async fn a_chunked_body_is_put_together() {
        let requests = read(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\none\r\n3\r\ntwo\r\n0\r\nTrailer: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        )
        .await;
        let [Ok(first), Ok(_)] = requests.as_slice() else {
            panic!("two requests")
        };
        assert_eq!(first.body, b"onetwo");
    }

    #[tokio::test]
    async fn what_is_not_a_whole_request_is_an_error() {
        for bytes in [
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nhi",
            "POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            "POST / HTTP/1.0\r\n\r\n",
            "hello\r\n\r\n",
            "POST / HTTP/1.1\r\nhost",
        ] {
            let requests = read(bytes.as_bytes()).await;
            assert!(requests.len() == 1 && requests[0].is_err(), "{bytes}");
        }
    }
}
