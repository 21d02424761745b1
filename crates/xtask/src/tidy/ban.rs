//! Packages, versions and features that may be nowhere in the graph, tests included.

use crate::graph::{Graph, Package};

/// A package that may not be used, at all or below a version.
#[derive(Debug, Clone, Copy)]
pub struct Ban {
    pub name: &'static str,
    /// The first version that is fine.
    pub below: Option<&'static str>,
    pub reason: &'static str,
}

/// Features of a package that may not be on.
#[derive(Debug, Clone, Copy)]
pub struct FeatureBan {
    pub name: &'static str,
    pub features: &'static [&'static str],
    pub reason: &'static str,
}

/// In the order of their names; `deny.toml` says the same.
pub const BANS: &[Ban] = &[
    Ban::of("actix-governor", "GPL-3.0"),
    Ban::old(
        "actix-http",
        "3.12.1",
        "request smuggling by Content-Length and Transfer-Encoding",
    ),
    Ban::of("atty", "unmaintained, unaligned read: std::io::IsTerminal"),
    Ban::of("backoff", "unmaintained: backon"),
    Ban::of("bincode", "unmaintained"),
    Ban::old("cel", "0.14.3", "125 bytes of expression take a gigabyte"),
    Ban::of("derivative", "unmaintained"),
    Ban::old("diesel", "2.3.10", "five advisories"),
    Ban::old("h2", "0.4", "RUSTSEC-2026-0258, not fixed in the 0.3 line"),
    Ban::old("hickory-proto", "0.26.1", "advisories in DNS parsing"),
    Ban::old(
        "idna",
        "1.0",
        "RUSTSEC-2024-0421, two names that compare equal",
    ),
    Ban::of("instant", "unmaintained: web-time"),
    Ban::of("native-tls", "needs a TLS library of the system: rustls"),
    Ban::of("openssl", "needs a TLS library of the system: rustls"),
    Ban::of("openssl-sys", "needs a TLS library of the system: rustls"),
    Ban::of("paste", "unmaintained"),
    Ban::old("phonenumber", "0.3.6", "panics on crafted input"),
    Ban::old(
        "postgres-protocol",
        "0.6.12",
        "advisories in what a server may send",
    ),
    Ban::of("proc-macro-error", "unmaintained: proc-macro-error2"),
    Ban::old(
        "rustls",
        "0.23.18",
        "RUSTSEC-2024-0399, panic on a crafted handshake",
    ),
    Ban::of("rustls-pemfile", "unmaintained: rustls-pki-types"),
    Ban::old(
        "rustls-webpki",
        "0.103.13",
        "advisories in certificate checking",
    ),
    Ban::of("serde_yaml", "unmaintained: yaml-rust2"),
    Ban::of("serde_yml", "unsound and unmaintained: yaml-rust2"),
    Ban::old(
        "tokio-postgres",
        "0.7.18",
        "advisories in what a server may send",
    ),
    Ban::old(
        "tracing-subscriber",
        "0.3.20",
        "RUSTSEC-2025-0055, terminal escapes in log lines",
    ),
];

/// In the order of their names; `deny.toml` says the same.
pub const FEATURE_BANS: &[FeatureBan] = &[
    FeatureBan {
        name: "actix-http",
        features: WEB_FEATURES,
        reason: WEB_REASON,
    },
    FeatureBan {
        name: "actix-web",
        features: WEB_FEATURES,
        reason: WEB_REASON,
    },
];

const WEB_FEATURES: &[&str] = &["compress-brotli", "compress-gzip", "compress-zstd", "http2"];
const WEB_REASON: &str = "http2 brings h2 0.3, compression unpacks bodies before they are verified";

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

impl Ban {
    const fn of(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            below: None,
            reason,
        }
    }

    const fn old(name: &'static str, below: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            below: Some(below),
            reason,
        }
    }

    fn is_broken_by(&self, package: &Package) -> bool {
        let is_old = |below| parts(&package.version) < parts(below);
        self.name == package.name && self.below.is_none_or(is_old)
    }
}

/// Nothing banned is in the graph, no banned feature is on, and everything comes from crates.io.
pub fn check(graph: &Graph) -> Vec<String> {
    graph.packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<String> {
    let Package { name, version, .. } = package;
    let packages = BANS
        .iter()
        .filter(|ban| ban.is_broken_by(package))
        .map(|ban| {
            format!(
                "{name} {version} is banned: {} (cargo tree -i {name})",
                ban.reason
            )
        });
    let features = FEATURE_BANS
        .iter()
        .filter(|ban| ban.name == name)
        .flat_map(|ban| {
            let is_on = |feature: &&&str| package.features.iter().any(|on| on == **feature);
            ban.features.iter().filter(is_on).map(move |feature| {
                format!("{name} has the banned feature {feature}: {}", ban.reason)
            })
        });
    let foreign = package
        .source
        .iter()
        .filter(|source| *source != REGISTRY)
        .map(|source| format!("{name} {version} comes from {source}, not from crates.io"));
    packages.chain(features).chain(foreign).collect()
}

/// Major, minor and patch; what is missing or not a number is 0, a pre-release counts as its release.
fn parts(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::{external, graph};

    #[test]
    fn every_ban_can_fail() {
        for ban in BANS {
            let findings = check(&graph(vec![external(ban.name, "0.0.1")]));
            assert_eq!(findings.len(), 1, "{}", ban.name);
            assert!(findings[0].contains(ban.reason), "{findings:?}");
        }
    }

    #[test]
    fn a_version_is_compared_as_numbers() {
        let findings = |version| check(&graph(vec![external("rustls-webpki", version)]));
        assert_eq!(findings("0.103.12").len(), 1);
        assert_eq!(findings("0.103.9").len(), 1);
        assert_eq!(findings("0.103.13").len(), 0);
        assert_eq!(findings("0.104.0-alpha.1").len(), 0);
        assert_eq!(findings("1.0.0").len(), 0);
    }

    #[test]
    fn only_the_old_line_of_a_package_is_banned() {
        assert_eq!(check(&graph(vec![external("h2", "0.3.27")])).len(), 1);
        assert_eq!(
            check(&graph(vec![external("h2", "0.4.12")])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_banned_feature_is_named() {
        let mut web = external("actix-web", "4.18.1");
        web.features = vec!["macros".to_owned(), "http2".to_owned()];
        assert_eq!(
            check(&graph(vec![web])),
            [format!(
                "actix-web has the banned feature http2: {WEB_REASON}"
            )]
        );
    }

    #[test]
    fn a_package_from_git_is_named() {
        let mut fork = external("lapin", "4.12.0");
        fork.source = Some("git+https://example.com/lapin".to_owned());
        assert_eq!(
            check(&graph(vec![fork])),
            ["lapin 4.12.0 comes from git+https://example.com/lapin, not from crates.io"]
        );
    }

    #[test]
    fn the_lists_are_in_order() {
        assert!(BANS.is_sorted_by_key(|ban| ban.name));
        assert!(FEATURE_BANS.is_sorted_by_key(|ban| ban.name));
    }
}
