//! The reverse proxies before a door.

use ipnet::IpNet;

use crate::error::Error;
use crate::setting::Settings;

/// The reverse proxies before a door, which name its clients.
#[derive(Debug, Clone)]
pub struct Proxies {
    /// The networks from which `header` is believed.
    pub trusted: Vec<IpNet>,
    /// The header in which a trusted proxy names its client.
    pub header: ClientAddressHeader,
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

impl Proxies {
    /// From the keys that hold the networks and the header of a door.
    pub(crate) fn read(
        settings: &Settings,
        trusted: &'static str,
        header: &'static str,
    ) -> Result<Self, Error> {
        Ok(Self {
            trusted: settings.get(trusted)?.networks()?,
            header: settings
                .get(header)?
                .parsed(ClientAddressHeader::from_name)?,
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

    fn from_name(name: &str) -> Option<Self> {
        [Self::XForwardedFor, Self::Forwarded, Self::XRealIp]
            .into_iter()
            .find(|header| header.name().eq_ignore_ascii_case(name))
    }
}
