//! Every list that the document has: page by page it shows each thing once, also while things are added.

use super::belongings;
use super::document::{Operation, document, operations};
use super::ids;
use crate::app::Tenant;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What one more is made with; none where it is not made by this API.
fn one_more(path: &str, number: usize) -> Option<Value> {
    Some(match path {
        "/v1/webhooks" => json!({ "url": "https://clinic.example.com/hook", "events": ["*"] }),
        "/v1/events" => json!({ "type": "job.created", "data": { "n": number } }),
        "/v1/keys" => json!({ "name": format!("key {number}"), "role": "viewer" }),
        "/v1/members" => {
            json!({ "email": format!("ann-{number}@example.com"), "role": "viewer" })
        }
        "/v1/provider-accounts" => json!({
            "provider": "stub", "slug": format!("more-{number}"), "auth": [{ "type": "token" }],
        }),
        "/v1/messages" => json!({
            "provider_account": "clinic-ke", "provider_message_id": format!("more-{number}"),
            "to": super::PHONE,
        }),
        _ => return None,
    })
}

fn is_list(operation: &Operation) -> bool {
    let parameters = operation.parameters().into_iter();
    let mut names = parameters.map(|parameter| parameter["name"].as_str().unwrap());
    operation.method == "get" && names.any(|name| name == "cursor")
}

async fn add(tenant: &Tenant, path: &str, number: usize) {
    if let Some(body) = one_more(path, number) {
        let made = tenant.api.post(path, body).await;
        assert!((200..300).contains(&made.status), "{made}");
    }
}

#[tokio::test]
async fn a_list_shows_each_thing_once_though_others_are_added_meanwhile() {
    let app = belongings::app().await;
    let (tenant, has) = belongings::of_new_tenant(&app, "Clinic", "clinic-ke").await;
    let document = document();
    let mut grown = 0;
    for operation in operations(&document).iter().filter(|one| is_list(one)) {
        let path = has.path(&document, operation);
        let path = path.unwrap_or_else(|| operation.path.clone());
        for number in 0..4 {
            add(&tenant, &path, number).await;
        }
        let all = tenant.api.get(&format!("{path}?limit=100")).await;
        if all.status == 403 {
            assert!(path.starts_with("/v1/tenants"), "{all}");
            continue;
        }
        let page = all.expect(200);
        if page["data"][0]["id"].is_null() {
            continue;
        }
        let there: Vec<String> = ids(&page);
        let mut seen = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let next = cursor.as_str().map(|cursor| format!("&cursor={cursor}"));
            let page = format!("{path}?limit=1{}", next.unwrap_or_default());
            let page = tenant.api.get(&page).await.expect(200);
            assert!(page["data"].as_array().unwrap().len() <= 1, "{page}");
            seen.extend(ids(&page));
            cursor = page["next_cursor"].clone();
            add(&tenant, &path, 100 + seen.len()).await;
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen, there, "{path}");
        let each: BTreeSet<_> = seen.iter().collect();
        assert_eq!(each.len(), seen.len(), "{path}");
        grown += usize::from(one_more(&path, 0).is_some());
    }
    assert!(grown >= 6, "{grown}");
}
