//! What is said of requests on condition, and of what is left to a tenant: of every operation that has it.

use crate::{conditional, turn};
use actix_web::http::Method;
use runtime::http::Code;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Required};

const TAG: &str = "ETag";
const LEFT: [&str; 2] = ["RateLimit-Policy", "RateLimit"];

/// Says of an operation on which conditions it may be asked for, and what it refuses for that.
pub(super) fn complete(
    method: &Method,
    path: &str,
    operation: &mut Operation,
    refuses: &mut Vec<Code>,
) {
    if turn::is_limited(method, path) {
        for name in LEFT {
            add_header(operation, name);
        }
    }
    if conditional::has_tag(method, path) {
        add_header(operation, TAG);
        let known = "Tags that you have: where one of them is still the answer's, there is no body";
        add_parameter(operation, "If-None-Match", known);
        let unchanged = ResponseBuilder::new()
            .description("It is as you have it")
            .build();
        let answers = &mut operation.responses.responses;
        answers.insert("304".to_owned(), RefOr::T(unchanged));
        add_header_to(operation, "304", TAG);
    }
    if conditional::has_version(method, path) {
        let seen = "Tags of what you have seen: what somebody has changed since is not changed \
                    again";
        add_parameter(operation, "If-Match", seen);
        refuses.push(Code::PreconditionFailed);
    }
}

fn add_parameter(operation: &mut Operation, name: &str, description: &str) {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    let parameter: Parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(RefOr::T(parameter));
}

/// Puts a header on the answers that something was done.
fn add_header(operation: &mut Operation, name: &str) {
    let statuses = operation.responses.responses.keys();
    let done = statuses.filter(|status| status.starts_with('2'));
    let done: Vec<String> = done.cloned().collect();
    for status in done {
        add_header_to(operation, &status, name);
    }
}

fn add_header_to(operation: &mut Operation, status: &str, name: &str) {
    if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
        let header = Ref::new(format!("#/components/headers/{name}"));
        answer.headers.insert(name.to_owned(), RefOr::Ref(header));
    }
}

/// What the headers say.
pub(super) fn headers() -> [(String, Header); 3] {
    let header = |name: &str, description: &str| {
        let header = HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        (name.to_owned(), header.build())
    };
    let [policy, left] = LEFT;
    [
        header(
            TAG,
            "Which answer this is, for `If-None-Match` and `If-Match`.",
        ),
        header(
            policy,
            "How many requests your tenant has in how many seconds: `\"tenant\";q=6000;w=60`. Not where there is no limit.",
        ),
        header(
            left,
            "How many are left, and in how many seconds all are there again: `\"tenant\";r=5999;t=1`.",
        ),
    ]
}
