//! The schema of a version: JSON Schema 2020-12, judged so that whatever is checked with it takes a
//! bounded time.

mod bound;
mod keyword;

pub(crate) use keyword::ANNOTATIONS;

use crate::fault::{Fault, MOST_FAULTS};
use bound::Bound;
use domain::json::Raw;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// The longest schema, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// How deep it may be nested.
pub const MAX_SCHEMA_DEPTH: usize = 32;
/// How much is compared at most: what one value of an event may cost under the schema, times the
/// number of its values.
const MAX_WORK: u64 = 5_000_000;
/// Up to so much work all faults are looked for; beyond it the first is enough.
const ALL_FAULTS_UP_TO: u64 = 100_000;
/// Beyond so much work it is noticed by whoever waits for the same thread.
const LONG_WORK: u64 = 200_000;
/// The largest program that a pattern may become, in bytes.
const MAX_PATTERN_PROGRAM_BYTES: usize = 256 * 1024;
/// So many bytes of text cost as much as a value.
const TEXT_BYTES: usize = 32;

/// A schema that was judged, ready to check data with.
#[derive(Debug)]
pub struct Schema {
    /// None where it constrains nothing but that data is an object.
    validator: Option<Validator>,
    weight: u64,
}

impl Schema {
    /// Judges a schema and makes it ready. The faults' pointers begin at the schema.
    pub fn parse(text: &Raw) -> Result<Self, Vec<Fault>> {
        let value = read(text)?;
        let metaschema = jsonschema::draft202012::meta::validator();
        refuse_any(metaschema.iter_errors(&value).map(|error| tell(&error)))?;
        let Bound { weight, asserts } = bound::judge(&value)?;
        let validator = if asserts {
            Some(compile(&value)?)
        } else {
            None
        };
        Ok(Self { validator, weight })
    }

    /// Whether data, which is an object, is as the schema says. The faults' pointers begin at the data.
    pub fn check(&self, data: &Raw) -> Result<(), Vec<Fault>> {
        let Some(validator) = &self.validator else {
            return Ok(());
        };
        let value: Value = serde_json::from_str(data.as_str())
            .map_err(|_| vec![Fault::new("", "write JSON that can be read")])?;
        let work = values(&value).saturating_mul(self.weight);
        if work > MAX_WORK {
            let detail = "this is too much to be checked against so large a schema: write less";
            return Err(vec![Fault::new("", detail)]);
        }
        if work > ALL_FAULTS_UP_TO {
            return validator
                .validate(&value)
                .map_err(|error| vec![tell(&error)]);
        }
        refuse_any(validator.iter_errors(&value).map(|error| tell(&error)))
    }

    /// Whether checking so many bytes may take so long that nobody else should wait behind it.
    pub fn takes_long(&self, bytes: usize) -> bool {
        let values = u64::try_from(bytes / 2).unwrap_or(u64::MAX);
        self.validator.is_some() && values.saturating_mul(self.weight) > LONG_WORK
    }
}

fn read(text: &Raw) -> Result<Value, Vec<Fault>> {
    let refuse = |detail: String| Err(vec![Fault::new("", detail)]);
    if text.as_str().len() > MAX_SCHEMA_BYTES {
        return refuse(format!("write at most {MAX_SCHEMA_BYTES} bytes"));
    }
    if !text.is_object() {
        return refuse("write a JSON Schema as an object".to_owned());
    }
    match domain::json::parse(text.as_str().as_bytes(), MAX_SCHEMA_DEPTH) {
        Ok(value) => Ok(value),
        Err(error) => refuse(format!(
            "{error}; nest at most {MAX_SCHEMA_DEPTH} deep, and name each member once"
        )),
    }
}

fn compile(schema: &Value) -> Result<Validator, Vec<Fault>> {
    let patterns = PatternOptions::regex()
        .size_limit(MAX_PATTERN_PROGRAM_BYTES)
        .dfa_size_limit(4 * MAX_PATTERN_PROGRAM_BYTES);
    jsonschema::draft202012::options()
        .with_pattern_options(patterns)
        .should_validate_formats(false)
        .build(schema)
        .map_err(|error| {
            let detail = "this pattern is none that is matched in linear time and bounded space: leave \
                          look-around, back-references and large repetitions out";
            match error.kind().keyword() {
                "pattern" | "format" => vec![Fault::new(error.instance_path().as_str(), detail)],
                _ => vec![tell(&error)],
            }
        })
}

/// Says what is wrong without saying the value.
fn tell(error: &ValidationError<'_>) -> Fault {
    let pointer = error.instance_path();
    Fault::new(pointer.as_str(), error.masked_with("this").to_string())
}

fn refuse_any(faults: impl Iterator<Item = Fault>) -> Result<(), Vec<Fault>> {
    let faults: Vec<Fault> = faults.take(MOST_FAULTS).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults)
}

/// How many values there are in it; long texts count for more than one.
fn values(value: &Value) -> u64 {
    let text = |text: &str| u64::try_from(text.len() / TEXT_BYTES).unwrap_or(u64::MAX);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(string) => 1 + text(string),
        Value::Array(items) => 1 + items.iter().map(values).sum::<u64>(),
        Value::Object(members) => {
            let of_member = |(name, member): (&String, &Value)| text(name) + values(member);
            1 + members.iter().map(of_member).sum::<u64>()
        }
    }
}
