use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use config::{Value, ValueKind};

use crate::error::Error;
use crate::key;
use crate::layer::Layer;

/// No configuration is larger; a file that is was named by mistake.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The layer of the defaults.
pub(crate) fn built_in() -> Result<Layer, Error> {
    parse(crate::DEFAULT, "the built-in defaults")
}

/// The layer of the file an operator named.
pub(crate) fn read(path: &Path) -> Result<Layer, Error> {
    let text = read_text(path, MAX_FILE_BYTES).map_err(|source| Error::UnreadableFile {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, &path.display().to_string())
}

/// The text of a file of at most `max_bytes`.
pub(crate) fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(max_bytes + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::other(format!(
            "it is larger than {max_bytes} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not valid UTF-8"))
}

fn parse(text: &str, file: &str) -> Result<Layer, Error> {
    let table = text
        .parse::<toml::Table>()
        .map_err(|error| syntax(text, file, &error))?;
    let mut layer = Layer::default();
    insert_table(&mut layer, file, "", table)?;
    Ok(layer)
}

fn insert_table(
    layer: &mut Layer,
    file: &str,
    path: &str,
    table: toml::Table,
) -> Result<(), Error> {
    for (segment, value) in table {
        let name = join(path, &segment);
        match (key::by_name(&name), value) {
            (Some(named), toml::Value::Table(_)) => {
                return Err(named
                    .key
                    .invalid(&format!("in {file}"), "is a table".to_owned()));
            }
            (Some(named), value) => layer.insert(named, &format!("in {file}"), kind(value))?,
            (None, toml::Value::Table(inner)) if key::is_section(&name) => {
                insert_table(layer, file, &name, inner)?;
            }
            (None, _) => return Err(unknown(file, name)),
        }
    }
    Ok(())
}

/// Quotes what TOML quotes, so that `"store.url"` at the top is not taken for `url` in `[store]`.
fn join(path: &str, segment: &str) -> String {
    let bare = !segment.is_empty()
        && segment
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let segment = if bare {
        segment.to_owned()
    } else {
        format!("{segment:?}")
    };
    if path.is_empty() {
        segment
    } else {
        format!("{path}.{segment}")
    }
}

fn kind(value: toml::Value) -> ValueKind {
    match value {
        toml::Value::String(text) => ValueKind::String(text),
        toml::Value::Integer(number) => ValueKind::I64(number),
        toml::Value::Float(number) => ValueKind::Float(number),
        toml::Value::Boolean(truth) => ValueKind::Boolean(truth),
        toml::Value::Datetime(time) => ValueKind::String(time.to_string()),
        toml::Value::Array(items) => ValueKind::Array(items.into_iter().map(element).collect()),
        // Only ever inside an array, where it is refused whatever it holds.
        toml::Value::Table(_) => ValueKind::Table(config::Map::new()),
    }
}

fn element(value: toml::Value) -> Value {
    Value::new(None, kind(value))
}

fn unknown(file: &str, name: String) -> Error {
    let hint = if key::is_section(&name) {
        format!("; it is a section: write [{name}] and its keys below")
    } else {
        key::hint(key::nearest_name(&name), "`")
    };
    Error::UnknownKey {
        name,
        file: file.to_owned(),
        hint,
    }
}

fn syntax(text: &str, file: &str, error: &toml::de::Error) -> Error {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or("");
    let line = 1 + before.matches('\n').count();
    // The parser's own text would quote the line, which may hold a secret.
    let message = error
        .message()
        .lines()
        .next()
        .unwrap_or("unexpected text")
        .to_owned();
    Error::Syntax {
        file: file.to_owned(),
        line,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text, "a.toml").unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_defaults_are_readable() {
        built_in().unwrap();
    }

    #[test]
    fn a_syntax_error_tells_the_line_and_quotes_nothing() {
        let message =
            refused("data_dir = \"x\"\n[subscriptions]\nadmin_key = hunter2-hunter2-hunter2\n");
        assert!(
            message.starts_with("a.toml is not valid TOML: line 3: "),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
        let message = refused("[store]\nurl = \"postgres://u:hunter2@h/d\n");
        assert!(message.contains("line 2"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        let message = refused("[store]\nurl = \"a\"\nurl = \"hunter2\"\n");
        assert!(message.contains("line 3: duplicate key"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_dotted_name() {
        assert_eq!(
            refused("[ingress.rate_limit]\nfailure_per_minute = 3\n"),
            "unknown key `ingress.rate_limit.failure_per_minute` in a.toml; did you mean \
             `ingress.rate_limit.failures_per_minute`?"
        );
        assert!(refused("[prober]\n").starts_with("unknown key `prober` in a.toml"));
        assert!(refused("[[store]]\n").starts_with("unknown key `store` in a.toml"));
    }

    #[test]
    fn a_key_given_a_table_is_told_so() {
        let message = refused("[store.url]\npath = 1");
        assert!(
            message.starts_with("`store.url`, set in a.toml, is a table; it must be"),
            "{message}"
        );
    }

    #[test]
    fn a_section_given_a_value_is_told_so() {
        assert_eq!(
            refused("store = \"sqlite:\""),
            "unknown key `store` in a.toml; it is a section: write [store] and its keys below"
        );
    }

    #[test]
    fn a_quoted_dotted_key_is_not_a_path() {
        assert!(refused("\"store.url\" = \"sqlite:\"").starts_with("unknown key `\"store.url\"`"));
    }
}
