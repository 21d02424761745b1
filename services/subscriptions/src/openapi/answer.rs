//! Which problems an operation may answer, and what is on every answer.

use runtime::http::Code;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr};

const PROBLEM: &str = "Problem";
const MEDIA_TYPE: &str = "application/problem+json";
const FORM: &str = "application/x-www-form-urlencoded";
const REQUEST_ID: &str = "x-request-id";
const RETRY_AFTER: &str = "Retry-After";
const CHALLENGE: &str = "WWW-Authenticate";
const ALLOW: &str = "Allow";

/// Says of an operation what it may refuse, and what is on all its answers. The refusals are the same for many
/// operations: they are put aside, by their names, for the document to have them once.
pub(super) fn complete(
    operation: &mut Operation,
    refuses: &[Code],
) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in usual(operation).into_iter().chain(refuses.iter().copied()) {
        let codes = by_status.entry(code.status().as_u16()).or_default();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            add_header(response, REQUEST_ID);
        }
    }
    let mut aside = BTreeMap::new();
    for (status, codes) in by_status {
        let names = codes.iter().map(|code| format!("{code:?}"));
        let name = names.collect::<Vec<_>>().join("_");
        let reference = Ref::new(format!("#/components/responses/{name}"));
        responses
            .entry(status.to_string())
            .or_insert_with(|| reference.into());
        aside.insert(name, problem(status, &codes).into());
    }
    aside
}

fn add_header(response: &mut Response, name: &str) {
    let header = Ref::new(format!("#/components/headers/{name}"));
    response.headers.insert(name.to_owned(), RefOr::Ref(header));
}

/// What any operation with these parameters and such a body may refuse.
fn usual(operation: &Operation) -> Vec<Code> {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let of = |parameter: &'_ RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => Some((parameter.parameter_in.clone(), parameter.name.clone())),
        RefOr::Ref(_) => None,
    };
    let named: Vec<(ParameterIn, String)> = parameters.iter().filter_map(of).collect();
    let asks = |name: &str| {
        let is_it =
            |(place, known): &(ParameterIn, String)| *place == ParameterIn::Query && known == name;
        named.iter().any(is_it)
    };
    let has = |wanted: ParameterIn| named.iter().any(|(place, _)| *place == wanted);
    // Whoever showed too many wrong keys is told to wait before anything else.
    let mut codes = vec![Code::InternalError, Code::Unavailable, Code::RateLimited];
    if let Some(body) = &operation.request_body {
        codes.extend([
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
        ]);
        let is_form = matches!(body, RefOr::T(body) if body.content.contains_key(FORM));
        if !is_form {
            codes.extend([Code::MalformedJson, Code::InvalidRequest]);
        }
    }
    let has_key = |(place, name): &(ParameterIn, String)| {
        *place == ParameterIn::Header && name == "Idempotency-Key"
    };
    if has(ParameterIn::Query) || named.iter().any(has_key) {
        codes.push(Code::InvalidRequest);
    }
    if asks("cursor") {
        codes.push(Code::InvalidCursor);
    }
    if asks("tenant") {
        codes.extend([Code::Forbidden, Code::NotFound]);
    }
    if has(ParameterIn::Path) {
        codes.push(Code::NotFound);
    }
    codes
}

fn problem(status: u16, codes: &[Code]) -> Response {
    let said = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.title()));
    let said: Vec<String> = said.collect();
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let this = ObjectBuilder::new()
        .property(
            "status",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .enum_values(Some([status])),
        )
        .property(
            "code",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(names)),
        );
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name(PROBLEM))
        .item(this);
    let content = ContentBuilder::new()
        .schema(Some(Schema::AllOf(schema.build())))
        .example(codes.first().copied().map(example))
        .build();
    let mut response = ResponseBuilder::new()
        .description(said.join("; "))
        .content(MEDIA_TYPE, content)
        .build();
    let header = match status {
        401 => Some(CHALLENGE),
        429 | 503 => Some(RETRY_AFTER),
        _ => None,
    };
    for name in header.into_iter().chain([REQUEST_ID]) {
        add_header(&mut response, name);
    }
    response
}

fn example(code: Code) -> Value {
    json!({
        "type": code.uri(),
        "title": code.title(),
        "status": code.status().as_u16(),
        "code": code.as_str(),
        "detail": code.title(),
        "errors": [],
    })
}

/// Describes problems, the headers of answers, and the answer to a method that an address does not take.
pub(super) fn describe(components: &mut Components) {
    let text = |description: &str| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(description))
    };
    let fault = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "pointer",
            text("Where the fault is: a JSON Pointer (RFC 6901) into the body, or `/name` of a parameter"),
        )
        .required("pointer")
        .property("detail", text("What is wrong there, and what to write instead"))
        .required("detail");
    let statuses: BTreeSet<u16> = Code::ALL
        .iter()
        .map(|code| code.status().as_u16())
        .collect();
    let problem = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "What went wrong (RFC 9457). Some have members of their own.",
        ))
        .property("type", text("A URN that ends in the code"))
        .required("type")
        .property("title", text("The same for every problem of this code"))
        .required("title")
        .property(
            "status",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .description(Some("The status of the answer"))
                .enum_values(Some(statuses)),
        )
        .required("status")
        .property(
            "code",
            text("What went wrong, for programs. Stable.")
                .enum_values(Some(Code::ALL.map(Code::as_str))),
        )
        .required("code")
        .property(
            "detail",
            text("What is wrong this time and what to do, for people"),
        )
        .required("detail")
        .property("instance", text("The path of the request"))
        .property(
            "errors",
            ArrayBuilder::new()
                .items(fault)
                .description(Some("Where the faults are, where that can be said")),
        )
        .required("errors")
        .examples([example(Code::InvalidRequest)])
        .build();
    components
        .schemas
        .insert(PROBLEM.to_owned(), RefOr::T(problem.into()));
    for (name, description, kind) in [
        (
            REQUEST_ID,
            "The id of this request: your own, or a fresh one. Tell it when you ask for help.",
            Type::String,
        ),
        (
            RETRY_AFTER,
            "After how many seconds to try again.",
            Type::Integer,
        ),
        (CHALLENGE, "How to authenticate: `Bearer`.", Type::String),
        (
            ALLOW,
            "The methods that this address takes, like `GET, POST`.",
            Type::String,
        ),
    ] {
        let header = HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(kind)));
        components
            .headers
            .insert(name.to_owned(), RefOr::T(header.build()));
    }
    let known = super::condition::headers().into_iter();
    for (name, header) in known.chain([super::named::header()]) {
        components.headers.insert(name, RefOr::T(header));
    }
    components.responses.insert(
        "MethodNotAllowed".to_owned(),
        RefOr::T(method_not_allowed()),
    );
}

/// What any address answers to a method that it does not take.
fn method_not_allowed() -> Response {
    let mut response = problem(405, &[Code::MethodNotAllowed]);
    add_header(&mut response, ALLOW);
    response
}
