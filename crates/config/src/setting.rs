use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use config::{Value, ValueKind};
use ipnet::IpNet;

use crate::error::Error;
use crate::file::read_text;
use crate::key::{self, Key};
use crate::layer::Layer;
use crate::parse;
use crate::secret::Secret;

/// No value is larger; a file that is was named by mistake.
const MAX_VALUE_BYTES: u64 = 64 * 1024;

/// How much of a wrong value an error repeats, in characters.
const SHOWN: usize = 100;

/// The layers on top of each other.
pub(crate) struct Settings {
    root: Value,
}

impl Settings {
    /// Later layers win.
    pub(crate) fn merge(layers: Vec<Layer>) -> Result<Self, Error> {
        let mut builder = config::Config::builder();
        for layer in layers {
            builder = builder.add_source(layer);
        }
        let merged = builder
            .build()
            .map_err(|error| Error::Merge(error.into()))?;
        Ok(Self { root: merged.cache })
    }

    /// The setting of a key that has a default.
    pub(crate) fn get(&self, name: &'static str) -> Result<Setting, Error> {
        self.find(name)?.ok_or(Error::Unset { key: name })
    }

    /// The setting of a key, its file read if it names one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Setting>, Error> {
        let Some(named) = key::by_name(name) else {
            return Ok(None);
        };
        if let Some(value) = self.at(name) {
            return Ok(Some(Setting::new(named.key, value)));
        }
        match named.twin().and_then(|twin| self.at(&twin.name())) {
            Some(value) => Setting::new(named.key, value).read_file().map(Some),
            None => Ok(None),
        }
    }

    /// As [`Settings::find`], where an empty value is none at all.
    pub(crate) fn find_filled(&self, name: &str) -> Result<Option<Setting>, Error> {
        Ok(self.find(name)?.filter(|setting| !setting.is_empty()))
    }

    fn at(&self, name: &str) -> Option<&Value> {
        let found = name
            .split('.')
            .try_fold(&self.root, |value, segment| match &value.kind {
                ValueKind::Table(table) => table.get(segment),
                _ => None,
            });
        found.filter(|value| value.kind != ValueKind::Nil)
    }
}

/// The value that was decided for a key, and where it came from.
pub(crate) struct Setting {
    key: &'static Key,
    origin: String,
    kind: ValueKind,
}

impl Setting {
    fn new(key: &'static Key, value: &Value) -> Self {
        let origin = value.origin().unwrap_or("by nobody").to_owned();
        Self {
            key,
            origin,
            kind: value.kind.clone(),
        }
    }

    /// The setting in the file that this one names.
    fn read_file(self) -> Result<Self, Error> {
        let ValueKind::String(path) = &self.kind else {
            return Err(self.invalid("does not name a file"));
        };
        let path = PathBuf::from(path);
        let text = read_text(&path, MAX_VALUE_BYTES).map_err(|source| Error::UnreadableValue {
            key: self.key.name,
            origin: self.origin.clone(),
            path: path.clone(),
            source,
        })?;
        let text = without_newline(&text).to_owned();
        let origin = format!("from the file {} named {}", path.display(), self.origin);
        Ok(Self {
            key: self.key,
            origin,
            kind: ValueKind::String(text),
        })
    }

    /// The error that this value is not one its key takes. `problem` must not quote a secret.
    pub(crate) fn invalid(&self, problem: impl Into<String>) -> Error {
        self.key.invalid(&self.origin, problem.into())
    }

    /// The same error, quoting the value unless it is secret.
    pub(crate) fn refused(&self) -> Error {
        if self.key.secret {
            return self.invalid("is not one");
        }
        match &self.kind {
            ValueKind::String(text) => self.invalid(format!("is {}", quoted(text))),
            kind @ (ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_)) => {
                self.invalid(format!("is {kind}"))
            }
            ValueKind::Array(_) => self.invalid("is a list"),
            _ => self.invalid("is a table"),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(&self.kind, ValueKind::String(text) if text.is_empty())
    }

    /// The value as text, as the environment would give it.
    pub(crate) fn text(&self) -> Result<String, Error> {
        scalar(&self.kind).ok_or_else(|| self.refused())
    }

