//! What a request does not know is refused, wherever in a body it stands.

use super::belongings;
use super::document::{document, operations, resolved};
use super::{place, pointers};
use serde_json::{Map, Value};

const UNKNOWN: &str = "no_such_thing";
const DEEP: usize = 6;

/// Where in an example a schema takes no other members than its own, as pointers.
fn closed(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if at.matches('/').count() > DEEP {
        return;
    }
    let schema = resolved(document, schema);
    if schema["additionalProperties"] == false && value.is_object() {
        found.push(at.to_owned());
    }
    let none = Map::new();
    for (name, inside) in schema["properties"].as_object().unwrap_or(&none) {
        if let Some(value) = value.get(name) {
            closed(document, inside, value, &format!("{at}/{name}"), found);
        }
    }
    if let Some(first) = value.get(0).filter(|_| schema["items"].is_object()) {
        closed(document, &schema["items"], first, &format!("{at}/0"), found);
    }
}

#[tokio::test]
async fn a_member_that_nobody_knows_is_refused_where_it_is() {
    let app = belongings::app().await;
    let (tenant, has) = belongings::of_new_tenant(&app, "Clinic", "clinic-ke").await;
    let document = document();
    let mut refused = 0;
    for operation in operations(&document) {
        let Some(example) = place::example(&document, &operation) else {
            continue;
        };
        let path = has.path(&document, &operation);
        let path = path.unwrap_or_else(|| operation.path.clone());
        let schema = &operation.said["requestBody"]["content"]["application/json"]["schema"];
        let mut found = Vec::new();
        closed(&document, schema, &example, "", &mut found);
        assert!(!found.is_empty(), "{}", operation.name());
        for at in found {
            let mut body = example.clone();
            body.pointer_mut(&at).unwrap()[UNKNOWN] = 1.into();
            // What only the operator may do is judged for him.
            let api = if belongings::is_for_operator(&operation.path) {
                &app.operator
            } else {
                &tenant.api
            };
            let method = operation.method.to_uppercase();
            let json = [("content-type", "application/json")];
            let answer = api.request(&method, &path, &json, body.to_string()).await;
            let problem = answer.expect_problem(422, "invalid_request");
            let expected = format!("{at}/{UNKNOWN}");
            let told = pointers(&problem);
            assert!(
                told.contains(&expected.as_str()) || told.contains(&at.as_str()),
                "{} {at}: {answer}",
                operation.name()
            );
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused}");
}
