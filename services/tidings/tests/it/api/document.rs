//! The OpenAPI document: that it is the one that is kept, says everything it should, and says what is so.

use crate::app::TestApp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use testkit::Api;

/// The one operation whose form is that of its own protocol, and which refuses in its form (RFC 6749).
const TOKENS: &str = "post /v1/oauth/token";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// What no tenant has.
pub(super) const NOTHING: &str = "00000000000000000000000000";

/// The document of this build.
pub(super) fn document() -> Value {
    serde_json::from_str(&subscriptions::document()).unwrap()
}

/// An operation, and where it is.
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) method: &'static str,
    pub(super) said: Value,
}

pub(super) fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS
            .into_iter()
            .filter(|method| item[method].is_object())
        {
            operations.push(Operation {
                path: path.clone(),
                method,
                said: item[method].clone(),
            });
        }
    }
    operations
}

impl Operation {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn parameters(&self) -> Vec<&Value> {
        let parameters = self.said["parameters"].as_array();
        parameters
            .map(|all| all.iter().collect())
            .unwrap_or_default()
    }

    /// The path with ids that nothing has.
    fn path_of_nothing(&self, document: &Value) -> String {
        let mut path = self.path.clone();
        for parameter in self.parameters() {
            let name = parameter["name"].as_str().unwrap();
            if parameter["in"] != "path" {
                continue;
            }
            let schema = resolved(document, &parameter["schema"]);
            let example = schema["examples"][0].as_str();
            let filled = example.map_or_else(
                || "none".to_owned(),
                |example| format!("{}_{NOTHING}", example.split_once('_').unwrap().0),
            );
            path = path.replace(&format!("{{{name}}}"), &filled);
        }
        assert!(
            !path.contains('{'),
            "{path} has a parameter that is not described"
        );
        path
    }

    fn names_in(&self, place: &str) -> BTreeSet<&str> {
        let parameters = self.parameters().into_iter();
        parameters
            .filter(|parameter| parameter["in"] == place)
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect()
    }
}

/// What a reference leads to; anything else is itself.
pub(super) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let found = document.pointer(reference.strip_prefix('#').unwrap());
    found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// Every resource, with ids that nothing has, and the methods it takes, as the document has them: what is
/// served and what is described are one list.
pub(super) fn resources() -> Vec<(String, String)> {
    resources_with(|_| true)
}

/// Those that ask for a key.
pub(super) fn resources_with_a_key() -> Vec<(String, String)> {
    resources_with(|operation| operation.said["security"] != json!([]))
}

fn resources_with(is_wanted: impl Fn(&Operation) -> bool) -> Vec<(String, String)> {
    let document = document();
    let mut resources: Vec<(String, Vec<String>)> = Vec::new();
    for operation in operations(&document).into_iter().filter(is_wanted) {
        let path = operation.path_of_nothing(&document);
        let method = operation.method.to_uppercase();
        match resources.iter_mut().find(|(known, _)| *known == path) {
            Some((_, methods)) => methods.push(method),
            None => resources.push((path, vec![method])),
        }
    }
    let joined = resources
        .into_iter()
        .map(|(path, methods)| (path, methods.join(", ")));
    joined.collect()
}

#[test]
fn the_document_that_is_kept_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == subscriptions::document(),
        "docs/openapi.json is not that of this build: run `tidings openapi > docs/openapi.json`"
    );
}

#[test]
fn the_document_is_openapi_3_1_of_this_version() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        document["components"]["securitySchemes"]["key"]["scheme"],
        "bearer"
    );
    assert!(operations(&document).len() > 40, "{document}");
}

