//! Problem details for HTTP APIs, RFC 9457.

use super::Code;
use actix_web::body::BoxBody;
use actix_web::http::header::{self, ContentType, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

/// The content type of a problem.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
/// When nobody said better, in seconds.
const RETRY_UNAVAILABLE: u64 = 5;

/// An answer that says what is wrong: `type, title, status, code, detail, instance, errors`.
///
/// It is an error and an answer: a handler returns it either way. `instance` is the request's path, filled in by
/// the listener where that is told ([`Listener::tells_path`](super::Listener)).
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

/// Boxed, so that a result which is nearly always `Ok` stays small.
#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    detail: String,
    errors: Vec<Fault>,
    members: Map<String, Value>,
    retry_after: Option<u64>,
    allow: Option<HeaderValue>,
    challenge: Option<HeaderValue>,
}

/// One fault in the request's body.
#[derive(Clone, Debug, Serialize)]
struct Fault {
    pointer: String,
    detail: String,
}

/// As it is written.
#[derive(Serialize)]
struct View<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: Code,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    errors: &'a [Fault],
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl Problem {
    /// A problem; `detail` says in a sentence what is wrong this time and what to do, without secrets.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            retry_after: (code == Code::Unavailable).then_some(RETRY_UNAVAILABLE),
            allow: None,
            challenge: None,
        }))
    }

    /// Names a fault and where it is: a JSON Pointer (RFC 6901) into the body, `/events/0`.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.0.errors.push(Fault {
            pointer: pointer.into(),
            detail: detail.into(),
        });
        self
    }

    /// The same about what is at `pointer` of something larger: every fault is further inside.
    #[must_use]
    pub fn inside(mut self, pointer: &str) -> Self {
        for fault in &mut self.0.errors {
            fault.pointer.insert_str(0, pointer);
        }
        self
    }

    /// As it is written where it is no answer of its own.
    pub fn to_json(&self) -> String {
        self.body(None)
    }

    /// Whether it is no fault of who asked.
    pub fn is_ours(&self) -> bool {
        self.status() >= 500
    }

    /// Its HTTP status.
    pub fn status(&self) -> u16 {
        self.0.code.status().as_u16()
    }

    /// Adds a member of its own, such as `existing_id`.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// Sets `Retry-After`, in seconds. A 503 has 5 s unless told otherwise.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Sets `Allow`, which a 405 must have.
    #[must_use]
    pub fn allow(mut self, methods: &[Method]) -> Self {
        let names: Vec<_> = methods.iter().map(Method::as_str).collect();
        self.0.allow = HeaderValue::try_from(names.join(", ")).ok();
        self
    }

    /// Sets `WWW-Authenticate`, such as `Bearer`.
    #[must_use]
    pub fn challenge(mut self, scheme: &'static str) -> Self {
        self.0.challenge = Some(HeaderValue::from_static(scheme));
        self
    }

    /// What it is, for programs.
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// What it is, for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(super) fn for_status(status: StatusCode) -> Self {
        let code = Code::for_status(status);
        Self::new(code, code.title())
    }

    /// Writes itself into `response`, whose other headers stay.
    pub(super) fn write(
        &self,
        mut response: HttpResponse<BoxBody>,
        instance: Option<&str>,
    ) -> HttpResponse<BoxBody> {
        *response.status_mut() = self.0.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = &self.0.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        if let Some(challenge) = &self.0.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        response.set_body(BoxBody::new(self.body(instance)))
    }

    fn body(&self, instance: Option<&str>) -> String {
        // Strings, numbers and JSON values only: there is nothing in it that cannot be written.
        serde_json::to_string(&self.view(instance)).unwrap_or_default()
    }

    fn view<'a>(&'a self, instance: Option<&'a str>) -> View<'a> {
        View {
            r#type: self.0.code.uri(),
            title: self.0.code.title(),
            status: self.0.code.status().as_u16(),
            code: self.0.code,
            detail: &self.0.detail,
            instance,
            errors: &self.0.errors,
            members: &self.0.members,
        }
    }
}

/// As a part of an answer about many things: without an instance, for it is not the answer.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view(None).serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.write(HttpResponse::new(self.0.code.status()), None);
        // For the listener, which writes it again where it tells the path.
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        self.error_response()
    }
}

/// Whether an answer already has a body that programs read.
pub(super) fn is_json(response: &HttpResponse<BoxBody>) -> bool {
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        value.starts_with(ContentType::json().essence_str()) || value.contains("+json")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(problem: &Problem, instance: Option<&str>) -> Value {
        serde_json::from_str(&problem.body(instance)).unwrap()
    }

    #[test]
    fn a_problem_has_the_members_of_the_contract() {
        let problem = Problem::new(Code::InvalidRequest, "2 fields are wrong")
            .at("/url", "must be http or https")
            .at("/events", "must not be empty");
        assert_eq!(
            body(&problem, Some("/v1/webhooks")),
            json!({
                "type": "urn:tidings:problem:invalid_request",
                "title": "The request is not valid",
                "status": 422,
                "code": "invalid_request",
                "detail": "2 fields are wrong",
                "instance": "/v1/webhooks",
                "errors": [
                    {"pointer": "/url", "detail": "must be http or https"},
                    {"pointer": "/events", "detail": "must not be empty"},
                ],
            })
        );
    }

    #[test]
    fn a_problem_of_a_part_says_where_in_the_whole_it_is() {
        let problem = Problem::new(Code::InvalidRequest, "no").at("/data", "write an object");
        let whole: Value = serde_json::from_str(&problem.inside("/events/7").to_json()).unwrap();
        assert_eq!(whole["errors"][0]["pointer"], "/events/7/data");
    }

    #[test]
    fn a_problem_may_have_members_of_its_own() {
        let problem = Problem::new(Code::Conflict, "it is there").with("existing_id", "msg_01");
        let body = body(&problem, None);
        assert_eq!(body["existing_id"], "msg_01");
        assert!(body.get("instance").is_none());
    }

    #[test]
    fn headers_follow_the_code_and_what_was_said() {
        let header = |problem: Problem, name| {
            problem
                .error_response()
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let unavailable = || Problem::new(Code::Unavailable, "the journal is full");
        assert_eq!(header(unavailable(), header::RETRY_AFTER).unwrap(), "5");
        assert_eq!(
            header(unavailable().retry_after(30), header::RETRY_AFTER).unwrap(),
            "30"
        );
        let refused = Problem::new(Code::MethodNotAllowed, "no").allow(&[Method::GET, Method::PUT]);
        assert_eq!(header(refused, header::ALLOW).unwrap(), "GET, PUT");
        let unknown = Problem::new(Code::Unauthorized, "no key").challenge("Bearer");
        assert_eq!(
            header(unknown.clone(), header::WWW_AUTHENTICATE).unwrap(),
            "Bearer"
        );
        assert_eq!(
            header(unknown, header::CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
    }
}
