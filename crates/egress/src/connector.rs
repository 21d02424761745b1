use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use tracing::debug;

use crate::client::ClientOptions;
use crate::error::Error;
use crate::failure::{Failure, FailureClass};
use crate::policy::Policy;
use crate::proxy::Proxy;
use crate::refusal::Refusal;
use crate::resolver::Resolver;
use crate::stream::{HTTP_2, Stream};
use crate::target::{Host, Target};
use crate::timing::Phases;

/// How many of the addresses of a name are dialled, one after the other.
pub(crate) const MAX_DIALLED: usize = 16;
/// How long an address may take to accept while another one is left to try.
const PATIENCE_PER_ADDRESS: Duration = Duration::from_secs(2);

/// The one way out: find the addresses, judge every one of them, dial, speak TLS.
#[derive(Clone)]
pub(crate) struct Connector {
    way: Arc<Way>,
}

struct Way {
    policy: Arc<Policy>,
    resolver: Resolver,
    tls: TlsConnector,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    stall_timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        policy: Arc<Policy>,
        resolver: Resolver,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        let (connect_timeout, stall_timeout) = (options.connect_timeout, options.stall_timeout);
        let tls = tls(options.extra_roots)?;
        let way = Way {
            policy,
            resolver,
            tls,
            proxy: options.proxy,
            connect_timeout,
            stall_timeout,
        };
        Ok(Self { way: Arc::new(way) })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let way = Arc::clone(&self.way);
        let target = match way.policy.judge_url(&uri.to_string()) {
            Ok(target) => target,
            Err(refusal) => {
                let host = uri.host().unwrap_or_default();
                return Box::pin(ready(Err(refused(host, None, refusal))));
            }
        };
        let phases = Phases::of_this_attempt();
        Box::pin(async move { way.connect(&target, &phases).await.map(TokioIo::new) })
    }
}

impl Way {
    /// Bounded on its own: the pool may finish a connection in the background after its attempt was
    /// served by another.
    async fn connect(&self, target: &Target, phases: &Phases) -> Result<Stream, Failure> {
        match timeout(self.connect_timeout, self.open(target, phases)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::timeout(self.connect_timeout)),
        }
    }

    async fn open(&self, target: &Target, phases: &Phases) -> Result<Stream, Failure> {
        let started = Instant::now();
        let addresses = self.addresses(target).await?;
        phases.resolved(started.elapsed());
        let resolved = Instant::now();
        let socket = match &self.proxy {
            None => dial(target, &addresses).await?,
            Some(proxy) => proxy.dial(target, &addresses).await?,
        };
        phases.connected(resolved.elapsed());
        let stream = if target.tls() {
            let dialled = Instant::now();
            let secured = self.secure(target, socket).await?;
            phases.secured(dialled.elapsed());
            Stream::tls(secured, self.stall_timeout)
        } else {
            Stream::plain(socket)
        };
        phases.made(stream.lifeline());
        Ok(stream)
    }

    /// All addresses of the target, each judged. What is dialled is taken from here and nowhere
    /// else.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Failure> {
        let ips: Vec<IpAddr> = match target.host() {
            Host::Address(ip) => vec![*ip],
            Host::Name(name) => self.resolver.resolve(name).await?,
        };
        let addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, target.port()));
        addresses
            .map(|address| match self.policy.judge_address(address) {
                Ok(()) => Ok(address),
                Err(refusal) => Err(refused(target.host_name(), Some(address), refusal)),
            })
            .collect()
    }

    async fn secure(
        &self,
        target: &Target,
        socket: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failure> {
        let name = ServerName::try_from(target.host_name().to_owned())
            .map_err(|error| Failure::tls(target, &error))?;
        let handshake = self.tls.connect(name, socket).await;
        handshake.map_err(|error| Failure::tls(target, &error))
    }
}

/// Tells of the first failure where no address accepts: the last is often a family that is not
/// routed here.
async fn dial(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let addresses = &addresses[..addresses.len().min(MAX_DIALLED)];
    let mut first_failure = None;
    for (index, address) in addresses.iter().enumerate() {
        let dialling = dial_one(target, *address);
        let outcome = if index + 1 == addresses.len() {
            dialling.await
        } else {
            let outcome = timeout(PATIENCE_PER_ADDRESS, dialling).await;
            outcome.unwrap_or_else(|_| Err(Failure::timeout(PATIENCE_PER_ADDRESS)))
        };
        match outcome {
            Ok(socket) => return Ok(socket),
            Err(failure) => {
                let host = target.host_name();
                debug!(host, %address, error = %failure, "an address did not accept");
                first_failure.get_or_insert(failure);
            }
        }
    }
    Err(first_failure.unwrap_or_else(|| Failure::new(FailureClass::Dns, "no address to dial")))
}

async fn dial_one(target: &Target, address: SocketAddr) -> Result<TcpStream, Failure> {
    let failed = |error| Failure::connect(target, &error);
    let socket = TcpStream::connect(address).await.map_err(failed)?;
    socket.set_nodelay(true).map_err(failed)?;
    Ok(socket)
}

/// Tells the operator what the tenant may not know.
pub(crate) fn refused(host: &str, address: Option<SocketAddr>, refusal: Refusal) -> Failure {
    debug!(host, address = ?address, reason = refusal.as_str(), "a target was refused");
    Failure::target_not_allowed()
}

/// TLS 1.2 and 1.3 with Mozilla's roots, as bundled, and `extra_roots`.
fn tls(extra_roots: Vec<CertificateDer<'static>>) -> Result<TlsConnector, Error> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    for root in extra_roots {
        roots.add(root).map_err(Error::RootCertificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Error::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
