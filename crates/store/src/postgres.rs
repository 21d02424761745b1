//! Connecting to PostgreSQL: the URL, TLS, and what every session is set to.

use crate::connection::Connection;
use crate::error::Error;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the other side may be silent before the connection counts as dead.
const SILENCE: Duration = Duration::from_secs(15);
/// What every session is set to: a statement that takes longer is a mistake, a lock waited for
/// longer is held by somebody who is gone, and times are in UTC.
const SESSION: &str = "set statement_timeout = '10s'; set lock_timeout = '5s'; \
                       set idle_in_transaction_session_timeout = '10s'; set timezone = 'UTC'";

/// Where a PostgreSQL is and how to reach it.
#[derive(Clone)]
pub(crate) struct Postgres {
    config: tokio_postgres::Config,
    tls: Arc<ClientConfig>,
    /// Drives the connections.
    runtime: Handle,
}

impl Postgres {
    /// Reads a `postgres://` URL. `sslmode` is `disable`, `prefer`, `require`, `verify-ca` or
    /// `verify-full`, as libpq has them.
    pub(crate) fn parse(url: &str, runtime: Handle) -> Result<Self, Error> {
        let (url, verifies) = without_verification(url);
        let mut config: tokio_postgres::Config =
            url.parse()
                .map_err(|error: tokio_postgres::Error| Error::Open {
                    at: "store.url".to_owned(),
                    reason: error.to_string(),
                })?;
        if verifies {
            config.ssl_mode(SslMode::Require);
        }
        config
            .application_name("tidings")
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(SILENCE)
            .keepalives(true)
            .keepalives_idle(SILENCE)
            // A standby takes no writes: after a fail-over the next connection finds the primary.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            config,
            tls: Arc::new(tls(verifies)?),
            runtime,
        })
    }

    /// Connects. On a blocking thread.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let _entered = self.runtime.enter();
        let connected = self.runtime.block_on(async {
            let tls = MakeRustlsConnect::new((*self.tls).clone());
            let (client, driver) = self.config.connect(tls).await?;
            Ok::<_, tokio_postgres::Error>((client, driver))
        });
        let (client, driver) = connected.map_err(|error| self.failed(&error))?;
        #[expect(clippy::disallowed_methods, reason = "it ends with its connection")]
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a database connection ended");
            }
        });
        let connection = self
            .runtime
            .block_on(AsyncPgConnection::try_from(client))
            .map_err(|error| self.failed(&error))?;
        let wrapped = AsyncConnectionWrapper::from(connection);
        let mut connection = Connection::Postgres(Box::new(wrapped));
        connection.execute(SESSION)?;
        Ok(connection)
    }

    fn failed(&self, error: &dyn std::error::Error) -> Error {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| format!("{host:?}"))
            .collect();
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Error::Open {
            at: format!("PostgreSQL at {}", hosts.join(", ")),
            reason,
        }
    }
}

/// The URL without the two modes that the client library does not know, and whether one was asked
/// for: the server's certificate is then verified.
fn without_verification(url: &str) -> (String, bool) {
    for mode in ["sslmode=verify-full", "sslmode=verify-ca"] {
        if url.contains(mode) {
            return (url.replace(mode, "sslmode=require"), true);
        }
    }
    (url.to_owned(), false)
}

fn tls(verifies: bool) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Open {
            at: "TLS".to_owned(),
            reason: error.to_string(),
        })?;
    if verifies {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let encrypts = Arc::new(EncryptOnly(algorithms));
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(encrypts)
        .with_no_client_auth())
}

/// Encrypts without asking who is there: what libpq means by `prefer` and `require`.
#[derive(Debug)]
struct EncryptOnly(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for EncryptOnly {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
