//! The URL of a PostgreSQL: what libpq's URLs say about TLS, and the rest for the client library.

use crate::error::Error;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use tokio_postgres::config::SslMode;

/// A URL that was read.
pub(super) struct Address {
    pub(super) config: tokio_postgres::Config,
    pub(super) trust: Trust,
}

/// Whom to believe that he is the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody: the connection is encrypted or not, and that is all.
    Anybody,
    /// Whoever has a certificate of these authorities.
    Authority(Roots),
    /// Whoever has a certificate of these authorities for the name in the URL.
    Name(Roots),
}

/// Whose certificates count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those that browsers believe.
    Public,
    /// Those in this PEM file.
    File(PathBuf),
}

/// Reads a URL as libpq does (PostgreSQL manual, 34.1.1.2 and 34.19): `sslmode` and `sslrootcert`
/// here, everything else by the client library, which knows neither `verify-…` nor `sslrootcert`.
pub(super) fn parse(url: &str) -> Result<Address, Error> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut mode = "prefer".to_owned();
    let mut roots = None;
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = decoded(value)?,
            Some(("sslrootcert", value)) => roots = Some(decoded(value)?),
            _ => rest.push(pair),
        }
    }
    let mut config: tokio_postgres::Config = format!("{place}?{}", rest.join("&"))
        .parse()
        .map_err(|error: tokio_postgres::Error| refused(super::reasons(&error)))?;
    let (encrypts, trust) = read_mode(&mode, roots)?;
    config.ssl_mode(encrypts);
    Ok(Address { config, trust })
}

fn read_mode(mode: &str, roots: Option<String>) -> Result<(SslMode, Trust), Error> {
    let is_named = roots.is_some();
    let roots = match roots {
        Some(path) if path != "system" => Roots::File(path.into()),
        _ => Roots::Public,
    };
    Ok(match mode {
        "disable" => (SslMode::Disable, Trust::Anybody),
        // libpq's `allow` tries without first; neither insists on anything.
        "allow" | "prefer" => (SslMode::Prefer, Trust::Anybody),
        // As libpq has it: who names the authorities wants them to count.
        "require" if is_named => (SslMode::Require, Trust::Authority(roots)),
        "require" => (SslMode::Require, Trust::Anybody),
        "verify-ca" => (SslMode::Require, Trust::Authority(roots)),
        "verify-full" => (SslMode::Require, Trust::Name(roots)),
        _ => {
            return Err(refused(format!(
                "sslmode `{mode}` is none of disable, allow, prefer, require, verify-ca, verify-full"
            )));
        }
    })
}

fn decoded(value: &str) -> Result<String, Error> {
    let text = percent_decode_str(value).decode_utf8();
    Ok(text
        .map_err(|_| refused(format!("`{value}` is not UTF-8")))?
        .into_owned())
}

fn refused(reason: String) -> Error {
    Error::BadUrl(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> (SslMode, Trust) {
        let address = parse(&format!("postgres://user:p%3Fw@db.example:6432/t?{query}")).unwrap();
        (address.config.get_ssl_mode(), address.trust)
    }

    #[test]
    fn each_mode_is_what_libpq_means_by_it() {
        let file = || Roots::File("/etc/a ca.pem".into());
        let named = "&sslrootcert=/etc/a%20ca.pem";
        assert_eq!(read(""), (SslMode::Prefer, Trust::Anybody));
        assert_eq!(read("sslmode=disable"), (SslMode::Disable, Trust::Anybody));
        assert_eq!(read("sslmode=require"), (SslMode::Require, Trust::Anybody));
        let required = read(&format!("sslmode=require{named}"));
        assert_eq!(required, (SslMode::Require, Trust::Authority(file())));
        let by_authority = read(&format!("sslmode=verify-ca{named}&connect_timeout=5"));
        assert_eq!(by_authority.1, Trust::Authority(file()));
        assert_eq!(read("sslmode=verify%2Dfull").1, Trust::Name(Roots::Public));
    }

    #[test]
    fn a_mode_nobody_knows_is_named_and_so_is_an_option() {
        for (query, named) in [
            ("sslmode=verify_full", "verify_full"),
            ("sslmod=x", "sslmod"),
        ] {
            let Err(error) = parse(&format!("postgres://db/t?{query}")) else {
                panic!("{query} was read")
            };
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
