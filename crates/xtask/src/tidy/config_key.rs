//! The keys that `config/default.toml` documents, those that are commented out included.

use std::collections::BTreeMap;

/// The words in a key's comment that give it a twin ending in `_file`.
const FROM_FILE: &str = "[or from a file]";

/// Whether each key, by its path (`ingress.rate_limit.failures_per_minute`), may come from a file.
#[derive(Debug, Default)]
pub struct ConfigKeys {
    keys: BTreeMap<String, bool>,
}

impl ConfigKeys {
    /// Reads the reference. A key is a line `name = value` or `# name = value`.
    pub fn read(reference: &str) -> Self {
        let mut keys = BTreeMap::new();
        let mut section = String::new();
        let mut comment = String::new();
        for line in reference.lines() {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = format!("{name}.");
            } else if let Some(name) = key_of(line) {
                keys.insert(format!("{section}{name}"), comment.contains(FROM_FILE));
            } else if line.starts_with('#') {
                comment.push_str(line.trim_start_matches('#'));
                continue;
            }
            comment.clear();
        }
        Self { keys }
    }

    /// Whether a `TIDINGS_` name of the environment is a documented key or the file twin of one.
    pub fn has_environment_name(&self, name: &str) -> bool {
        let Some(path) = path_of(name) else {
            return false;
        };
        let twin = path
            .strip_suffix("_file")
            .and_then(|path| self.keys.get(path));
        self.keys.contains_key(&path) || twin == Some(&true)
    }
}

/// Only `TIDINGS_DATA_DIR` and names with two underscores between the levels are configuration.
fn path_of(name: &str) -> Option<String> {
    let name = name.strip_prefix("TIDINGS_")?;
    let is_key = name == "DATA_DIR" || name.contains("__");
    is_key.then(|| name.to_lowercase().replace("__", "."))
}

fn key_of(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = r#"
# Where everything is kept.
data_dir = "./tidings-data"

[store]
# The database: `sqlite:` or a server.
url = "sqlite:"

# The key, that may be given in two ways. [or from
# a file]
# encryption_key = "<32 bytes>"

[ingress.rate_limit]
failures_per_minute = 120
"#;

    #[test]
    fn documented_keys_are_known_by_their_environment_names() {
        let keys = ConfigKeys::read(REFERENCE);
        for name in [
            "TIDINGS_DATA_DIR",
            "TIDINGS_STORE__URL",
            "TIDINGS_STORE__ENCRYPTION_KEY",
            "TIDINGS_STORE__ENCRYPTION_KEY_FILE",
            "TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE",
        ] {
            assert!(keys.has_environment_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_documented_is_not_known() {
        let keys = ConfigKeys::read(REFERENCE);
        for name in [
            "TIDINGS_STORE__URI",
            "TIDINGS_STORE__URL_FILE",
            "TIDINGS_URL",
            "TIDINGS_PORT",
            "TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE_FILE",
            "STORE__URL",
        ] {
            assert!(!keys.has_environment_name(name), "{name}");
        }
    }
}
