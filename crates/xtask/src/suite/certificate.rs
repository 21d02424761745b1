//! A certificate for a private server, and the authority that signs it, both made for one run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Whom the certificate is for: a server on this machine, however it is called.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The characters on a line of PEM (RFC 7468, section 2).
const PEM_LINE: usize = 64;

/// The PEM files of a server that speaks TLS.
pub struct Certificate {
    /// The authority that clients have to trust.
    pub ca: PathBuf,
    /// The server's certificate, signed by it.
    pub server: PathBuf,
    /// The server's private key, readable for everybody who may enter the directory.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes all three in `directory`.
    pub fn make(directory: &Path) -> anyhow::Result<Self> {
        let ca_key = KeyPair::generate()?;
        let ca_params = authority()?;
        let ca = ca_params.self_signed(&ca_key)?;
        let key = KeyPair::generate()?;
        let server = server()?.signed_by(&key, &Issuer::new(ca_params, ca_key))?;
        Ok(Self {
            ca: write(directory, "ca.pem", "CERTIFICATE", ca.der())?,
            server: write(directory, "server.pem", "CERTIFICATE", server.der())?,
            key: write(directory, "key.pem", "PRIVATE KEY", key.serialized_der())?,
        })
    }
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = named("Tidings test authority", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let mut params = named("Tidings test server", &NAMES)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(common_name: &str, names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

fn write(directory: &Path, name: &str, label: &str, der: &[u8]) -> anyhow::Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, pem(label, der)).with_context(|| format!("cannot write {name}"))?;
    Ok(path)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % PEM_LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + &format!("\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_into_lines() {
        let expected = format!(
            "-----BEGIN X-----\n{}\nAAAA\n-----END X-----\n",
            "A".repeat(64)
        );
        assert_eq!(pem("X", &[0; 51]), expected);
    }

    #[test]
    fn all_three_files_are_there() {
        let directory = tempfile::tempdir().unwrap();
        let made = Certificate::make(directory.path()).unwrap();
        for (path, label) in [
            (made.ca, "CERTIFICATE"),
            (made.server, "CERTIFICATE"),
            (made.key, "PRIVATE KEY"),
        ] {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.starts_with(&format!("-----BEGIN {label}-----\n")));
        }
    }
}
