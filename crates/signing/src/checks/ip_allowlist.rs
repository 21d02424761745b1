use super::{IpAllowlistSpec, Problems, Refusal};
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv6Addr};

const MAX_NETWORKS: usize = 256;

/// The networks that callbacks may come from.
#[derive(Debug, Clone)]
pub(super) struct IpAllowlist {
    networks: Vec<IpNet>,
    allow_any: bool,
}

impl IpAllowlist {
    pub(super) fn from_spec(
        spec: &IpAllowlistSpec,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let at = format!("{at}/cidrs");
        if !(1..=MAX_NETWORKS).contains(&spec.cidrs.len()) {
            problems.add(at, format!("must have 1 to {MAX_NETWORKS} networks"));
            return None;
        }
        let mut networks = Vec::with_capacity(spec.cidrs.len());
        for (index, cidr) in spec.cidrs.iter().enumerate() {
            match network(cidr, spec.allow_any) {
                Ok(network) => networks.push(network),
                Err(detail) => problems.add(format!("{at}/{index}"), detail),
            }
        }
        Some(Self {
            networks,
            allow_any: spec.allow_any,
        })
    }

    pub(super) fn verify(&self, source: IpAddr) -> Result<(), Refusal> {
        let source = source.to_canonical();
        if self
            .networks
            .iter()
            .any(|network| network.contains(&source))
        {
            Ok(())
        } else {
            Err(Refusal::UnauthorizedIp)
        }
    }

    pub(super) fn shape(&self) -> Value {
        let cidrs: Vec<String> = self.networks.iter().map(IpNet::to_string).collect();
        json!({"type": "ip_allowlist", "cidrs": cidrs, "allow_any": self.allow_any})
    }
}

/// Reads a network. An IPv4 network written as IPv6 (`::ffff:203.0.113.0/120`) is the IPv4 network,
/// as such a source is the IPv4 source; so `::ffff:0:0/96` is everything in IPv4.
fn network(cidr: &str, allow_any: bool) -> Result<IpNet, String> {
    let network = canonical(parse(cidr)?);
    if network.addr() != network.network() {
        let whole = network.trunc();
        return Err(format!(
            "has bits set after its prefix; the network is {whole}"
        ));
    }
    if network.prefix_len() == 0 && !allow_any {
        return Err("lets every address in; say \"allow_any\": true if that is meant".to_owned());
    }
    Ok(network)
}

fn parse(cidr: &str) -> Result<IpNet, String> {
    let (address, length) = cidr.split_once('/').ok_or_else(|| {
        "must be an address and a prefix length, such as 203.0.113.0/24 or 203.0.113.7/32"
            .to_owned()
    })?;
    let address: IpAddr = address
        .parse()
        .map_err(|_| "must begin with an IPv4 or IPv6 address".to_owned())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    prefix_length(length)
        .and_then(|length| IpNet::new(address, length).ok())
        .ok_or_else(|| format!("must end with a prefix length of 0 to {longest}"))
}

/// One to three digits without a leading zero, so that no two programs read them differently.
fn prefix_length(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if plain && !padded {
        text.parse().ok()
    } else {
        None
    }
}

/// An IPv4-mapped network as IPv4. One with a prefix shorter than 96 has bits set after it and
/// stays as it is, to be refused for them.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped = Ipv6Addr::to_ipv4_mapped(&v6.addr());
    mapped
        .zip(v6.prefix_len().checked_sub(96))
        .and_then(|(address, length)| IpNet::new(IpAddr::V4(address), length).ok())
        .unwrap_or(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_strictly() {
        for (cidr, told) in [
            ("203.0.113.7", "must be an address and a prefix length"),
            ("", "must be an address and a prefix length"),
            ("203.0.113.0/", "prefix length of 0 to 32"),
            ("203.0.113.0/33", "prefix length of 0 to 32"),
            ("203.0.113.0/024", "prefix length of 0 to 32"),
            ("203.0.113.0/+24", "prefix length of 0 to 32"),
            ("203.0.113.0/24 ", "prefix length of 0 to 32"),
            ("203.0.113.0/255.255.255.0", "prefix length of 0 to 32"),
            ("203.0.113.0/280", "prefix length of 0 to 32"),
            ("2001:db8::/129", "prefix length of 0 to 128"),
            ("010.0.0.0/8", "must begin with an IPv4 or IPv6 address"),
            ("10.0/8", "must begin with an IPv4 or IPv6 address"),
            (" 10.0.0.0/8", "must begin with an IPv4 or IPv6 address"),
            (
                "fe80::1%eth0/128",
                "must begin with an IPv4 or IPv6 address",
            ),
            ("example.com/24", "must begin with an IPv4 or IPv6 address"),
            ("203.0.113.7/24", "the network is 203.0.113.0/24"),
            ("2001:db8::1/32", "the network is 2001:db8::/32"),
            ("::ffff:203.0.113.7/120", "the network is 203.0.113.0/24"),
            ("::ffff:0:0/64", "has bits set after its prefix"),
            ("::ffff:0:0/95", "has bits set after its prefix"),
            ("0.0.0.0/0", "allow_any"),
            ("::/0", "allow_any"),
            ("::ffff:0:0/96", "allow_any"),
        ] {
            let refused = network(cidr, false).unwrap_err();
            assert!(refused.contains(told), "{cidr}: {refused}");
        }
    }

    #[test]
    fn a_mapped_network_is_the_network_it_stands_for() {
        for (cidr, read) in [
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("203.0.113.7/32", "203.0.113.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("::ffff:cb00:7107/128", "203.0.113.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(cidr, true).unwrap().to_string(), read, "{cidr}");
        }
    }
}
