//! The encryption key: configured, or made once and kept beside the store.

use crate::exit::Failure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::Config;
use domain::{Random, secret};
use signing::Vault;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use store::Store;

/// Where the embedded mode keeps the key it made, in the data directory.
const FILE: &str = "encryption.key";
/// What is sealed to recognise the key by.
const CHECK: &[u8] = b"tidings";

/// The vault of the configured key, or of the one in the data directory, which is made on the first
/// start.
pub(crate) fn vault(config: &Config, random: &Random) -> Result<Vault, Failure> {
    let text = match &config.store.encryption_key {
        Some(key) => key.reveal().to_owned(),
        None => kept_key(&config.data_dir.join(FILE), random)?,
    };
    let key = Vault::parse_key(text.trim())
        .map_err(|error| Failure::configuration(format!("store.encryption_key: {error}")))?;
    Ok(Vault::new(key))
}

/// Refuses a key that is not the one the store was made with, before anything is written with it.
pub(crate) async fn check(vault: &Vault, store: &Store, random: &Random) -> Result<(), Failure> {
    let fresh = vault.seal(secret::KEY_CHECK, CHECK, random.bytes());
    let kept = store.get_or_keep("encryption_check", fresh).await?;
    vault
        .open(secret::KEY_CHECK, &kept)
        .map(|_| ())
        .map_err(|error| {
            Failure::configuration(format!(
                "store.encryption_key is not the key of this store: {error}"
            ))
        })
}

fn kept_key(path: &Path, random: &Random) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::configuration(format!("the encryption key {}: {error}", path.display()))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = STANDARD.encode(random.bytes::<32>());
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(failed)?;
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(failed)?;
            Ok(text)
        }
        Err(error) => Err(failed(error)),
    }
}
