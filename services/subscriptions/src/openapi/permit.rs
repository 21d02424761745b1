//! Who may ask for an operation, said from the table that decides it: the one cannot differ from the other.

use super::authority;
use crate::access::scope::{self, Rule};
use actix_web::http::Method;
use runtime::http::Code;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;

/// Where an operation has the name of the scope that it needs.
const EXTENSION: &str = "x-tidings-scope";

/// Says who may ask for an operation, and returns how those are refused who may not.
pub(super) fn complete(method: &Method, path: &str, operation: &mut Operation) -> Vec<Code> {
    let (said, refuses) = match scope::rule(method, path) {
        Some(Rule::Needs(scope)) => {
            let name = scope.as_str();
            operation.security = Some(authority::either(&[scope]));
            let extension = ExtensionsBuilder::new().add(EXTENSION, name).build();
            operation
                .extensions
                .get_or_insert_default()
                .merge(extension);
            (
                format!("Needs the scope `{name}`."),
                vec![Code::Unauthorized, Code::Forbidden],
            )
        }
        Some(Rule::Operator) => (
            "For the operator's admin key alone.".to_owned(),
            vec![Code::Unauthorized, Code::Forbidden],
        ),
        Some(Rule::Anyone) => {
            operation.security = Some(authority::either(&[]));
            (
                "Any valid key or token will do, that of a suspended tenant too.".to_owned(),
                vec![Code::Unauthorized],
            )
        }
        Some(Rule::Itself) => {
            operation.security = Some(Vec::new());
            return Vec::new();
        }
        // Nobody may: a test says which.
        None => return vec![Code::Unauthorized, Code::Forbidden],
    };
    let description = operation.description.get_or_insert_default();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str(&said);
    refuses
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_described_is_what_has_a_rule() {
        let described: BTreeSet<_> = operations()
            .map(|(method, path, _)| (method, path))
            .collect();
        let ruled = scope::TABLE
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
        assert_eq!(described, ruled.collect());
    }

    #[test]
    fn an_operation_says_which_scope_it_needs_and_that_it_is_refused_without() {
        for (method, path, operation) in operations() {
            let rule = scope::rule(&method.parse().unwrap(), &path);
            let needs = match rule {
                Some(Rule::Needs(scope)) => Value::from(scope.as_str()),
                _ => Value::Null,
            };
            assert_eq!(operation[EXTENSION], needs, "{method} {path}");
            let forbids = matches!(rule, Some(Rule::Needs(_) | Rule::Operator));
            let is_said = !operation["responses"]["403"].is_null();
            assert_eq!(is_said, forbids, "{method} {path}");
            let asks_no_key = operation["security"] == Value::Array(Vec::new());
            assert_eq!(asks_no_key, rule == Some(Rule::Itself), "{method} {path}");
        }
    }

    fn operations() -> impl Iterator<Item = (String, String, Value)> {
        let document: Value = serde_json::from_str(&crate::document()).unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        paths.into_iter().flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().clone();
            operations
                .into_iter()
                .map(move |(method, said)| (method.to_uppercase(), path.clone(), said))
        })
    }
}
