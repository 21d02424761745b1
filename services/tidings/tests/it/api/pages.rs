//! Every list that the document has: page by page it shows each thing once, also while things are added.

use super::PHONE;
use super::belongings::{self, Belongings};
use super::document::{Operation, document, operations};
use crate::app::{SOON, Tenant, TestApp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::Api;

fn is_list(operation: &Operation) -> bool {
    let parameters = operation.parameters().into_iter();
    let mut names = parameters.map(|parameter| parameter["name"].as_str().unwrap());
    operation.method == "get" && names.any(|name| name == "cursor")
}

/// Who adds one more of what a list shows.
struct Scene {
    app: TestApp,
    tenant: Tenant,
    has: Belongings,
    number: usize,
}

impl Scene {
    async fn start() -> Self {
        let app = belongings::app().await;
        let (tenant, has) = belongings::of_new_tenant(&app, "Clinic", "clinic-ke").await;
        Self {
            app,
            tenant,
            has,
            number: 0,
        }
    }

    /// Who may read a list.
    fn reader(&self, list: &str) -> &Api {
        if belongings::is_for_operator(list) {
            &self.app.operator
        } else {
            &self.tenant.api
        }
    }

    /// Adds one more, and waits until it is there: of some, somebody else has to make something first.
    async fn add(&mut self, list: &str, path: &str) {
        let all = format!("{path}?limit=100");
        let page = self.reader(list).get(&all).await.expect(200);
        let before = shown(&page).len();
        self.make(list).await;
        let is_there = |page: &Value| shown(page).len() > before;
        self.reader(list).get_until(&all, is_there, SOON).await;
    }

    async fn make(&mut self, list: &str) {
        self.number += 1;
        let number = self.number;
        match list {
            "/v1/orphans" | "/v1/callbacks" => {
                let message = format!("nobody's-{number}");
                belongings::report(&self.app, "clinic-ke", &message).await;
            }
            "/v1/security-events" | "/v1/quarantine" => {
                // Of each minute there is one.
                self.app.clock.advance(Duration::from_mins(1));
                belongings::refused_report(&self.app, "clinic-ke-guarded").await;
            }
            "/v1/dead-letters" => {
                let message = format!("broken-{number}");
                belongings::dead_letter(&self.app, &self.tenant, "clinic-ke", &message).await;
            }
            "/v1/plans" => {
                let path = format!("/v1/plans/more-{number}");
                self.app.operator.put(&path, json!({})).await.expect(201);
            }
            _ => {
                let (path, body) = self.one_more(list);
                let made = self.reader(list).post(&path, body).await;
                assert!((200..300).contains(&made.status), "{made}");
            }
        }
    }

    /// What one more is made with.
    fn one_more(&self, list: &str) -> (String, Value) {
        let number = self.number;
        let event = json!({ "type": "job.created", "data": { "n": number } });
        let webhook = json!({ "url": "https://clinic.example.com/hook", "events": ["job.failed"] });
        let (path, body) = match list {
            "/v1/tenants" => (list, json!({ "name": format!("Clinic {number}") })),
            "/v1/webhooks" => (list, webhook),
            "/v1/audit" => ("/v1/webhooks", webhook),
            "/v1/events" => (list, event),
            "/v1/webhooks/{id}/deliveries" => ("/v1/events", event),
            "/v1/webhooks/{id}/tests" => {
                let path = format!("/v1/webhooks/{}/test", self.has.at("sub"));
                return (path, json!({}));
            }
            "/v1/replays" => (list, json!({ "events": { "ids": [self.has.at("evt")] } })),
            "/v1/event-types" | "/v1/webhooks/event-types" => {
                let letters = [number / 26, number % 26];
                let letters =
                    letters.map(|letter| char::from(b'a' + u8::try_from(letter).unwrap()));
                let name = format!("shop.more_{}", String::from_iter(letters));
                let body = json!({
                    "name": name, "description": "One more.", "schema": { "type": "object" },
                    "example": {},
                });
                ("/v1/event-types", body)
            }
            "/v1/keys" => (
                list,
                json!({ "name": format!("key {number}"), "role": "viewer" }),
            ),
            "/v1/members" => {
                let email = format!("ann-{number}@example.com");
                (list, json!({ "email": email, "role": "viewer" }))
            }
            "/v1/provider-accounts" => {
                let slug = format!("more-{number}");
                let auth = json!([{ "type": "token" }]);
                (
                    list,
                    json!({ "provider": "stub", "slug": slug, "auth": auth }),
                )
            }
            "/v1/messages" => {
                let id = format!("more-{number}");
                let body = json!({
                    "provider_account": "clinic-ke", "provider_message_id": id, "to": PHONE,
                });
                (list, body)
            }
            _ => panic!("nothing here adds to {list}"),
        };
        (path.to_owned(), body)
    }
}

/// What a page shows, by name where it has no id; of what stands in groups, each.
fn shown(page: &Value) -> Vec<String> {
    let items = page["data"].as_array().unwrap().iter();
    let each = items.flat_map(|item| match item["types"].as_array() {
        Some(types) => types.iter().collect(),
        None => vec![item],
    });
    let name = |item: &Value| {
        let name = item["id"].as_str().or(item["name"].as_str());
        name.unwrap_or_else(|| panic!("{item} has no name"))
            .to_owned()
    };
    each.map(name).collect()
}

#[tokio::test]
async fn a_list_shows_each_thing_once_though_others_are_added_meanwhile() {
    let mut scene = Scene::start().await;
    let document = document();
    let mut walked = 0;
    for operation in operations(&document).iter().filter(|one| is_list(one)) {
        let list = operation.path.as_str();
        let path = scene.has.path(&document, operation);
        let path = path.unwrap_or_else(|| list.to_owned());
        for _ in 0..3 {
            scene.add(list, &path).await;
        }
        let all = scene.reader(list).get(&format!("{path}?limit=100")).await;
        let page = all.expect(200);
        assert_eq!(page["next_cursor"], Value::Null, "{path}");
        let there = shown(&page);
        assert!(there.len() > 1, "{path}: {page}");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{path}?limit=1{cursor}");
            let page = scene.reader(list).get(&page).await.expect(200);
            assert!(shown(&page).len() <= 1, "{page}");
            seen.extend(shown(&page));
            // Where names decide the order, what is added may come later in it.
            if seen.len() < 6 {
                scene.add(list, &path).await;
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let each: BTreeSet<_> = seen.iter().collect();
        assert_eq!(each.len(), seen.len(), "{path}");
        let were_there = seen.into_iter().filter(|one| there.contains(one));
        assert_eq!(were_there.collect::<Vec<_>>(), there, "{path}");
        walked += 1;
    }
    assert!(walked >= 18, "{walked}");
}

/// The one list that goes on from a position: everybody's changes, oldest first.
#[tokio::test]
async fn the_chain_is_walked_to_its_end_though_entries_are_added_meanwhile() {
    let mut scene = Scene::start().await;
    let position = |entry: &Value| entry["position"].as_i64().unwrap();
    let part = async |app: &TestApp, after: i64| {
        let path = format!("/v1/audit/chain?limit=2&after={after}");
        app.operator.get(&path).await.expect(200)
    };
    let head = |part: &Value| part["head"]["position"].as_i64().unwrap();
    let begun = head(&part(&scene.app, 0).await);
    assert!(begun > 3, "{begun}");
    let mut walked = Vec::new();
    loop {
        let found = part(&scene.app, walked.last().map_or(0, position)).await;
        let entries = found["data"].as_array().unwrap();
        assert!(entries.len() <= 2, "{found}");
        if entries.is_empty() {
            assert_eq!(walked.last().map(position), Some(head(&found)));
            break;
        }
        walked.extend(entries.iter().cloned());
        if walked.len() < 8 {
            scene.make("/v1/audit").await;
        }
    }
    let positions: Vec<i64> = walked.iter().map(position).collect();
    let all = 1..=i64::try_from(walked.len()).unwrap();
    assert!(positions.iter().copied().eq(all), "{positions:?}");
    assert!(positions.len() >= usize::try_from(begun).unwrap());
    for two in walked.windows(2) {
        assert_eq!(two[1]["previous_hash"], two[0]["hash"]);
    }
}
