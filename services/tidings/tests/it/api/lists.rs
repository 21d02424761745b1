//! Lists: pages, cursors, filters.

use super::{id, ids};
use crate::app::TestApp;
use serde_json::{Value, json};
use testkit::Endpoint;

/// The body of the request that makes the nth.
type Body = Box<dyn Fn(usize) -> Value>;

const LISTS: [&str; 5] = [
    "/v1/provider-accounts",
    "/v1/webhooks",
    "/v1/events",
    "/v1/messages",
    "/v1/callbacks",
];

#[tokio::test]
async fn a_query_is_read_as_strictly_as_a_body() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let long = "x".repeat(600);
    let webhook = tenant.webhook(&Endpoint::start().await, &["*"]).await.id;
    let deliveries = format!("/v1/webhooks/{webhook}/deliveries");
    for list in LISTS.into_iter().chain([deliveries.as_str()]) {
        assert_eq!(
            tenant.api.get(&format!("{list}?limit=1")).await.expect(200)["next_cursor"],
            Value::Null
        );
        tenant
            .api
            .get(&format!("{list}?limit=100"))
            .await
            .expect(200);
        for (query, pointer) in [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=-1", "/limit"),
            ("limit=1.5", "/limit"),
            ("limit=ten", "/limit"),
            ("limit=", "/limit"),
            ("limit=99999999999999999999", "/limit"),
            ("limit=1&limit=1", "/limit"),
            ("Limit=1", "/Limit"),
            ("offset=1", "/offset"),
            ("page=2", "/page"),
            ("=1", "/"),
            ("cursor=a&cursor=a", "/cursor"),
            (&format!("cursor={long}"), "/cursor"),
        ] {
            let answer = tenant.api.get(&format!("{list}?{query}")).await;
            super::assert_refused(&answer, &[pointer]);
        }
        for garbage in ["", "x", "null", "AAAA", "%00", "é", "MC4x"] {
            let answer = tenant.api.get(&format!("{list}?cursor={garbage}")).await;
            answer.expect_problem(400, "invalid_cursor");
        }
    }
    for (query, pointer) in [
        ("/v1/messages?state=lost", "/state"),
        ("/v1/messages?to=nobody", "/to"),
        ("/v1/callbacks?kind=sms", "/kind"),
        ("/v1/callbacks?status=done", "/status"),
        ("/v1/callbacks?after=yesterday", "/after"),
        ("/v1/callbacks?before=2026-13-40T00:00:00Z", "/before"),
        (&format!("{deliveries}?state=lost"), "/state"),
        (
            &format!("{deliveries}?event_id=msg_00000000000000000000000000"),
            "/event_id",
        ),
        (&format!("{deliveries}?account=x"), "/account"),
        (
            "/v1/callbacks/cb_00000000000000000000000000?limit=1",
            "/limit",
        ),
    ] {
        super::assert_refused(&tenant.api.get(query).await, &[pointer]);
    }
}

#[tokio::test]
async fn walking_the_pages_shows_each_once_newest_first_while_others_are_made() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    tenant.account("stub", "clinic").await;
    let makers: [(&str, Body); 4] = [
        (
            "/v1/webhooks",
            Box::new(move |_| json!({ "url": endpoint.url("/"), "events": ["job.failed"] })),
        ),
        (
            "/v1/events",
            Box::new(|n| json!({ "type": "job.created", "data": { "n": n } })),
        ),
        (
            "/v1/messages",
            Box::new(
                |n| json!({ "provider_account": "clinic", "client_reference": format!("r-{n}"), "to": super::PHONE }),
            ),
        ),
        (
            "/v1/provider-accounts",
            Box::new(
                |n| json!({ "provider": "stub", "slug": format!("s-{n}"), "auth": [{ "type": "token" }] }),
            ),
        ),
    ];
    for (list, body) in makers {
        let mut expected = Vec::new();
        let make = async |n| id(&tenant.api.post(list, body(n)).await.body);
        let before = ids(&tenant.api.get(list).await.expect(200));
        for n in 0..7 {
            expected.insert(0, make(n).await);
        }
        expected.extend(before);
        let (mut seen, mut cursor, mut number) = (Vec::new(), String::new(), 7);
        loop {
            let page = tenant
                .api
                .get(&format!("{list}?limit=3{cursor}"))
                .await
                .expect(200);
            assert_eq!(super::members(&page), ["data", "next_cursor"]);
            seen.extend(ids(&page));
            number += 1;
            make(number).await;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{list}");
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_one_tenant_one_list_and_its_filters() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("One").await, app.tenant("Two").await);
    let endpoint = Endpoint::start().await;
    for one in [&tenant, &other] {
        let slug = if one.id == tenant.id { "one" } else { "two" };
        one.account("stub", slug).await;
        for n in 0..3 {
            one.publish("job.created", json!({})).await;
            one.message(slug, &format!("m-{n}"), super::PHONE).await;
            one.webhook(&endpoint, &["sms.*"]).await;
        }
    }
    let cursor = async |query: &str| {
        let page = tenant.api.get(query).await.expect(200);
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let events = cursor("/v1/events?limit=1").await;
    let messages = cursor("/v1/messages?limit=1&state=pending").await;
    // As many at a time as one likes.
    let page = tenant
        .api
        .get(&format!("/v1/events?limit=50&cursor={events}"))
        .await;
    assert_eq!(ids(&page.expect(200)).len(), 2);
    let path = format!("/v1/messages?state=pending&cursor={messages}");
    assert_eq!(ids(&tenant.api.get(&path).await.expect(200)).len(), 2);

    let refuse = async |api: &testkit::Api, path: String| {
        api.get(&path).await.expect_problem(400, "invalid_cursor");
    };
    refuse(&other.api, format!("/v1/events?cursor={events}")).await;
    refuse(&app.operator, format!("/v1/events?cursor={events}")).await;
    refuse(&tenant.api, format!("/v1/messages?cursor={events}")).await;
    refuse(&tenant.api, format!("/v1/webhooks?cursor={events}")).await;
    refuse(&tenant.api, format!("/v1/messages?cursor={messages}")).await;
    refuse(
        &tenant.api,
        format!("/v1/messages?state=sent&cursor={messages}"),
    )
    .await;
    let filters = "state=pending&client_reference=r";
    refuse(
        &tenant.api,
        format!("/v1/messages?{filters}&cursor={messages}"),
    )
    .await;
    refuse(&tenant.api, format!("/v1/events?cursor={}", &events[1..])).await;
    refuse(&tenant.api, format!("/v1/events?cursor={events}A")).await;
}
