use std::fmt;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::connector::MAX_DIALLED;
use crate::failure::{Failure, FailureClass};
use crate::target::Target;

/// How long the head of a proxy's answer may be, in bytes.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// An HTTP proxy of the operator's, which connects to where it is told (RFC 9110 §9.3.6). It is told
/// addresses that were judged here, never names: what a name stands for is decided once.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<String>,
}

/// The text names no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is http://host:port, or http://user:password@host:port")]
pub struct InvalidProxy;

impl Proxy {
    /// Reads `http://host:port`, perhaps with a user and a password, percent-encoded where need be.
    ///
    /// # Errors
    /// [`InvalidProxy`].
    pub fn parse(text: &str) -> Result<Self, InvalidProxy> {
        let url = Url::parse(text).map_err(|_| InvalidProxy)?;
        let is_bare = url.path().trim_matches('/').is_empty()
            && url.query().is_none()
            && url.fragment().is_none();
        if url.scheme() != "http" || !is_bare {
            return Err(InvalidProxy);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let authorization = (!url.username().is_empty()).then(|| {
            let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
            let user = decoded(url.username());
            let password = decoded(url.password().unwrap_or_default());
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        });
        Ok(Self {
            host: host
                .ok_or(InvalidProxy)?
                .trim_matches(['[', ']'])
                .to_owned(),
            port: url.port_or_known_default().ok_or(InvalidProxy)?,
            authorization,
        })
    }

    /// A connection to one of these addresses, in their order.
    pub(crate) async fn dial(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
    ) -> Result<TcpStream, Failure> {
        let mut first_failure = None;
        for address in addresses.iter().take(MAX_DIALLED) {
            match self.tunnel(target, *address).await {
                Ok(socket) => return Ok(socket),
                Err(failure) => {
                    let host = target.host_name();
                    tracing::debug!(host, %address, error = %failure, "the proxy did not connect");
                    first_failure.get_or_insert(failure);
                }
            }
        }
        Err(first_failure.unwrap_or_else(|| Failure::new(FailureClass::Dns, "no address to dial")))
    }

    async fn tunnel(&self, target: &Target, address: SocketAddr) -> Result<TcpStream, Failure> {
        let failed = |error| Failure::connect(target, &error);
        let proxy = (self.host.as_str(), self.port);
        let mut socket = TcpStream::connect(proxy).await.map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        let authorization = self
            .authorization
            .as_ref()
            .map(|value| format!("Proxy-Authorization: {value}\r\n"))
            .unwrap_or_default();
        let request =
            format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{authorization}\r\n");
        socket.write_all(request.as_bytes()).await.map_err(failed)?;
        let head = read_head(&mut socket).await.map_err(failed)?;
        match status(&head) {
            Some(200..=299) => Ok(socket),
            Some(status) => Err(refused(target, &format!("the proxy answered {status}"))),
            None => Err(refused(target, "the proxy does not speak HTTP/1.1")),
        }
    }
}

/// The head alone: neither HTTP nor TLS lets the other side speak before we did.
async fn read_head(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        if socket.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    // What follows the head would be taken for the endpoint's.
    let is_head_alone = !text.contains("\r\n\r\n");
    let mut words = text.split("\r\n").next()?.split(' ');
    let speaks_http = matches!(words.next()?, "HTTP/1.1" | "HTTP/1.0");
    let status = words.next()?.parse().ok()?;
    (speaks_http && is_head_alone).then_some(status)
}

fn refused(target: &Target, why: &str) -> Failure {
    let (host, port) = (target.host_name(), target.port());
    let detail = format!("cannot connect to {host} port {port}: {why}");
    Failure::new(FailureClass::Connect, &detail)
}

/// Without what it authenticates with.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_and_perhaps_a_user() {
        let proxy = Proxy::parse("http://us%40er:p%3Aw@[::1]:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 3128));
        let expected = format!("Basic {}", STANDARD.encode("us@er:p:w"));
        assert_eq!(proxy.authorization, Some(expected));
        assert_eq!(Proxy::parse("http://proxy.internal").unwrap().port, 80);
        for text in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy",
            "http://proxy/path",
            "http://proxy?a",
            "http://",
        ] {
            assert_eq!(Proxy::parse(text).err(), Some(InvalidProxy), "{text}");
        }
    }

    #[test]
    fn only_the_head_of_an_http_answer_is_one() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 No\r\n\r\n"), Some(407));
        for head in [
            &b"HTTP/1.1 200 OK\r\n\r\nmore\r\n\r\n"[..],
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
        ] {
            assert_eq!(status(head), None);
        }
    }
}
