use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use crate::connector::{Connector, refused};
use crate::error::Error;
use crate::failure::Failure;
use crate::policy::Policy;
use crate::proxy::Proxy;
use crate::resolver::Resolver;
use crate::stream::Lifeline;
use crate::target::Target;
use crate::timing::{Phases, Timing};

/// How much of a response's body is kept unless it is set otherwise, in bytes. What follows is not read.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long the head of a response may be, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The same over HTTP/2, which counts 32 bytes more for each header (RFC 9113 §6.5.2).
const MAX_HEAD_LIST_BYTES: u32 = 64 * 1024;
/// How much of one answer, and of all answers over one connection, an endpoint may send over HTTP/2
/// before it is read.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// How often a connection over HTTP/2 in use has to show that it is alive, and within what time.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Headers that say how a message is framed and where it goes. They are written here and taken from
/// nobody.
const OWN_HEADERS: [HeaderName; 11] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::CONNECTION,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Sends requests to endpoints that tenants chose. Cheap to clone; clones share the idle
/// connections.
#[derive(Clone)]
pub struct Client {
    policy: Arc<Policy>,
    http: legacy::Client<Connector, Full<Bytes>>,
    max_body_bytes: usize,
}

/// What can be set on a [`Client`] besides its policy.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Root certificates trusted besides Mozilla's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// How many idle connections are kept for one scheme, host and port.
    pub max_idle_per_host: usize,
    /// How long a connection is kept idle. Shorter than the 5 s after which the most common servers
    /// close theirs, so that a request does not meet a connection that is just being closed.
    pub idle_timeout: Duration,
    /// What connects to endpoints in our place, to the addresses that were found and judged here.
    pub proxy: Option<Proxy>,
    /// How long resolving, dialling and TLS may take together. The deadline of the attempt holds as
    /// well.
    pub connect_timeout: Duration,
    /// How long a connection over HTTP/2 may hold up what it is sent before it is closed. Attempts
    /// have deadlines of their own, which end their streams and leave the connection to others.
    pub stall_timeout: Duration,
    /// How much of a response's body is kept, in bytes. What follows is not read.
    pub max_body_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            extra_roots: vec![],
            max_idle_per_host: 64,
            idle_timeout: Duration::from_secs(4),
            proxy: None,
            connect_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            max_body_bytes: MAX_BODY_BYTES,
        }
    }
}

/// A request to an endpoint that a tenant chose.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: http::Method,
    /// Where it goes.
    pub destination: Destination,
    /// Its headers. `Host`, the framing headers and the hop-by-hop headers among them are dropped.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Where a request goes. It is judged in either form.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A URL still to be read.
    Url(String),
    /// A URL read before, for one who sends there often.
    Target(Target),
}

/// What became of a request.
#[derive(Debug)]
pub struct Attempted {
    /// The time from the start to the last byte read, or to the failure.
    pub duration: Duration,
    /// The times of its parts.
    pub timing: Timing,
    /// The response, whatever its status, or why there is none.
    pub result: Result<Response, Failure>,
}

/// What an endpoint answered.
#[derive(Clone)]
pub struct Response {
    /// The status; a redirect is one like any other.
    pub status: u16,
    /// The headers, at most 64 KiB.
    pub headers: HeaderMap,
    /// The beginning of the body, at most [`ClientOptions::max_body_bytes`].
    pub body: Bytes,
    /// Whether the body went on, as far as is known: what comes after that is not waited for.
    pub truncated: bool,
}

impl Client {
    /// A client that reaches what `policy` allows, over names that `resolver` knows.
    pub fn new(policy: Policy, resolver: Resolver, options: ClientOptions) -> Result<Self, Error> {
        let policy = Arc::new(policy);
        let max_body_bytes = options.max_body_bytes;
        let mut pool = legacy::Client::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .timer(TokioTimer::new())
            .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_max_header_list_size(MAX_HEAD_LIST_BYTES)
            // One connection serves many attempts: one that went dead would hold them all up.
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            // Only a request that was never written to its connection is given another one.
            .retry_canceled_requests(true);
        let connector = Connector::new(Arc::clone(&policy), resolver, options)?;
        Ok(Self {
            policy,
            http: pool.build(connector),
            max_body_bytes,
        })
    }

