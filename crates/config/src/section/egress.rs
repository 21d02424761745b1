use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::error::Error;
use crate::parse;
use crate::secret::Secret;
use crate::setting::{Setting, Settings, quoted};

/// As many as a dispatcher has under way at once in all.
const MAX_PER_HOST: usize = 2_048;

/// What tenants' webhooks may reach.
#[derive(Debug, Clone)]
pub struct Egress {
    /// Networks that may be reached besides the public internet.
    pub allow_networks: Vec<IpNet>,
    /// The ports that may be reached; never empty, never port 0.
    pub allow_ports: Vec<RangeInclusive<u16>>,
    /// Whether `http` is refused.
    pub require_https: bool,
    /// The HTTP proxy that connects to endpoints: `http://`, a host, perhaps a port, a user and a
    /// password. None: they are connected to from here.
    pub proxy: Option<Secret>,
    /// How many requests this process has under way at once to one host, over all tenants: 1 to 2,048.
    pub max_per_host: usize,
}

impl Egress {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let proxy = settings
            .find_filled("egress.proxy")?
            .map(|setting| setting.parsed(proxy))
            .transpose()?;
        Ok(Self {
            proxy,
            max_per_host: settings
                .get("egress.max_per_host")?
                .number(1..=MAX_PER_HOST)?,
            allow_networks: settings.get("egress.allow_networks")?.networks()?,
            allow_ports: allow_ports(&settings.get("egress.allow_ports")?)?,
            require_https: settings.get("egress.require_https")?.boolean()?,
        })
    }
}

fn proxy(text: &str) -> Option<Secret> {
    let url = parse::http_url(text)?;
    let is_bare = url.scheme() == "http" && url.path().trim_matches('/').is_empty();
    is_bare.then(|| Secret::new(parse::base(&url)))
}

fn allow_ports(setting: &Setting) -> Result<Vec<RangeInclusive<u16>>, Error> {
    let ports = setting
        .items(|text| parse::ports(text).ok_or_else(|| format!("holds {}", quoted(text))))?;
    if ports.is_empty() {
        return Err(setting.invalid("is empty, so that nothing could be delivered"));
    }
    Ok(ports)
}
