use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::ingress::read_public_url;
use crate::error::Error;
use crate::secret::Secret;
use crate::setting::{Setting, Settings};

/// How long the admin key may be, in characters.
const ADMIN_KEY_LENGTH: RangeInclusive<usize> = 16..=512;

/// The API and the console.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    /// The address to bind; port 0 takes any.
    pub listen: SocketAddr,
    /// The absolute http(s) URL under which tenants reach it, without a slash at the end. `None`: what
    /// they are told of it is relative.
    pub public_url: Option<String>,
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
