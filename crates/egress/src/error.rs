/// What keeps a [`Client`](crate::Client) or a [`Resolver`](crate::Resolver) from being made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An extra root certificate could not be read.
    #[error("an extra root certificate cannot be used: {0}; give it as one DER certificate")]
    RootCertificate(rustls::Error),
    /// The TLS library refused its own settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
    /// The DNS client could not be made from the system's settings.
    #[error("the DNS client cannot be set up: {0}; check /etc/resolv.conf")]
    Resolver(String),
}
