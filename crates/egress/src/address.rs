//! What the IANA special-purpose registries say about an address.
//!
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>, and the metadata services of the
//! large clouds.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::refusal::Refusal;

/// Why `address` is not public unicast, if it is not.
pub(crate) fn special_v4(address: Ipv4Addr) -> Option<Refusal> {
    let bits = address.to_bits();
    SPECIAL_V4
        .iter()
        .find(|(network, length, _)| (bits ^ network.to_bits()) >> (32 - length) == 0)
        .map(|(_, _, refusal)| *refusal)
}

/// Why `address`, which is not IPv4-mapped, is not public unicast, if it is not. What it carries is
/// not looked at.
pub(crate) fn special_v6(address: Ipv6Addr) -> Option<Refusal> {
    let bits = address.to_bits();
    let listed = SPECIAL_V6
        .iter()
        .find(|(network, length, _)| (bits ^ network.to_bits()) >> (128 - length) == 0)
        .map(|(_, _, refusal)| *refusal);
    let is_global_unicast = bits >> 125 == 0b001;
    listed.or((!is_global_unicast).then_some(Refusal::Reserved))
}

/// The IPv4 addresses that `address` carries, each with the name of the form that carries it.
pub(crate) fn embedded_v4(address: Ipv6Addr) -> Vec<(Refusal, Ipv4Addr)> {
    let segments = address.segments();
    let low = Ipv4Addr::from_bits(joined(segments[6], segments[7]));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => vec![],
        [0, 0, 0, 0, 0, 0, ..] => vec![(Refusal::Ipv4Compatible, low)],
        [0, 0, 0, 0, 0xffff, 0, ..] => vec![(Refusal::Ipv4Translated, low)],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => vec![(Refusal::Nat64, low)],
        [0x2002, high, rest, ..] => {
            vec![(Refusal::SixToFour, Ipv4Addr::from_bits(joined(high, rest)))]
        }
        [0x2001, 0, high, rest, ..] => vec![
            (Refusal::Teredo, Ipv4Addr::from_bits(joined(high, rest))),
            (Refusal::Teredo, Ipv4Addr::from_bits(!low.to_bits())),
        ],
        // The universal and group bits of the interface identifier are not part of the form.
        [_, _, _, _, flags, 0x5efe, _, _] if flags & 0xfcff == 0 => vec![(Refusal::Isatap, low)],
        _ => vec![],
    }
}

fn joined(high: u16, low: u16) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

/// The first entry that contains an address names it: single addresses before the networks around
/// them.
const SPECIAL_V4: &[(Ipv4Addr, u32, Refusal)] = &[
    (Ipv4Addr::new(169, 254, 169, 254), 32, Refusal::Metadata), // AWS, Google, Azure and most others
    (Ipv4Addr::new(169, 254, 170, 2), 32, Refusal::Metadata),   // AWS ECS
    (Ipv4Addr::new(169, 254, 170, 23), 32, Refusal::Metadata),  // AWS EKS
    (Ipv4Addr::new(169, 254, 0, 23), 32, Refusal::Metadata),    // Tencent
    (Ipv4Addr::new(100, 100, 100, 200), 32, Refusal::Metadata), // Alibaba
    (Ipv4Addr::new(192, 0, 0, 192), 32, Refusal::Metadata),     // Oracle
    (Ipv4Addr::new(168, 63, 129, 16), 32, Refusal::Metadata),   // Azure, on a public address
    (Ipv4Addr::BROADCAST, 32, Refusal::Broadcast),
    (Ipv4Addr::UNSPECIFIED, 8, Refusal::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Refusal::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Refusal::CarrierGradeNat),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Refusal::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Refusal::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Refusal::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Refusal::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Refusal::Documentation),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Refusal::Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Refusal::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Refusal::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Refusal::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Refusal::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Refusal::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Refusal::Reserved),
];

