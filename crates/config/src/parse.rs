//! The forms of single values.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

/// Whole seconds, or a whole number with `s`, `m`, `h` or `d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3_600),
        b'd' => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    whole(number)?.checked_mul(seconds).map(Duration::from_secs)
}

/// A port, or a range of them with both ends in it.
pub(crate) fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = u16::try_from(whole(first.trim())?).ok()?;
    let last = u16::try_from(whole(last.trim())?).ok()?;
    (first > 0 && first <= last).then_some(first..=last)
}

/// A network in CIDR form, or one address. What is wrong otherwise reads on after the text.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| String::new())?;
    let whole = network.trunc();
    if whole == network {
        return Ok(network);
    }
    Err(format!(
        ", an address inside {whole}: write {whole}, or the address alone"
    ))
}

/// An absolute http(s) URL without query and fragment; the slashes at its end are removed.
pub(crate) fn http_url(text: &str) -> Option<Url> {
    if !is_printable(text) || text.contains(char::is_whitespace) {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    let is_base = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_base {
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

/// The URL as text to append a path to.
pub(crate) fn base(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// An origin as browsers write it: scheme, host and port, nothing more.
pub(crate) fn origin(text: &str) -> Option<String> {
    let url = http_url(text)?;
    let is_bare = matches!(url.path(), "" | "/") && !text.contains(['*', '@']);
    is_bare.then(|| url.origin().ascii_serialization())
}

/// Neither empty nor with control characters.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

/// Digits only: `u64::from_str` also takes a sign.
fn whole(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_has_a_unit() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("10s"), Some(10));
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("72h"), Some(259_200));
        assert_eq!(seconds("2d"), Some(172_800));
        for wrong in [
            "",
            "s",
            "-1",
            "+1",
            "1.5",
            "1 s",
            "10ms",
            "1w",
            "5M",
            "é",
            "10sé",
            "1e3",
            "18446744073709551615d",
            "99999999999999999999",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ports_are_single_or_ranges() {
        assert_eq!(ports("443"), Some(443..=443));
        assert_eq!(ports("1024-65535"), Some(1024..=65535));
        assert_eq!(ports("1 - 2"), Some(1..=2));
        for wrong in [
            "", "0", "0-5", "65536", "9-8", "-", "1-", "-1", "1-2-3", "http", "+80",
        ] {
            assert_eq!(ports(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_network_has_no_host_bits() {
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert!(
            network("10.0.0.5/8")
                .unwrap_err()
                .contains("write 10.0.0.0/8")
        );
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "localhost",
            "::/129",
            "10.0.0.0/",
        ] {
            assert_eq!(network(wrong), Err(String::new()), "{wrong}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        let same = |text: &str| origin(text).is_some_and(|origin| origin == text);
        assert!(same("https://console.example.com"));
        assert!(same("http://localhost:3000"));
        let written = origin("HTTPS://Console.Example.com:443/").unwrap();
        assert_eq!(written, "https://console.example.com");
        for wrong in [
            "",
            "*",
            "null",
            "console.example.com",
            "https://*.example.com",
            "https://a.example/path",
            "https://a.example?q",
            "https://user@a.example",
            "https://:p@a.example",
            "ftp://a.example",
            "file:///",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_http_url_is_one_to_append_a_path_to() {
        let text = |text| http_url(text).map(|url| base(&url));
        assert_eq!(
            text("https://a.example/").as_deref(),
            Some("https://a.example")
        );
        assert_eq!(
            text("HTTP://A.example:80/x//").as_deref(),
            Some("http://a.example/x")
        );
        assert_eq!(
            text("http://[::1]:8080").as_deref(),
            Some("http://[::1]:8080")
        );
        for wrong in [
            "",
            "a.example",
            "/x",
            "ftp://a.example",
            "https://",
            "https://a.example?x=1",
            "https://a.example/?",
            "https://a.example/#f",
            " https://a.example",
            "https://a.\nexample",
            "mailto:a@example.com",
        ] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
    }
}
