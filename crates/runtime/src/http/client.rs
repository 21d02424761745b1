//! Who is calling: the socket's peer, unless that is a trusted proxy.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// More hops than any chain of proxies; what is left of them is not looked at.
const MAX_HOPS: usize = 32;

/// Reverse proxies of one's own, which say whose requests they pass on.
#[derive(Clone, Debug)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// The header in which they say it: `x-forwarded-for`, `forwarded` or `x-real-ip`.
    pub header: &'static str,
}

impl Proxies {
    /// The address of the caller. Behind trusted proxies it is the rightmost address in the header that is not
    /// a trusted proxy's: everything left of it is what the caller wrote.
    pub fn client(&self, request: &HttpRequest) -> IpAddr {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.source(request.peer_addr().unwrap_or(nowhere), request.headers())
    }

    fn source(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: &IpAddr| self.trusted.iter().any(|net| net.contains(address));
        let mut nearest = peer.ip().to_canonical();
        if !is_trusted(&nearest) {
            return nearest;
        }
        for hop in hops(headers, self.header).into_iter().rev().take(MAX_HOPS) {
            // An address we cannot read was not written by a proxy of ours: stop at the one that was.
            let Some(address) = hop.and_then(parse_hop) else {
                break;
            };
            nearest = address;
            if !is_trusted(&nearest) {
                break;
            }
        }
        nearest
    }
}

/// The hops as written, left to right; `None` where one cannot be read.
fn hops<'a>(headers: &'a HeaderMap, header: &str) -> Vec<Option<&'a str>> {
    let lines = headers.get_all(header).map(|value| value.to_str().ok());
    match header {
        "x-real-ip" => lines.collect(),
        "forwarded" => split(lines)
            .map(|element| element.and_then(forwarded_for))
            .collect(),
        _ => split(lines).collect(),
    }
}

fn split<'a>(
    lines: impl Iterator<Item = Option<&'a str>>,
) -> impl Iterator<Item = Option<&'a str>> {
    lines.flat_map(|line| match line {
        Some(line) => line.split(',').map(Some).collect(),
        None => vec![None],
    })
}

/// The `for` of one element of `Forwarded` (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    let pair = element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    Some(pair.trim_matches('"'))
}

/// An address, perhaps in brackets, perhaps with a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.split(']').next());
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    address
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn source_of(peer: &str, name: &'static str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(line).unwrap(),
            );
        }
        let proxies = Proxies {
            trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
            header: name,
        };
        proxies.source(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_peer_that_is_no_proxy_is_the_caller_whatever_it_writes() {
        let name = "x-forwarded-for";
        assert_eq!(
            source_of("203.0.113.9:1", name, &["198.51.100.1"]),
            "203.0.113.9"
        );
        assert_eq!(
            source_of("[::ffff:203.0.113.9]:1", name, &[]),
            "203.0.113.9"
        );
    }

    #[test]
    fn behind_proxies_the_rightmost_untrusted_address_counts() {
        let name = "x-forwarded-for";
        assert_eq!(
            source_of("10.0.0.1:1", name, &["1.1.1.1, 198.51.100.7, 10.9.9.9"]),
            "198.51.100.7"
        );
        assert_eq!(
            source_of("10.0.0.1:1", name, &["1.1.1.1", "198.51.100.7:443"]),
            "198.51.100.7"
        );
        assert_eq!(
            source_of("[fd00::1]:1", name, &["[2001:db8::5]:80"]),
            "2001:db8::5"
        );
        assert_eq!(
            source_of("10.0.0.1:1", "x-real-ip", &["198.51.100.7"]),
            "198.51.100.7"
        );
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_at_our_own_proxy() {
        let name = "x-forwarded-for";
        assert_eq!(
            source_of("10.0.0.1:1", name, &["198.51.100.7, unknown, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(source_of("10.0.0.1:1", name, &[""]), "10.0.0.1");
        assert_eq!(source_of("10.0.0.1:1", name, &[]), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_by_its_grammar() {
        let lines = &[r#"for=192.0.2.43, for="[2001:db8:cafe::17]:4711";proto=https"#];
        assert_eq!(
            source_of("10.0.0.1:1", "forwarded", lines),
            "2001:db8:cafe::17"
        );
        assert_eq!(
            source_of("10.0.0.1:1", "forwarded", &["proto=https"]),
            "10.0.0.1"
        );
    }
}
