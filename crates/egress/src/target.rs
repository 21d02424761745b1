use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::Uri;
use url::{ParseError, Position, Url};

use crate::refusal::Refusal;

/// The longest URL accepted, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// The longest name the DNS can hold, in characters, without the final dot (RFC 1035 §3.1).
const MAX_NAME_LENGTH: usize = 253;
/// The longest part of a name (RFC 1035 §2.3.4).
const MAX_LABEL_LENGTH: usize = 63;

/// A well-formed `http` or `https` URL: lower-case host without a final dot, no user-info, no
/// fragment. Cheap to clone.
#[derive(Clone)]
pub struct Target {
    parts: Arc<Parts>,
}

struct Parts {
    url: Url,
    uri: Uri,
    host: Host,
    port: u16,
    tls: bool,
}

/// What has to be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// This address: a literal, however it was written, or 127.0.0.1 for `localhost` and names
    /// under it (RFC 6761 §6.3).
    Address(IpAddr),
    /// Whatever this name stands for at the time.
    Name(String),
}

impl Target {
    /// Reads `url` without judging where it leads; a fragment is dropped. Refused are forms that
    /// programs read differently (white space, backslashes, missing or superfluous slashes) and
    /// hosts that the DNS could not hold.
    pub(crate) fn parse(url: &str) -> Result<Self, Refusal> {
        refuse_odd_characters(url)?;
        let mut parsed = Url::parse(url).map_err(why_unparsable)?;
        let tls = match parsed.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Refusal::Scheme),
        };
        refuse_odd_authority(url)?;
        drop_final_dot(&mut parsed)?;
        parsed.set_fragment(None);
        let host = host(&parsed)?;
        let port = parsed.port_or_known_default().ok_or(Refusal::Port)?;
        let uri = uri(&parsed)?;
        let parts = Parts {
            url: parsed,
            uri,
            host,
            port,
            tls,
        };
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    /// The URL as it is requested.
    pub fn as_str(&self) -> &str {
        self.parts.url.as_str()
    }

    /// What has to be dialled.
    pub fn host(&self) -> &Host {
        &self.parts.host
    }

    /// The host as the URL has it, without the brackets of an IPv6 address.
    pub fn host_name(&self) -> &str {
        let host = self.parts.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, written or implied by the scheme.
    pub fn port(&self) -> u16 {
        self.parts.port
    }

    /// Whether the scheme is `https`.
    pub fn tls(&self) -> bool {
        self.parts.tls
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.parts.uri
    }
}

/// The path and the query may hold a tenant's secrets and are left out.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.parts.host)
            .field("port", &self.parts.port)
            .field("tls", &self.parts.tls)
            .finish_non_exhaustive()
    }
}

fn refuse_odd_characters(url: &str) -> Result<(), Refusal> {
    if url.len() > MAX_URL_BYTES {
        return Err(Refusal::TooLong);
    }
    if url.chars().any(char::is_control) {
        return Err(Refusal::ControlCharacter);
    }
    if url.chars().any(|c| c.is_whitespace() || c == '\\') {
        return Err(Refusal::BadUrl);
    }
    Ok(())
}

/// The URL standard forgives what this does not: `http:host`, `http:///host` and an empty
/// user-info.
fn refuse_odd_authority(url: &str) -> Result<(), Refusal> {
    let (_, rest) = url.split_once(':').ok_or(Refusal::BadUrl)?;
    let rest = rest.strip_prefix("//").ok_or(Refusal::BadUrl)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(Refusal::MissingHost);
    }
    if authority.contains('@') {
        return Err(Refusal::UserInfo);
    }
    Ok(())
}

fn drop_final_dot(url: &mut Url) -> Result<(), Refusal> {
    let Some(url::Host::Domain(name)) = url.host() else {
        return Ok(());
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_owned();
    if !is_name(&name) {
        return Err(Refusal::BadHost);
    }
    url.set_host(Some(&name)).map_err(why_unparsable)
}

fn host(url: &Url) -> Result<Host, Refusal> {
    match url.host().ok_or(Refusal::MissingHost)? {
        url::Host::Ipv4(address) => Ok(Host::Address(address.into())),
        url::Host::Ipv6(address) => Ok(Host::Address(address.into())),
        url::Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
            Ok(Host::Address(Ipv4Addr::LOCALHOST.into()))
        }
        url::Host::Domain(name) => Ok(Host::Name(name.to_owned())),
    }
}

/// Underscores are no part of host names, but resolvers know them and people use them.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        (1..=MAX_LABEL_LENGTH).contains(&label.len())
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= MAX_NAME_LENGTH && name.split('.').all(is_label)
}

/// Built from the parts, so that no second parser has its own idea of where the host ends.
fn uri(url: &Url) -> Result<Uri, Refusal> {
    let host = url.host_str().ok_or(Refusal::MissingHost)?;
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Uri::builder()
        .scheme(url.scheme())
        .authority(authority)
        .path_and_query(&url[Position::BeforePath..])
        .build()
        .map_err(|_| Refusal::BadUrl)
}

fn why_unparsable(error: ParseError) -> Refusal {
    match error {
        ParseError::EmptyHost => Refusal::MissingHost,
        ParseError::InvalidPort => Refusal::Port,
        ParseError::IdnaError
        | ParseError::InvalidIpv4Address
        | ParseError::InvalidIpv6Address
        | ParseError::InvalidDomainCharacter => Refusal::BadHost,
        _ => Refusal::BadUrl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn a_name_is_normalised() {
        let target = parsed("HTTPS://Hooks.EXAMPLE.com.:8443/In?q=1#part");
        assert_eq!(target.as_str(), "https://hooks.example.com:8443/In?q=1");
        assert_eq!(target.uri(), "https://hooks.example.com:8443/In?q=1");
        assert_eq!(*target.host(), Host::Name("hooks.example.com".into()));
        assert_eq!((target.port(), target.tls()), (8443, true));
    }

    #[test]
    fn a_default_port_is_not_written() {
        let target = parsed("http://example.com:80");
        assert_eq!(target.as_str(), "http://example.com/");
        assert_eq!((target.port(), target.tls()), (80, false));
    }

    #[test]
    fn an_ipv6_literal_keeps_its_brackets_in_the_url_only() {
        let target = parsed("http://[2606:4700::1111]:8080/");
        assert_eq!(target.uri().host(), Some("[2606:4700::1111]"));
        assert_eq!(target.host_name(), "2606:4700::1111");
    }

    #[test]
    fn localhost_is_dialled_as_127_0_0_1_and_keeps_its_name() {
        for url in [
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.b.localhost/",
        ] {
            let target = parsed(url);
            assert_eq!(
                *target.host(),
                Host::Address(Ipv4Addr::LOCALHOST.into()),
                "{url}"
            );
            assert!(target.host_name().ends_with("localhost"));
        }
        assert_eq!(
            *parsed("http://notlocalhost/").host(),
            Host::Name("notlocalhost".into())
        );
    }

    #[test]
    fn a_debugged_target_shows_neither_path_nor_query() {
        let shown = format!("{:?}", parsed("https://example.com/secret?token=secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn odd_paths_and_queries_can_be_requested() {
        for url in [
            "http://example.com/a|b?c={d}&e=\"f\"",
            "http://example.com/ü?ü",
            "http://example.com?q",
        ] {
            Target::parse(url).unwrap();
        }
    }
}
