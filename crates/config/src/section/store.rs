use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;
use crate::parse;
use crate::secret::Secret;
use crate::setting::{Setting, Settings};

/// The file of a `sqlite:` store, in the data directory.
pub(crate) const DEFAULT_FILE: &str = "tidings.db";

/// The length of the encryption key, in bytes.
const KEY_BYTES: usize = 32;

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where it is.
    pub url: StoreUrl,
    /// The key that encrypts secrets at rest: standard base64, with padding, of exactly 32 bytes. Never
    /// `None` in distributed mode; without it an embedded installation makes one in the data directory.
    pub encryption_key: Option<Secret>,
    /// Another key that secrets may be sealed with, while the key is being changed: of the same form, only
    /// beside [`Self::encryption_key`], and never the same.
    pub previous_encryption_key: Option<Secret>,
}

/// Which database, by the scheme of its URL.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// A file, resolved: `sqlite:` is already `tidings.db` in the data directory.
    Sqlite(PathBuf),
    /// A server: the whole `postgres://` URL, password included. Only its scheme was checked.
    Postgres(Secret),
}

impl Store {
    pub(crate) fn read(settings: &Settings, data_dir: &Path) -> Result<Self, Error> {
        let key = settings.find("store.encryption_key")?;
        let previous = settings.find("store.previous_encryption_key")?;
        Ok(Self {
            url: url(&settings.get("store.url")?, data_dir)?,
            encryption_key: key.as_ref().map(encryption_key).transpose()?,
            previous_encryption_key: previous.as_ref().map(encryption_key).transpose()?,
        })
    }
}

impl Store {
    /// Whether the two keys can be used together.
    pub(crate) fn check_keys(&self) -> Result<(), Error> {
        match (&self.encryption_key, &self.previous_encryption_key) {
            (None, Some(_)) => Err(Error::PreviousKeyAlone),
            // Both are the operator's, who may know that they are the same.
            (Some(key), Some(previous)) if key.reveal() == previous.reveal() => {
                Err(Error::SameKeyTwice)
            }
            (_, None) | (Some(_), Some(_)) => Ok(()),
        }
    }
}

fn url(setting: &Setting, data_dir: &Path) -> Result<StoreUrl, Error> {
    let text = setting.text()?;
    if let Some(path) = text.strip_prefix("sqlite:") {
        return sqlite(setting, path, data_dir).map(StoreUrl::Sqlite);
    }
    let address = text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"));
    match address {
        None => Err(setting.invalid("is no URL of a database that is known")),
        Some("") => Err(setting.invalid("names no server")),
        Some(_) if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Err(setting.invalid("contains white space"))
        }
        Some(_) => Ok(StoreUrl::Postgres(Secret::new(text))),
    }
}

fn sqlite(setting: &Setting, path: &str, data_dir: &Path) -> Result<PathBuf, Error> {
    if path.is_empty() {
        return Ok(data_dir.join(DEFAULT_FILE));
    }
    if path == ":memory:" {
        return Err(setting.invalid("is a database in memory, which loses what was accepted"));
    }
    if path.contains('?') {
        return Err(setting.invalid("has parameters, which a sqlite file does not take"));
    }
    // `sqlite:///var/x.db` is how others write `sqlite:/var/x.db`; `sqlite://x.db` could be either.
    let path = match path.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => {
            return Err(setting.invalid("has two slashes: write sqlite:PATH, or sqlite:/PATH"));
        }
        None => path,
    };
    if !parse::is_printable(path) || path.ends_with('/') {
        return Err(setting.invalid("does not name a file"));
    }
    Ok(PathBuf::from(path))
}

fn encryption_key(setting: &Setting) -> Result<Secret, Error> {
    let secret = setting.secret()?;
    let Ok(bytes) = STANDARD.decode(secret.reveal()) else {
        return Err(setting.invalid("is not valid base64"));
    };
    if bytes.len() != KEY_BYTES {
        return Err(setting.invalid(format!("holds {} bytes", bytes.len())));
    }
    Ok(secret)
}