    /// What this client may reach.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sends `request` once and waits at most `timeout` for the whole answer, from the dial to its
    /// last byte.
    pub async fn send(&self, request: Request, timeout: Duration) -> Attempted {
        let started = Instant::now();
        let phases = Phases::default();
        let attempt = phases.during(self.attempt(request, started, &phases));
        let result = match tokio::time::timeout(timeout, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Failure::timeout(timeout)),
        };
        Attempted {
            duration: started.elapsed(),
            timing: phases.timing(),
            result,
        }
    }

    async fn attempt(
        &self,
        request: Request,
        started: Instant,
        phases: &Phases,
    ) -> Result<Response, Failure> {
        let target = self.judge(request.destination)?;
        let outgoing = outgoing(&target, request.method, request.headers, request.body);
        let answered = self.http.request(outgoing).await;
        let incoming = answered.map_err(|error| Failure::from_http(&error, &target))?;
        phases.answered(incoming.extensions().get(), started);
        if incoming.status().is_informational() {
            return Err(Failure::invalid_response(
                &target,
                &"an upgrade nobody asked for",
            ));
        }
        // What is read at once may be longer than what was meant to be read.
        if head_bytes(incoming.headers()) > MAX_HEAD_BYTES {
            return Err(Failure::invalid_response(&target, &"its head is too long"));
        }
        let received = receive(incoming, self.max_body_bytes).await;
        received.map_err(|error| Failure::from_http(&error, &target))
    }

    fn judge(&self, destination: Destination) -> Result<Target, Failure> {
        let (judged, host) = match destination {
            Destination::Url(url) => (self.policy.judge_url(&url), String::new()),
            Destination::Target(target) => {
                let host = target.host_name().to_owned();
                (self.policy.judge_target(&target).map(|()| target), host)
            }
        };
        judged.map_err(|refusal| refused(&host, None, refusal))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A POST of `body` without headers.
    pub fn post(destination: impl Into<Destination>, body: impl Into<Bytes>) -> Self {
        Self {
            method: http::Method::POST,
            destination: destination.into(),
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }
}

/// Headers and bodies hold credentials and signatures, and are left out.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl From<String> for Destination {
    fn from(url: String) -> Self {
        Self::Url(url)
    }
}

impl From<&str> for Destination {
    fn from(url: &str) -> Self {
        Self::Url(url.to_owned())
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Self {
        Self::Target(target)
    }
}

/// What an endpoint wrote is the tenant's and is left out.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("truncated", &self.truncated)
            .finish_non_exhaustive()
    }
}

fn outgoing(
    target: &Target,
    method: http::Method,
    mut headers: HeaderMap,
    body: Bytes,
) -> http::Request<Full<Bytes>> {
    for name in &OWN_HEADERS {
        headers.remove(name);
    }
    let mut request = http::Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target.uri().clone();
    *request.headers_mut() = headers;
    request
}

/// How long headers are with what is around them (RFC 9112 §5).
fn head_bytes(headers: &HeaderMap) -> usize {
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    headers.iter().map(bytes).sum()
}

async fn receive(
    incoming: http::Response<Incoming>,
    max_body_bytes: usize,
) -> Result<Response, hyper::Error> {
    let (mut head, mut incoming) = incoming.into_parts();
    let hold = Hold {
        lifeline: head.extensions.remove(),
    };
    let mut body = Vec::new();
    let mut truncated = false;
    while let Some(frame) = incoming.frame().await.transpose()? {
        let data = frame.into_data().unwrap_or_default();
        let room = max_body_bytes.saturating_sub(body.len());
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() >= room {
            truncated = data.len() > room || !incoming.is_end_stream();
            break;
        }
    }
    if !truncated {
        hold.release();
    }
    Ok(Response {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.into(),
        truncated,
    })
}

/// Cuts the connection when an attempt ends, in whatever way, before it has read the whole answer.
struct Hold {
    lifeline: Option<Lifeline>,
}

impl Hold {
    fn release(mut self) {
        if let Some(lifeline) = self.lifeline.take() {
            lifeline.release();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(lifeline) = self.lifeline.take() {
            lifeline.cut();
        }
    }
}