const SPECIAL_V6: &[(Ipv6Addr, u32, Refusal)] = &[
    (
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
        128,
        Refusal::Metadata,
    ), // AWS
    (
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),
        128,
        Refusal::Metadata,
    ), // AWS EKS
    (
        v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
        128,
        Refusal::Metadata,
    ), // Google
    (
        v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
        128,
        Refusal::Metadata,
    ), // OpenStack
    (Ipv6Addr::UNSPECIFIED, 128, Refusal::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Refusal::Loopback),
    (Ipv6Addr::UNSPECIFIED, 96, Refusal::Ipv4Compatible),
    (
        v6([0, 0, 0, 0, 0xffff, 0, 0, 0]),
        96,
        Refusal::Ipv4Translated,
    ),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0]), 96, Refusal::Nat64),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0]), 48, Refusal::Nat64),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0]), 63, Refusal::Discard),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0]), 32, Refusal::Teredo),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0]), 48, Refusal::Benchmarking),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0]), 23, Refusal::Reserved),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]),
        32,
        Refusal::Documentation,
    ),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0]), 16, Refusal::SixToFour),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0]),
        20,
        Refusal::Documentation,
    ),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, Refusal::UniqueLocal),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, Refusal::LinkLocal),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0]), 10, Refusal::SiteLocal),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, Refusal::Multicast),
];

const fn v6(segments: [u16; 8]) -> Ipv6Addr {
    Ipv6Addr::from_segments(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(address: &str) -> Vec<String> {
        let found = embedded_v4(address.parse().unwrap());
        found
            .into_iter()
            .map(|(form, inner)| format!("{} {inner}", form.as_str()))
            .collect()
    }

    #[test]
    fn every_form_that_carries_an_ipv4_address_is_read() {
        assert_eq!(carried("::7f00:1"), ["ipv4_compatible 127.0.0.1"]);
        assert_eq!(carried("::ffff:0:7f00:1"), ["ipv4_translated 127.0.0.1"]);
        assert_eq!(carried("64:ff9b::a00:1"), ["nat64 10.0.0.1"]);
        assert_eq!(carried("64:ff9b:1:abcd::a00:1"), ["nat64 10.0.0.1"]);
        assert_eq!(carried("2002:7f00:1::1"), ["six_to_four 127.0.0.1"]);
        assert_eq!(
            carried("2001:0:4136:e378:8000:63bf:3fff:fdd2"),
            ["teredo 65.54.227.120", "teredo 192.0.2.45"]
        );
        assert_eq!(carried("2a00:1450::5efe:7f00:1"), ["isatap 127.0.0.1"]);
        assert_eq!(carried("2a00:1450::200:5efe:7f00:1"), ["isatap 127.0.0.1"]);
    }

    #[test]
    fn plain_addresses_carry_nothing() {
        for address in [
            "::",
            "::1",
            "2a00:1450:4001:81b::200e",
            "2a00::1:5efe:7f00:1",
        ] {
            assert!(carried(address).is_empty(), "{address}");
        }
    }

    #[test]
    fn networks_end_where_the_registry_says() {
        let inside = [
            "100.64.0.0",
            "100.127.255.255",
            "172.31.255.255",
            "198.19.255.255",
        ];
        for address in inside {
            assert!(special_v4(address.parse().unwrap()).is_some(), "{address}");
        }
        let outside = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
        ];
        for address in outside {
            assert_eq!(special_v4(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn only_global_unicast_ipv6_is_public() {
        for address in [
            "2000::1",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2003::1",
        ] {
            assert_eq!(special_v6(address.parse().unwrap()), None, "{address}");
        }
        for address in [
            "200::1", "4000::1", "5f00::1", "8000::1", "e000::1", "fe00::1", "1::",
        ] {
            assert_eq!(
                special_v6(address.parse().unwrap()),
                Some(Refusal::Reserved),
                "{address}"
            );
        }
    }
}