    pub(crate) fn secret(&self) -> Result<Secret, Error> {
        self.text().map(Secret::new)
    }

    /// A value that is text of a known form.
    pub(crate) fn parsed<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        parse(&self.text()?).ok_or_else(|| self.refused())
    }

    pub(crate) fn path(&self) -> Result<PathBuf, Error> {
        self.parsed(|text| parse::is_printable(text).then(|| Path::new(text).to_owned()))
    }

    pub(crate) fn socket_address(&self) -> Result<SocketAddr, Error> {
        self.parsed(|text| text.parse().ok())
    }

    pub(crate) fn boolean(&self) -> Result<bool, Error> {
        self.parsed(|text| text.parse().ok())
    }

    pub(crate) fn number<T>(&self, range: RangeInclusive<T>) -> Result<T, Error>
    where
        T: FromStr + PartialOrd,
    {
        self.parsed(|text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// A number that need not be whole.
    pub(crate) fn fraction(&self, range: RangeInclusive<f64>) -> Result<f64, Error> {
        match self.kind {
            ValueKind::Float(number) if range.contains(&number) => Ok(number),
            ValueKind::Float(_) => Err(self.refused()),
            _ => self.number(range),
        }
    }

    /// A number, or none for `off`.
    pub(crate) fn number_or_off<T>(&self, range: RangeInclusive<T>) -> Result<Option<T>, Error>
    where
        T: FromStr + PartialOrd,
    {
        self.unless_off(|| self.number(range))
    }

    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, Error> {
        self.parsed(|text| parse::duration(text).filter(|duration| range.contains(duration)))
    }

    /// A duration, or none for `off`.
    pub(crate) fn duration_or_off(
        &self,
        range: RangeInclusive<Duration>,
    ) -> Result<Option<Duration>, Error> {
        self.unless_off(|| self.duration(range))
    }

    fn unless_off<T>(&self, read: impl FnOnce() -> Result<T, Error>) -> Result<Option<T>, Error> {
        match self.text()?.as_str() {
            "off" | "none" | "0" => Ok(None),
            _ => read().map(Some),
        }
    }

    pub(crate) fn networks(&self) -> Result<Vec<IpNet>, Error> {
        self.items(|text| match parse::network(text) {
            Ok(network) => Ok(network),
            Err(problem) => Err(format!("holds {}{problem}", quoted(text))),
        })
    }

    /// The items of an array or of comma-separated text, each read by `parse`, which says what is wrong.
    pub(crate) fn items<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Error> {
        let texts = self.item_texts()?;
        texts
            .iter()
            .map(|text| parse(text).map_err(|problem| self.invalid(problem)))
            .collect()
    }

    fn item_texts(&self) -> Result<Vec<String>, Error> {
        if let ValueKind::Array(items) = &self.kind {
            let texts = items.iter().map(|item| scalar(&item.kind));
            return texts
                .map(|text| text.ok_or_else(|| self.invalid("holds a list or a table")))
                .collect();
        }
        let text = self.text()?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        Ok(text.split(',').map(|item| item.trim().to_owned()).collect())
    }
}

/// A value from outside, quoted, escaped and shortened.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?} and more", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn scalar(kind: &ValueKind) -> Option<String> {
    match kind {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::I64(number) => Some(number.to_string()),
        ValueKind::Float(number) => Some(number.to_string()),
        ValueKind::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_trailing_newline_is_removed() {
        assert_eq!(without_newline("key\n"), "key");
        assert_eq!(without_newline("key\r\n"), "key");
        assert_eq!(without_newline("key\n\n"), "key\n");
        assert_eq!(without_newline("key"), "key");
        assert_eq!(without_newline(" key \n"), " key ");
    }

    #[test]
    fn a_long_value_is_shortened_between_characters() {
        assert_eq!(quoted("ab\n"), r#""ab\n""#);
        assert_eq!(
            quoted(&"é".repeat(101)),
            format!("{:?} and more", "é".repeat(100))
        );
        assert_eq!(quoted(&"é".repeat(100)), format!("{:?}", "é".repeat(100)));
    }
}