/// A client finds out by itself where its tokens are, and with which scopes to ask for one.
#[test]
fn what_needs_a_scope_takes_a_token_with_that_scope() {
    let document = document();
    let scheme = &document["components"]["securitySchemes"]["oauth2"];
    let flow = &scheme["flows"]["clientCredentials"];
    assert_eq!(scheme["type"], "oauth2");
    let tokens = TOKENS.split(' ').next_back().unwrap();
    assert_eq!(flow["tokenUrl"], tokens);
    assert!(document["paths"][tokens]["post"].is_object());
    let mut needed = BTreeSet::new();
    let all = operations(&document);
    for operation in &all {
        let scope = &operation.said["x-tidings-scope"];
        if let Some(scope) = scope.as_str() {
            let either = json!([{ "key": [] }, { "oauth2": [scope] }]);
            assert_eq!(operation.said["security"], either, "{}", operation.name());
            needed.insert(scope);
        }
    }
    let told: BTreeSet<&str> = flow["scopes"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(told, needed);
}

#[test]
fn every_operation_is_explained_with_an_example_and_with_what_it_refuses() {
    let document = document();
    let mut ids = BTreeSet::new();
    let tags = document["tags"].as_array().unwrap().iter();
    let tags: BTreeSet<_> = tags.map(|tag| tag["name"].to_string()).collect();
    for operation in operations(&document) {
        let (name, said) = (operation.name(), &operation.said);
        for text in ["summary", "description", "operationId"] {
            let is_said = said[text].as_str().is_some_and(|text| !text.is_empty());
            assert!(is_said, "{name} has no {text}");
        }
        assert!(
            ids.insert(said["operationId"].to_string()),
            "{name}: {}",
            said["operationId"]
        );
        assert!(
            tags.contains(&said["tags"][0].to_string()),
            "{name}: {}",
            said["tags"]
        );
        if let Some(body) = said["requestBody"].as_object() {
            let kind = if name == TOKENS {
                "application/x-www-form-urlencoded"
            } else {
                "application/json"
            };
            let content = &body["content"][kind];
            assert!(
                has_example(&document, content),
                "{name}: its body has no example"
            );
        }
        let answers = said["responses"].as_object().unwrap();
        for (status, answer) in answers {
            let answer = resolved(&document, answer);
            assert_answer(&document, &format!("{name} {status}"), status, answer);
        }
        for kind in ["2", "4", "5"] {
            let has_one = answers.keys().any(|status| status.starts_with(kind));
            assert!(has_one, "{name} has no answer {kind}xx");
        }
    }
}

/// The document and the page that shows it are for everybody, and ask nothing of any other host.
#[tokio::test]
async fn the_document_is_served_without_a_key_and_only_once_to_who_has_it() {
    let app = TestApp::start().await;
    let anonymous = Api::anonymous(app.operator.base_url());
    let served = anonymous.get("/openapi.json").await;
    assert_eq!(
        (served.status, &served.text),
        (200, &subscriptions::document())
    );
    assert_eq!(served.header("content-type"), Some("application/json"));
    let etag = served.header("etag").unwrap();
    let known = [("if-none-match", etag)];
    let again = anonymous.request("GET", "/openapi.json", &known, []).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(etag));
    let other = [("if-none-match", "\"another\"")];
    let other = anonymous.request("GET", "/openapi.json", &other, []).await;
    assert_eq!(other.status, 200);
    let refused = anonymous.request("POST", "/openapi.json", &[], []).await;
    refused.expect_problem(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET"));
}

#[tokio::test]
async fn the_page_that_shows_the_document_needs_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let anonymous = Api::anonymous(app.operator.base_url());
    let page = anonymous.get("/docs").await;
    assert_eq!(page.status, 200, "{page}");
    let mut sources = vec!["/docs"];
    for quoted in page.text.split('"').filter(|text| text.starts_with('/')) {
        sources.push(quoted);
    }
    assert!(sources.len() >= 4, "{page}");
    for source in sources {
        let asset = anonymous.get(source).await;
        assert_eq!(asset.status, 200, "{source}");
        assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
        let policy = asset.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        if source.starts_with("/docs") {
            // What the policy forbids would not work: no other host, and nothing inline.
            for forbidden in [
                "http:",
                "https:",
                "//cdn",
                "style=",
                "onclick=",
                "javascript:",
                "eval(",
            ] {
                assert!(!asset.text.contains(forbidden), "{source} has {forbidden}");
            }
        }
    }
}

