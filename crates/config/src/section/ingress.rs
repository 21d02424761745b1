use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::UP_TO_A_MINUTE;
use crate::error::Error;
use crate::parse;
use crate::setting::{Setting, Settings};

/// 1 MiB: what such a body says, written down statement by statement, still fits a job.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// More connections than one process can have files open for.
const MAX_CONNECTIONS: usize = 100_000;

/// Two of the files that a journal is made of.
const MIN_JOURNAL_BYTES: u64 = 16 << 20;
const MAX_JOURNAL_BYTES: u64 = 1 << 40;

/// The most that a rate may be.
const MAX_RATE: u32 = 1_000_000;

/// The door for providers' callbacks.
#[derive(Debug, Clone)]
pub struct Ingress {
    /// The address to bind; port 0 takes any.
    pub listen: SocketAddr,
    /// The absolute http(s) URL under which providers reach it, without a slash at the end. `None`: derive
    /// it from the address bound.
    pub public_url: Option<String>,
    /// The networks from which `client_address_header` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which a trusted proxy names its client.
    pub client_address_header: ClientAddressHeader,
    /// The largest body accepted, in bytes: 1 to 1 MiB.
    pub max_body_bytes: usize,
    /// How long a body may take to arrive: 1 to 60 s.
    pub body_deadline: Duration,
    /// How many connections are served at once: 16 to 100,000.
    pub max_connections: usize,
    /// How many of them one source may have: 1 to 100,000.
    pub max_connections_per_source: usize,
    /// Where callbacks are kept while the broker takes none.
    pub journal: Journal,
    /// How much one source may send.
    pub rate_limit: RateLimit,
}

/// Where callbacks are kept while a broker server takes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journal {
    /// Whether there is one.
    pub enabled: bool,
    /// How much of the disk it may take, in bytes: 16 MiB to 1 TiB.
    pub max_bytes: u64,
}

/// The header in which a trusted proxy names its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddressHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Real-IP`.
    XRealIp,
}

/// How much one source may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Failed authentications of one source address in a minute: 1 to 1,000,000.
    pub failures_per_minute: u32,
    /// Authenticated callbacks of one provider account in a second: 1 to 1,000,000, or `None` for any.
    pub account_per_second: Option<u32>,
}

impl Ingress {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let public_url = settings.find_filled("ingress.public_url")?;
        Ok(Self {
            listen: settings.get("ingress.listen")?.socket_address()?,
            public_url: public_url.as_ref().map(read_public_url).transpose()?,
            trusted_proxies: settings.get("ingress.trusted_proxies")?.networks()?,
            client_address_header: settings
                .get("ingress.client_address_header")?
                .parsed(ClientAddressHeader::from_name)?,
            max_body_bytes: settings
                .get("ingress.max_body_bytes")?
                .number(1..=MAX_BODY_BYTES)?,
            body_deadline: settings
                .get("ingress.body_deadline")?
                .duration(UP_TO_A_MINUTE)?,
            max_connections: settings
                .get("ingress.max_connections")?
                .number(16..=MAX_CONNECTIONS)?,
            max_connections_per_source: settings
                .get("ingress.max_connections_per_source")?
                .number(1..=MAX_CONNECTIONS)?,
            journal: Journal {
                enabled: settings.get("ingress.journal.enabled")?.boolean()?,
                max_bytes: settings
                    .get("ingress.journal.max_bytes")?
                    .number(MIN_JOURNAL_BYTES..=MAX_JOURNAL_BYTES)?,
            },
            rate_limit: RateLimit::read(settings)?,
        })
    }
}

impl ClientAddressHeader {
    /// The name of the header, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
            Self::XRealIp => "x-real-ip",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::XForwardedFor, Self::Forwarded, Self::XRealIp]
            .into_iter()
            .find(|header| header.name().eq_ignore_ascii_case(name))
    }
}

impl RateLimit {
    fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            failures_per_minute: settings
                .get("ingress.rate_limit.failures_per_minute")?
                .number(1..=MAX_RATE)?,
            account_per_second: settings
                .get("ingress.rate_limit.account_per_second")?
                .number_or_off(1..=MAX_RATE)?,
        })
    }
}

/// A URL that is told to others.
pub(super) fn read_public_url(setting: &Setting) -> Result<String, Error> {
    let url = setting.parsed(parse::http_url)?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok(parse::base(&url));
    }
    Err(setting.invalid("contains a user or a password, which everybody who is told it would see"))
}
