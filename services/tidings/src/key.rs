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
/// start. Refuses a key that is not the store's, before anything is written with it.
pub(crate) async fn unlock(
    config: &Config,
    store: &Store,
    random: &Random,
) -> Result<Vault, Failure> {
    let path = config.data_dir.join(FILE);
    let (text, origin) = match &config.store.encryption_key {
        Some(key) => (key.reveal().to_owned(), Origin::Configured),
        None => kept_key(&path, random)?,
    };
    let key = Vault::parse_key(text.trim()).map_err(|error| {
        Failure::Configuration(match origin {
            Origin::Configured => format!("store.encryption_key: {error}"),
            Origin::Kept | Origin::Made => {
                format!("the encryption key {}: {error}", path.display())
            }
        })
    })?;
    let vault = Vault::new(key);
    let fresh = vault.seal(secret::KEY_CHECK, CHECK, random.bytes());
    let kept = store.get_or_keep("encryption_check", fresh).await?;
    let Err(refused) = vault.open(secret::KEY_CHECK, &kept) else {
        return Ok(vault);
    };
    let file = path.display();
    Err(Failure::Configuration(match origin {
        Origin::Configured => {
            format!("store.encryption_key is not the key of this store: {refused}")
        }
        Origin::Kept => format!("{file} is not the key of this store: {refused}"),
        Origin::Made => {
            // It would be taken for the lost one.
            std::fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
            format!("{file} is missing, and with it the key of this store: {refused}")
        }
    }))
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Configured,
    /// From an earlier start.
    Kept,
    /// Just now.
    Made,
}

fn kept_key(path: &Path, random: &Random) -> Result<(String, Origin), Failure> {
    let failed = |error| unusable(path, &error);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((text, Origin::Kept)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = STANDARD.encode(random.bytes::<32>());
            keep(path, &text).map_err(failed)?;
            Ok((text, Origin::Made))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Writes a key at once or not at all: half a key would be refused at every start.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Configuration(format!("the encryption key {}: {error}", path.display()))
}