#[track_caller]
fn assert_answer(document: &Value, name: &str, status: &str, answer: &Value) {
    assert_ne!(answer["description"], "", "{name}");
    assert!(answer["headers"]["x-request-id"].is_object(), "{name}");
    let content = answer["content"].as_object();
    match status {
        "204" | "304" => assert!(content.is_none(), "{name} has a body"),
        _ if status.starts_with('2') => {
            let content = &content.unwrap()["application/json"];
            assert!(has_example(document, content), "{name} has no example");
        }
        _ => {
            let is_of_protocol = name.starts_with(TOKENS) && ["400", "401"].contains(&status);
            let kind = if is_of_protocol {
                "application/json"
            } else {
                "application/problem+json"
            };
            let content = &content.unwrap()[kind];
            assert!(has_example(document, content), "{name} has no example");
        }
    }
    if ["429", "503"].contains(&status) {
        assert!(answer["headers"]["Retry-After"].is_object(), "{name}");
    }
}

fn has_example(document: &Value, content: &Value) -> bool {
    let schema = resolved(document, &content["schema"]);
    !content["example"].is_null()
        || schema["examples"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
}

#[test]
fn what_a_request_does_not_know_is_refused_by_its_schema_too() {
    let document = document();
    for operation in operations(&document) {
        let schema = &operation.said["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            let schema = resolved(&document, schema);
            assert_eq!(
                schema["additionalProperties"],
                false,
                "{}",
                operation.name()
            );
        }
    }
}

#[test]
fn every_field_of_every_schema_is_described_and_every_reference_leads_somewhere() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(is_described(&document, schema), "{name} is not described");
        for (field, schema) in fields(schema) {
            assert!(
                is_described(&document, schema),
                "{name}.{field} is not described"
            );
        }
    }
    follow(&document, &document);
}

/// The fields of an object, and of the variants that it may be.
fn fields(schema: &Value) -> BTreeMap<&str, &Value> {
    let mut fields = BTreeMap::new();
    let own = schema["properties"].as_object().into_iter().flatten();
    fields.extend(own.map(|(name, schema)| (name.as_str(), schema)));
    for kind in ["oneOf", "allOf", "anyOf"] {
        for inside in schema[kind].as_array().into_iter().flatten() {
            fields.extend(self::fields(inside));
        }
    }
    fields
}

fn is_described(document: &Value, schema: &Value) -> bool {
    let says = |schema: &Value| {
        schema["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    };
    let is_constant = schema["enum"]
        .as_array()
        .is_some_and(|words| words.len() == 1);
    let inside = |kind: &str| {
        let all = schema[kind].as_array();
        all.is_some_and(|all| all.iter().any(|schema| is_described(document, schema)))
    };
    says(schema)
        || is_constant
        || says(resolved(document, schema))
        || inside("oneOf")
        || inside("allOf")
}

fn follow(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            follow_reference(document, members);
            members.values().for_each(|inside| follow(document, inside));
        }
        Value::Array(items) => items.iter().for_each(|inside| follow(document, inside)),
        _ => {}
    }
}

fn follow_reference(document: &Value, members: &Map<String, Value>) {
    if let Some(Value::String(reference)) = members.get("$ref") {
        let found = document.pointer(reference.strip_prefix('#').unwrap());
        assert!(found.is_some(), "{reference} leads nowhere");
    }
}

/// An unknown parameter is refused with the names of the known ones.
#[tokio::test]
async fn the_parameters_of_a_query_are_those_that_are_taken() {
    const TAKES: &str = "the query may hold ";
    let app = TestApp::start().await;
    let document = document();
    let json = [("content-type", "application/json")];
    for operation in operations(&document) {
        let path = operation.path_of_nothing(&document);
        let described = operation.names_in("query");
        let method = operation.method.to_uppercase();
        let answer = app
            .operator
            .request(&method, &format!("{path}?no_such_thing=1"), &json, "{}")
            .await;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        let taken: BTreeSet<&str> = detail
            .strip_prefix(TAKES)
            .map(|names| {
                names
                    .split(", ")
                    .filter(|name| *name != "nothing")
                    .collect()
            })
            .unwrap_or_default();
        assert_eq!(described, taken, "{}: {answer}", operation.name());
    }
}
