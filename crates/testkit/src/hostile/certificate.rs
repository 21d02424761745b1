//! Certificates, good and bad.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// What a receiver shows in the handshake of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// One that is as it should be.
    Good,
    /// One whose time is over.
    Expired,
    /// One whose time has not come.
    NotYet,
    /// One for another host.
    OtherName,
    /// One that vouches for itself.
    SelfSigned,
    /// One of an authority that nobody knows.
    OtherAuthority,
}

/// Who vouches for the good ones.
pub(super) struct Authority {
    known: CertifiedIssuer<'static, KeyPair>,
    unknown: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self {
            known: issuer(),
            unknown: issuer(),
        }
    }

    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.known.der().clone()
    }

    /// How a server for this host speaks TLS.
    pub(super) fn config(
        &self,
        host: &str,
        certificate: Certificate,
        protocols: &[&str],
    ) -> Arc<ServerConfig> {
        let key = done(KeyPair::generate());
        let name = match certificate {
            Certificate::OtherName => "elsewhere.localhost",
            _ => host,
        };
        let mut params = done(CertificateParams::new([name.to_owned()]));
        match certificate {
            Certificate::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Certificate::NotYet => params.not_before = date_time_ymd(2100, 1, 1),
            _ => {}
        }
        let made = done(match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            Certificate::OtherAuthority => params.signed_by(&key, &self.unknown),
            _ => params.signed_by(&key, &self.known),
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = done(PrivateKeyDer::try_from(key.serialize_der()));
        let config = done(
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions(),
        );
        let config = config.with_no_client_auth();
        let mut config = done(config.with_single_cert(vec![made.der().clone()], private));
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    done(CertifiedIssuer::self_signed(
        params,
        done(KeyPair::generate()),
    ))
}

/// Nothing here depends on anything that a test says.
fn done<T, E: std::fmt::Debug>(made: Result<T, E>) -> T {
    match made {
        Ok(made) => made,
        Err(error) => panic!("no certificate: {error:?}"),
    }
}
