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
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;

/// Where the embedded mode keeps the key it made, in the data directory.
const FILE: &str = "encryption.key";
/// What is sealed to recognise the key by.
const CHECK: &[u8] = b"tidings";

/// A key, and where it comes from.
pub(crate) struct Key {
    vault: Arc<Vault>,
    origin: Origin,
    path: PathBuf,
    random: Random,
}

impl Key {
    /// The configured key, or the one in the data directory, which is made on the first start.
    pub(crate) fn read(config: &Config, random: &Random) -> Result<Self, Failure> {
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
        Ok(Self {
            vault: Arc::new(Vault::new(key)),
            origin,
            path,
            random: random.clone(),
        })
    }

    /// What seals and opens with it.
    pub(crate) fn vault(&self) -> Arc<Vault> {
        self.vault.clone()
    }

    /// Whether it is the store's key. An empty store takes it as its own. The outer error is the
    /// store's, which could not be asked.
    pub(crate) async fn check(&self, store: &Store) -> Result<Result<(), Failure>, store::Error> {
        let fresh = self
            .vault
            .seal(secret::KEY_CHECK, CHECK, self.random.bytes());
        let kept = store.get_or_keep("encryption_check", fresh).await?;
        let opened = self.vault.open(secret::KEY_CHECK, &kept);
        Ok(opened
            .map(drop)
            .map_err(|refused| self.refused(&refused.to_string())))
    }

    fn refused(&self, refused: &str) -> Failure {
        let file = self.path.display();
        Failure::Configuration(match self.origin {
            Origin::Configured => {
                format!("store.encryption_key is not the key of this store: {refused}")
            }
            Origin::Kept => format!("{file} is not the key of this store: {refused}"),
            Origin::Made => {
                // It would be taken for the lost one.
                if let Err(error) = std::fs::remove_file(&self.path) {
                    return unusable(&self.path, &error);
                }
                format!("{file} is missing, and with it the key of this store: {refused}")
            }
        })
    }
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
