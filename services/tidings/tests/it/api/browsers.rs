//! The API from a browser: which pages may use it, and what they are told.

use crate::app::TestApp;
use serde_json::json;
use testkit::{Answer, Api};

const ORIGINS: &str = "TIDINGS_SUBSCRIPTIONS__CORS_ORIGINS";
const PAGE: &str = "https://console.example.com";
const WEBHOOKS: &str = "/v1/webhooks";

async fn ask(api: &Api, origin: &str) -> Answer {
    api.request("GET", WEBHOOKS, &[("origin", origin)], [])
        .await
}

async fn preflight(api: &Api, origin: &str, path: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    api.request("OPTIONS", path, &headers, []).await
}

/// What a browser is told of other origins.
fn told(answer: &Answer) -> Vec<(&str, &str)> {
    let headers = answer.headers.iter();
    let ours = headers.filter(|(name, _)| name.starts_with("access-control-"));
    ours.map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[tokio::test]
async fn nobody_is_told_anything_unless_origins_are_named() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let answer = ask(&tenant.api, PAGE).await;
    answer.expect(200);
    assert_eq!((told(&answer), answer.header("vary")), (vec![], None));
    let refused = preflight(&tenant.api, PAGE, WEBHOOKS).await;
    refused.expect_problem(405, "method_not_allowed");
    assert_eq!(told(&refused), []);
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_ask_and_read_what_it_needs() {
    let named = format!("http://localhost:3000,{PAGE}");
    let app = TestApp::start_with(&[(ORIGINS, &named)]).await;
    let tenant = app.tenant("Clinic").await;
    let anonymous = Api::anonymous(tenant.api.base_url());
    for path in [WEBHOOKS, "/v1/oauth/token", "/openapi.json", "/nowhere"] {
        let answer = preflight(&anonymous, PAGE, path).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert_eq!(methods, "GET, POST, PUT, PATCH, DELETE");
        let taken = answer.header("access-control-allow-headers").unwrap();
        let taken: Vec<&str> = taken.split(", ").collect();
        for header in [
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
        ] {
            assert!(taken.contains(&header), "{taken:?}");
        }
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("vary"), Some("origin"));
        assert!(answer.header("x-request-id").is_some());
    }
    let refused = ask(&tenant.api.with_key("tk_live_wrong"), PAGE).await;
    refused.expect_problem(401, "unauthorized");
    let made = json!({ "url": "https://clinic.example.com/", "events": ["*"] });
    let made = tenant
        .api
        .post_with_headers(WEBHOOKS, &[("origin", PAGE)], made)
        .await;
    made.expect(201);
    for answer in [&refused, &made, &ask(&tenant.api, PAGE).await] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        assert_eq!(answer.header("vary"), Some("origin"));
        let shown = answer.header("access-control-expose-headers").unwrap();
        for header in ["etag", "ratelimit", "retry-after", "x-request-id"] {
            assert!(shown.contains(header), "{shown}");
        }
        // What a browser adds by itself opens nothing.
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn a_page_of_any_other_origin_is_kept_away() {
    let app = TestApp::start_with(&[(ORIGINS, PAGE)]).await;
    let tenant = app.tenant("Clinic").await;
    for origin in [
        "null",
        "*",
        "https://console.example.com.evil.example",
        "https://evil-console.example.com",
        "http://console.example.com",
        "https://console.example.com:8443",
        "https://console.example.com/",
        "",
    ] {
        let answer = ask(&tenant.api, origin).await;
        answer.expect(200);
        assert_eq!(told(&answer), [], "{origin}");
        assert_eq!(answer.header("vary"), Some("origin"));
        let refused = preflight(&tenant.api, origin, WEBHOOKS).await;
        refused.expect_problem(405, "method_not_allowed");
        assert_eq!(told(&refused), [], "{origin}");
    }
    let twice = [("origin", PAGE), ("origin", "https://evil.example")];
    let answer = tenant.api.request("GET", WEBHOOKS, &twice, []).await;
    assert_eq!(told(&answer), []);
}
