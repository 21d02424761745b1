//! The encryption key: configured, or made once and kept beside the store. While it is being changed there
//! are two.

mod kept;
mod reseal;
mod rotate;

pub(crate) use rotate::rotate;

use crate::exit::Failure;
use config::Config;
use domain::{Random, secret};
use kept::KeyFiles;
use signing::Vault;
use std::sync::Arc;
use store::Store;

/// What is sealed to recognise the key by.
const CHECK: &[u8] = b"tidings";
/// What it is kept under in the store.
const CHECK_NAME: &str = "encryption_check";

/// A key, and where it comes from.
pub(crate) struct Key {
    vault: Arc<Vault>,
    origin: Origin,
    files: KeyFiles,
    random: Random,
}

impl Key {
    /// The configured key, or the one in the data directory, which is made on the first start; with the
    /// one before it, while it is being changed.
    pub(crate) fn read(config: &Config, random: &Random) -> Result<Self, Failure> {
        let files = KeyFiles::of(&config.data_dir);
        let (vault, origin) = match &config.store.encryption_key {
            Some(key) => {
                let previous = config.store.previous_encryption_key.as_ref();
                let previous = previous.map(config::Secret::reveal);
                let vault = vault(key.reveal(), previous).map_err(|error| {
                    Failure::Configuration(format!("store.encryption_key: {error}"))
                })?;
                (vault, Origin::Configured)
            }
            None => files.open_or_make(random)?,
        };
        Ok(Self {
            vault: Arc::new(vault),
            origin,
            files,
            random: random.clone(),
        })
    }

    /// What seals and opens with it.
    pub(crate) fn vault(&self) -> Arc<Vault> {
        self.vault.clone()
    }

    /// That the key is being changed, and how that is brought to its end; none when it is not.
    pub(crate) fn change(&self) -> Option<String> {
        match self.origin {
            Origin::Configured if self.vault.has_previous() => Some(
                "the encryption key is being changed: secrets open with store.previous_encryption_key as \
                 well, until `tidings keys rotate` has sealed them with store.encryption_key"
                    .to_owned(),
            ),
            Origin::Kept if self.files.has_previous() => Some(format!(
                "a change of the encryption key was not finished, and secrets open with {} as well: stop \
                 Tidings and run `tidings keys rotate` to finish it",
                self.files.previous.display()
            )),
            Origin::Configured | Origin::Kept | Origin::Made => None,
        }
    }

    /// Whether it is the store's key. An empty store takes it as its own. The outer error is the
    /// store's, which could not be asked.
    pub(crate) async fn check(&self, store: &Store) -> Result<Result<(), Failure>, store::Error> {
        let kept = self.kept_check(store).await?;
        let opened = self.vault.open(secret::KEY_CHECK, &kept);
        Ok(opened
            .map(drop)
            .map_err(|refused| self.refused(&refused.to_string())))
    }

    /// What the store's key is recognised by, sealed.
    async fn kept_check(&self, store: &Store) -> Result<Vec<u8>, store::Error> {
        store.get_or_keep(CHECK_NAME, self.sealed_check()).await
    }

    fn sealed_check(&self) -> Vec<u8> {
        let nonce = self.random.bytes();
        self.vault.seal(secret::KEY_CHECK, CHECK, nonce)
    }

    fn refused(&self, refused: &str) -> Failure {
        let file = self.files.current.display();
        Failure::Configuration(match self.origin {
            Origin::Configured => {
                format!("store.encryption_key is not the key of this store: {refused}")
            }
            Origin::Kept => format!("{file} is not the key of this store: {refused}"),
            Origin::Made => {
                // It would be taken for the lost one.
                if let Err(failure) = self.files.remove_made() {
                    return failure;
                }
                format!("{file} is missing, and with it the key of this store: {refused}")
            }
        })
    }
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Configured,
    /// From an earlier start.
    Kept,
    /// Just now.
    Made,
}

/// The vault of these keys, as people write them.
fn vault(key: &str, previous: Option<&str>) -> Result<Vault, signing::Error> {
    let key = Vault::parse_key(key.trim())?;
    match previous {
        None => Ok(Vault::new(key)),
        Some(previous) => Vault::with_previous(key, Vault::parse_key(previous.trim())?),
    }
}
