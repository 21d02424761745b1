//! Which operations are done once under an `Idempotency-Key`, and what is said of that: all that are a POST of
//! somebody who is known by a key. One that describes the key itself also sees to it itself.

use super::parameter::IdempotencyKey;
use crate::access::scope::{self, Rule};
use actix_web::http::Method;
use runtime::http::Code;
use utoipa::IntoParams;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr};

const REPLAYED: &str = "idempotency-replayed";

/// Says of an operation that it is done once, and what it refuses for that. Whether it has to be seen to.
pub(super) fn complete(
    method: &Method,
    path: &str,
    operation: &mut Operation,
    refuses: &mut Vec<Code>,
) -> bool {
    let is_somebodys = scope::rule(method, path) != Some(Rule::Itself);
    if method != Method::POST || !is_somebodys {
        return false;
    }
    let parameters = operation.parameters.get_or_insert_default();
    let is_said = parameters.iter().any(is_key);
    if !is_said {
        let key = IdempotencyKey::into_params(|| None);
        parameters.extend(key.into_iter().map(RefOr::T));
        refuses.extend([Code::InFlight, Code::Conflict]);
    }
    refuses.push(Code::IdempotencyMismatch);
    let answers = operation.responses.responses.iter_mut();
    for (_, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
        if let RefOr::T(answer) = answer {
            let header = Ref::new(format!("#/components/headers/{REPLAYED}"));
            answer
                .headers
                .insert(REPLAYED.to_owned(), RefOr::Ref(header));
        }
    }
    !is_said
}

/// What the header of an answer that is repeated says.
pub(super) fn header() -> (String, utoipa::openapi::Header) {
    let header = HeaderBuilder::new()
        .description(Some("`true` where this answer is repeated"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    (REPLAYED.to_owned(), header)
}

fn is_key(parameter: &RefOr<Parameter>) -> bool {
    match parameter {
        RefOr::T(parameter) => {
            parameter.parameter_in == ParameterIn::Header && parameter.name == "Idempotency-Key"
        }
        RefOr::Ref(_) => false,
    }
}
