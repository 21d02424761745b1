//! Reading bodies strictly, and saying where they are wrong.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use domain::account::Environment;
use domain::json;
use runtime::http::{Code, Problem, read_body};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use std::time::Duration;

/// What bodies are, unless they are something particular.
const JSON: &str = "application/json";
/// The largest body of a request, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long a body may take to arrive.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// The longest free text, in characters.
pub(crate) const MAX_TEXT_CHARS: usize = 128;
/// The largest metadata object, in bytes, and how deep it may be nested.
const MAX_METADATA_BYTES: usize = 16 * 1024;
const MAX_METADATA_DEPTH: usize = 8;
/// The longest reason told, in bytes.
const MAX_REASON_BYTES: usize = 512;

/// Reads a JSON body: its bytes, and what they say.
pub(crate) async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<(Bytes, T), Problem> {
    read_as(request, payload, &[JSON]).await
}

/// The same of a body of one of these content types.
pub(crate) async fn read_as<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    types: &[&str],
) -> Result<(Bytes, T), Problem> {
    refuse_other_types(request, types)?;
    let bytes = read_body(payload, MAX_BODY_BYTES, DEADLINE).await?;
    let value = understand(&bytes)?;
    Ok((bytes, value))
}

/// What a body says.
pub(crate) fn understand<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    json::check(bytes, json::MAX_DEPTH)
        .map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    parse(bytes)
}

fn refuse_other_types(request: &HttpRequest, types: &[&str]) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::UnsupportedMediaType, detail));
    if request.headers().contains_key(CONTENT_ENCODING) {
        return refuse("send the body as it is, without Content-Encoding".to_owned());
    }
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
    let is_taken = |essence: &str| types.iter().any(|it| essence.eq_ignore_ascii_case(it));
    if !essence.is_some_and(is_taken) {
        return refuse(format!("send Content-Type: {}", types.join(" or ")));
    }
    Ok(())
}

/// What JSON says that was checked.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| refuse(&error))
}

/// Reads what was JSON in a body, or was made of one.
pub(crate) fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| refuse(&error))
}

fn refuse(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let detail = reason(&error.inner().to_string());
    let mut pointer = pointer(error.path());
    // The path of a missing member ends at the object that lacks it.
    if let Some(name) = missing(&detail) {
        pointer = format!("{pointer}/{name}");
    }
    invalid(pointer, detail)
}

/// A 422 with one fault.
pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    Problem::new(Code::InvalidRequest, detail.clone()).at(pointer, detail)
}

/// Collects faults, so that one answer tells them all.
#[derive(Default)]
pub(crate) struct Faults(Vec<(String, String)>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push((pointer.into(), detail.into()));
    }

    /// A text of at most [`MAX_TEXT_CHARS`] characters without control characters.
    pub(crate) fn check_text(&mut self, pointer: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        if text.is_empty() || text.chars().count() > MAX_TEXT_CHARS {
            self.add(pointer, format!("write 1 to {MAX_TEXT_CHARS} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(pointer, "leave control characters out");
        }
    }

    /// An object of at most 16 KiB, nested at most 8 deep.
    pub(crate) fn check_metadata(&mut self, pointer: &str, metadata: Option<&json::Raw>) {
        let Some(metadata) = metadata else { return };
        if !metadata.is_object() {
            self.add(pointer, "write a JSON object");
        } else if metadata.as_str().len() > MAX_METADATA_BYTES {
            self.add(pointer, format!("write at most {MAX_METADATA_BYTES} bytes"));
        } else if metadata.check(MAX_METADATA_DEPTH).is_err() {
            self.add(
                pointer,
                format!("nest objects and lists at most {MAX_METADATA_DEPTH} deep"),
            );
        }
    }

    /// An environment; where none is named, this one.
    pub(crate) fn read_environment(
        &mut self,
        text: Option<&str>,
        otherwise: Environment,
    ) -> Environment {
        match text.map(str::parse) {
            None => otherwise,
            Some(Ok(environment)) => environment,
            Some(Err(error)) => {
                self.add("/environment", format!("{error}"));
                otherwise
            }
        }
    }

    /// All faults as one answer, unless there are none.
    pub(crate) fn unless_any(self) -> Result<(), Problem> {
        let Some((_, first)) = self.0.first() else {
            return Ok(());
        };
        let problem = Problem::new(Code::InvalidRequest, first.clone());
        Err(self
            .0
            .into_iter()
            .fold(problem, |problem, (at, detail)| problem.at(at, detail)))
    }
}

/// Takes a member that is there, null included: so that a null is refused where a value is needed.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// As RFC 6901 §3 wants it.
pub(crate) fn escaped(key: &str) -> String {
    domain::text::cut(key, 128)
        .replace('~', "~0")
        .replace('/', "~1")
}

/// What serde says, without the place in the text, which the pointer tells better, and without more
/// than enough of what the request says itself.
fn reason(said: &str) -> String {
    let said = said.split(" at line ").next().unwrap_or(said);
    domain::text::cut(said, MAX_REASON_BYTES).to_owned()
}

/// The name of a member that the request lacks.
fn missing(detail: &str) -> Option<&str> {
    detail.strip_prefix("missing field `")?.strip_suffix('`')
}
