use std::net::SocketAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::ingress::{ClientAddressHeader, read_public_url};
use crate::error::Error;
use crate::parse;
use crate::secret::Secret;
use crate::setting::{Setting, Settings, quoted};

/// How long the admin key may be, in characters.
const ADMIN_KEY_LENGTH: RangeInclusive<usize> = 16..=512;

/// How many origins there may be.
const MOST_ORIGINS: usize = 32;

/// The API and the console.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    /// The address to bind; port 0 takes any.
    pub listen: SocketAddr,
    /// The absolute http(s) URL under which tenants reach it, without a slash at the end. `None`: what
    /// they are told of it is relative.
    pub public_url: Option<String>,
    /// The origins whose pages may use the API from a browser, as browsers write them: at most 32.
    pub cors_origins: Vec<String>,
    /// The operator's own reverse proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which a trusted proxy names its client.
    pub client_address_header: ClientAddressHeader,
    /// The key that creates tenants and acts for the platform: 16 to 512 visible ASCII characters. `None`:
    /// nobody can.
    pub admin_key: Option<Secret>,
    /// How often a source may show a wrong key in a minute; more than 0.
    pub failures_per_minute: u32,
    /// How much one tenant may ask.
    pub rate_limit: ApiRateLimit,
}

/// How much one tenant may ask of a process of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRateLimit {
    /// Requests in a minute but those that publish events and register messages: 1 to 1,000,000, or `None`
    /// for any.
    pub per_minute: Option<u32>,
    /// Requests at a time, but the same: 1 to 10,000.
    pub at_once: usize,
}

impl Subscriptions {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let key = settings.find("subscriptions.admin_key")?;
        let public_url = settings.find_filled("subscriptions.public_url")?;
        Ok(Self {
            public_url: public_url.as_ref().map(read_public_url).transpose()?,
            listen: settings.get("subscriptions.listen")?.socket_address()?,
            cors_origins: origins(&settings.get("subscriptions.cors_origins")?)?,
            trusted_proxies: settings.get("subscriptions.trusted_proxies")?.networks()?,
            client_address_header: settings
                .get("subscriptions.client_address_header")?
                .parsed(ClientAddressHeader::from_name)?,
            admin_key: key.as_ref().map(admin_key).transpose()?,
            failures_per_minute: settings
                .get("subscriptions.failures_per_minute")?
                .number(1..=1_000_000)?,
            rate_limit: ApiRateLimit {
                per_minute: settings
                    .get("subscriptions.rate_limit.per_minute")?
                    .number_or_off(1..=1_000_000)?,
                at_once: settings
                    .get("subscriptions.rate_limit.at_once")?
                    .number(1..=10_000)?,
            },
        })
    }
}

fn origins(setting: &Setting) -> Result<Vec<String>, Error> {
    let origins = setting.items(|text| {
        parse::origin(text).ok_or_else(|| format!("holds {}: name each origin", quoted(text)))
    })?;
    if origins.len() > MOST_ORIGINS {
        return Err(setting.invalid(format!("holds {} origins", origins.len())));
    }
    Ok(origins)
}

fn admin_key(setting: &Setting) -> Result<Secret, Error> {
    let secret = setting.secret()?;
    let text = secret.reveal();
    if text.is_empty() {
        return Err(setting.invalid("is empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(setting.invalid("contains a space or another character that no header carries"));
    }
    if !ADMIN_KEY_LENGTH.contains(&text.len()) {
        return Err(setting.invalid(format!("has {} characters", text.len())));
    }
    Ok(secret)
}
