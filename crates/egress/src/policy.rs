use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::address;
use crate::refusal::Refusal;
use crate::target::{Host, Target};

/// The shortest prefix with which a NAT64 network can be allowed: only behind a `/96` is it certain
/// which bits are the IPv4 address (RFC 6052 §2.2).
const NAT64_PREFIX_LENGTH: u8 = 96;

/// What tenants may make us reach.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Networks that may be reached besides the public internet.
    pub allow_networks: Vec<IpNet>,
    /// The ports that may be reached, everywhere. None listed, none may. Port 0 never may.
    pub allow_ports: Vec<RangeInclusive<u16>>,
    /// Whether `http` is refused.
    pub require_https: bool,
}

impl Default for Policy {
    /// The public internet, on ports 80, 443 and 1024 to 65535.
    fn default() -> Self {
        Self {
            allow_networks: vec![],
            allow_ports: vec![80..=80, 443..=443, 1024..=65535],
            require_https: false,
        }
    }
}

impl Policy {
    /// Reads `url` and judges what it says itself: its form, scheme, port, and its address if it is
    /// a literal or under `localhost`. Other names are judged when they are dialled.
    pub fn judge_url(&self, url: &str) -> Result<Target, Refusal> {
        let target = Target::parse(url)?;
        self.judge_target(&target)?;
        Ok(target)
    }

    /// Judges an address about to be dialled.
    pub fn judge_address(&self, address: SocketAddr) -> Result<(), Refusal> {
        self.judge_port(address.port())?;
        self.judge_ip(address.ip())
    }

    pub(crate) fn judge_target(&self, target: &Target) -> Result<(), Refusal> {
        if self.require_https && !target.tls() {
            return Err(Refusal::HttpsRequired);
        }
        match target.host() {
            Host::Address(ip) => self.judge_address(SocketAddr::new(*ip, target.port())),
            Host::Name(_) => self.judge_port(target.port()),
        }
    }

    fn judge_port(&self, port: u16) -> Result<(), Refusal> {
        let is_allowed = port != 0 && self.allow_ports.iter().any(|range| range.contains(&port));
        if is_allowed {
            Ok(())
        } else {
            Err(Refusal::Port)
        }
    }

    fn judge_ip(&self, ip: IpAddr) -> Result<(), Refusal> {
        match ip.to_canonical() {
            IpAddr::V4(address) => self.judge_v4(address),
            IpAddr::V6(address) => self.judge_v6(address),
        }
    }

    fn judge_v4(&self, address: Ipv4Addr) -> Result<(), Refusal> {
        match address::special_v4(address) {
            Some(refusal) if !self.allows(address.into(), 0) => Err(refusal),
            _ => Ok(()),
        }
    }

    fn judge_v6(&self, address: Ipv6Addr) -> Result<(), Refusal> {
        if let Some(refusal) = address::special_v6(address) {
            let shortest = if refusal == Refusal::Nat64 {
                NAT64_PREFIX_LENGTH
            } else {
                0
            };
            if !self.allows(address.into(), shortest) {
                return Err(refusal);
            }
        }
        for (form, inner) in address::embedded_v4(address) {
            self.judge_v4(inner).map_err(|_| form)?;
        }
        Ok(())
    }

    fn allows(&self, ip: IpAddr, shortest: u8) -> bool {
        let mut networks = self.allow_networks.iter();
        networks.any(|network| network.prefix_len() >= shortest && network.contains(&ip))
    }
}
