//! Where a request may name what somebody has.

use super::document::{Operation, resolved};
use serde_json::{Map, Value, json};

/// Members and parameters that name an account by its slug.
const ACCOUNT: [&str; 2] = ["account", "provider_account"];
const DEEP: usize = 6;

/// A member of a body, or a parameter of a query.
#[derive(Debug)]
pub(super) struct Place {
    /// The names on the way to it; nothing is an element of a list.
    pub(super) steps: Vec<String>,
    /// What it names: the prefix of an id, or `account`.
    pub(super) kind: String,
}

impl Place {
    /// The example with this value here.
    pub(super) fn filled(&self, example: Option<&Value>, value: &str) -> Value {
        let mut body = example.cloned().unwrap_or_else(|| json!({}));
        let mut at = &mut body;
        for step in &self.steps {
            at = if step.is_empty() {
                *at = json!([null]);
                &mut at[0]
            } else {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                &mut at[step.as_str()]
            };
        }
        *at = value.into();
        body
    }
}

/// What an operation is asked with.
pub(super) fn example(document: &Value, operation: &Operation) -> Option<Value> {
    let content = &operation.said["requestBody"]["content"]["application/json"];
    let schema = resolved(document, &content["schema"]);
    schema["examples"].as_array().map(|all| all[0].clone())
}

pub(super) fn of_body(document: &Value, operation: &Operation) -> Vec<Place> {
    let content = &operation.said["requestBody"]["content"]["application/json"];
    let mut places = Vec::new();
    find(document, &content["schema"], &mut Vec::new(), &mut places);
    places
}

pub(super) fn of_query(document: &Value, operation: &Operation) -> Vec<Place> {
    let parameters = operation.parameters().into_iter();
    let of_query = parameters.filter(|parameter| parameter["in"] == "query");
    let place = |parameter: &Value| {
        let name = parameter["name"].as_str().unwrap().to_owned();
        let schema = resolved(document, &parameter["schema"]);
        kind(&name, schema).map(|kind| Place {
            steps: vec![name],
            kind,
        })
    };
    of_query.filter_map(place).collect()
}

fn kind(name: &str, schema: &Value) -> Option<String> {
    if ACCOUNT.contains(&name) {
        return Some("account".to_owned());
    }
    let (prefix, rest) = schema["examples"][0].as_str()?.split_once('_')?;
    (rest.len() == 26 && prefix.len() <= 3).then(|| prefix.to_owned())
}

fn find(document: &Value, schema: &Value, steps: &mut Vec<String>, places: &mut Vec<Place>) {
    if steps.len() > DEEP {
        return;
    }
    let schema = resolved(document, schema);
    let name = steps.last().map_or("", String::as_str);
    if let Some(kind) = kind(name, schema) {
        places.push(Place {
            steps: steps.clone(),
            kind,
        });
        return;
    }
    for (name, inside) in schema["properties"].as_object().into_iter().flatten() {
        steps.push(name.clone());
        find(document, inside, steps, places);
        steps.pop();
    }
    if schema["items"].is_object() {
        steps.push(String::new());
        find(document, &schema["items"], steps, places);
        steps.pop();
    }
    for variants in ["oneOf", "anyOf", "allOf"] {
        for inside in schema[variants].as_array().into_iter().flatten() {
            find(document, inside, steps, places);
        }
    }
}
