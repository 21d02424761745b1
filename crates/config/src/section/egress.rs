use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::error::Error;
use crate::parse;
use crate::setting::{Setting, Settings, quoted};

/// What tenants' webhooks may reach.
#[derive(Debug, Clone)]
pub struct Egress {
    /// Networks that may be reached besides the public internet.
    pub allow_networks: Vec<IpNet>,
    /// The ports that may be reached; never empty, never port 0.
    pub allow_ports: Vec<RangeInclusive<u16>>,
    /// Whether `http` is refused.
    pub require_https: bool,
}

impl Egress {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            allow_networks: settings.get("egress.allow_networks")?.networks()?,
            allow_ports: allow_ports(&settings.get("egress.allow_ports")?)?,
            require_https: settings.get("egress.require_https")?.boolean()?,
        })
    }
}

fn allow_ports(setting: &Setting) -> Result<Vec<RangeInclusive<u16>>, Error> {
    let ports = setting
        .items(|text| parse::ports(text).ok_or_else(|| format!("holds {}", quoted(text))))?;
    if ports.is_empty() {
        return Err(setting.invalid("is empty, so that nothing could be delivered"));
    }
    Ok(ports)
}
