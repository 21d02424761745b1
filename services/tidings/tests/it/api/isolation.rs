//! No tenant sees or touches what is another's. Every operation of the document is asked with another
//! tenant's ids, in its path, its query and its body, and says what it says of ids that nothing has.

use super::belongings::{self, Belongings};
use super::document::{Operation, document, operations};
use super::{place, said};
use crate::app::Tenant;
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::Answer;

const JSON: (&str, &str) = ("content-type", "application/json");
/// What the clock alone changes.
const OF_TIME: [&str; 1] = ["last_used_at"];

/// What differs between any two answers is left out.
fn told(answer: &Answer) -> (u16, Value, BTreeMap<&str, &str>) {
    let own = ["x-request-id", "date", "content-length", "ratelimit"];
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    let body = if answer.body.is_object() {
        said(&answer.body)
    } else {
        answer.body.clone()
    };
    (answer.status, body, headers.collect())
}

async fn ask(tenant: &Tenant, operation: &Operation, path: &str, body: Option<Value>) -> Answer {
    let method = operation.method.to_uppercase();
    let headers: &[_] = if body.is_some() { &[JSON] } else { &[] };
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    tenant.api.request(&method, path, headers, body).await
}

#[tokio::test]
async fn an_id_in_a_path_that_is_another_tenants_is_one_that_nothing_has() {
    let app = belongings::app().await;
    let (owner, theirs) = belongings::of_new_tenant(&app, "Owner", "owner").await;
    let (stranger, own) = belongings::of_new_tenant(&app, "Stranger", "clinic-ke").await;
    let document = document();
    let before = seen(&owner, &theirs, &document).await;
    let mut asked = 0;
    for operation in operations(&document) {
        let Some(path) = theirs.path(&document, &operation) else {
            continue;
        };
        let body = place::example(&document, &operation);
        let nothing = Belongings::nothing(&own);
        let unknown = nothing.path(&document, &operation).unwrap();
        let answer = ask(&stranger, &operation, &path, body.clone()).await;
        let of_nothing = ask(&stranger, &operation, &unknown, body).await;
        assert_eq!(told(&answer), told(&of_nothing), "{}", operation.name());
        let expected = if belongings::is_for_operator(&operation.path) {
            403
        } else {
            404
        };
        assert_eq!(answer.status, expected, "{}: {answer}", operation.name());
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    assert_eq!(before, seen(&owner, &theirs, &document).await);
}

#[tokio::test]
async fn an_id_in_a_body_or_a_query_that_is_another_tenants_is_one_that_nothing_has() {
    let app = belongings::app().await;
    let (owner, theirs) = belongings::of_new_tenant(&app, "Owner", "owner").await;
    let (stranger, own) = belongings::of_new_tenant(&app, "Stranger", "clinic-ke").await;
    let document = document();
    let before = seen(&owner, &theirs, &document).await;
    let mut asked = 0;
    for operation in operations(&document) {
        let path = own.path(&document, &operation);
        let path = path.unwrap_or_else(|| operation.path.clone());
        let example = place::example(&document, &operation);
        let nothing = Belongings::nothing(&own);
        for place in place::of_body(&document, &operation) {
            let with = |of: &Belongings| place.filled(example.as_ref(), &of.at(&place.kind));
            let answer = ask(&stranger, &operation, &path, Some(with(&theirs))).await;
            let of_nothing = ask(&stranger, &operation, &path, Some(with(&nothing))).await;
            let name = format!("{} {:?}", operation.name(), place.steps);
            assert_eq!(answer.status, of_nothing.status, "{name}: {answer}");
            if answer.status >= 400 {
                let (one, other) = (theirs.masked(&answer), nothing.masked(&of_nothing));
                assert_eq!(one, other, "{name}");
            }
            asked += 1;
        }
        for place in place::of_query(&document, &operation) {
            let with =
                |of: &Belongings| format!("{path}?{}={}", place.steps[0], of.at(&place.kind));
            let answer = ask(&stranger, &operation, &with(&theirs), example.clone()).await;
            let of_nothing = ask(&stranger, &operation, &with(&nothing), example.clone()).await;
            let name = format!("{} ?{}", operation.name(), place.steps[0]);
            assert_eq!(told(&answer), told(&of_nothing), "{name}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    assert_eq!(before, seen(&owner, &theirs, &document).await);
}

#[tokio::test]
async fn no_list_shows_what_is_another_tenants() {
    let app = belongings::app().await;
    let (owner, theirs) = belongings::of_new_tenant(&app, "Owner", "owner").await;
    let stranger = app.tenant("Stranger").await;
    let document = document();
    let mut shown = 0;
    for operation in operations(&document) {
        if operation.method != "get" || operation.path.contains('{') {
            continue;
        }
        let answer = stranger.api.get(&operation.path).await;
        for (kind, id) in theirs.all() {
            assert!(!answer.text.contains(id), "{kind}: {answer}");
        }
        let of_owner = owner.api.get(&operation.path).await;
        shown += theirs
            .all()
            .filter(|(_, id)| of_owner.text.contains(*id))
            .count();
    }
    // Their owner does see them: what is looked for is what is shown.
    assert!(shown > 10, "{shown}");
}

/// Everything that a tenant sees of what it has.
async fn seen(owner: &Tenant, has: &Belongings, document: &Value) -> BTreeMap<String, Value> {
    let mut seen = BTreeMap::new();
    for operation in operations(document) {
        if operation.method != "get" {
            continue;
        }
        let path = has.path(document, &operation);
        let path = path.unwrap_or_else(|| operation.path.clone());
        let mut body = owner.api.get(&path).await.body;
        forget(&mut body);
        seen.insert(path, body);
    }
    seen
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !OF_TIME.contains(&name.as_str()));
            members.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}
