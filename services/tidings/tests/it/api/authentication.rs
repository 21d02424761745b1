//! Who may ask.

use super::document::{resources, resources_with_a_key};
use super::said;
use crate::app::TestApp;
use serde_json::json;
use testkit::{ADMIN_KEY, Api};

#[tokio::test]
async fn without_a_valid_key_every_call_is_the_same_401() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let anonymous = Api::anonymous(app.operator.base_url());
    let expected = said(
        &anonymous
            .get("/v1/events")
            .await
            .expect_problem(401, "unauthorized"),
    );
    for (path, methods) in &resources_with_a_key() {
        for method in methods.split(", ") {
            let answer = anonymous.request(method, path, &[], "not even JSON").await;
            let problem = answer.expect_problem(401, "unauthorized");
            assert_eq!(said(&problem), expected, "{answer}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer"),
                "{answer}"
            );
        }
    }
    let key = &tenant.key;
    for wrong in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        key.clone(),
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Bearer{key}"),
        format!("Bearer {key}x"),
        format!("Bearer {}", &key[..key.len() - 1]),
        format!("Bearer {}", key.to_uppercase()),
        format!("Bearer {key}, Bearer {key}"),
        format!("Bearer {key} {key}"),
        format!("Bearer {}", ADMIN_KEY.to_uppercase()),
        format!("Bearer {}", &ADMIN_KEY[1..]),
        format!("Bearer {}", "x".repeat(600)),
        "Bearer é".to_owned(),
        "Bearer tk_live_".to_owned(),
        "Bearer ' or 1=1 --".to_owned(),
    ] {
        let headers = [("authorization", wrong.as_str())];
        let answer = anonymous.request("GET", "/v1/events", &headers, []).await;
        let problem = answer.expect_problem(401, "unauthorized");
        assert_eq!(said(&problem), expected, "{wrong}");
    }
    // Which of two would count depends on the reader: neither does.
    let bearer = format!("Bearer {key}");
    for second in [bearer.as_str(), "Bearer other"] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("authorization", second),
        ];
        let answer = anonymous.request("GET", "/v1/events", &headers, []).await;
        answer.expect_problem(401, "unauthorized");
    }
    for right in [format!("bearer {key}"), format!("BEARER   {key}")] {
        let headers = [("authorization", right.as_str())];
        anonymous
            .request("GET", "/v1/events", &headers, [])
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_key_in_the_query_or_the_path_opens_nothing() {
    let app = TestApp::start().await;
    let key = app.tenant("Clinic").await.key;
    let anonymous = Api::anonymous(app.operator.base_url());
    let path = format!("/v1/events?api_key={key}");
    anonymous
        .get(&path)
        .await
        .expect_problem(401, "unauthorized");
    let headers = [("x-api-key", key.as_str())];
    let answer = anonymous.request("GET", "/v1/events", &headers, []).await;
    answer.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn what_only_the_operator_may_do_is_forbidden_to_tenants() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("One").await, app.tenant("Two").await);
    let answer = one
        .api
        .post("/v1/tenants", json!({ "name": "Three" }))
        .await;
    answer.expect_problem(403, "forbidden");
    // Nor is a wrong body told from a right one.
    one.api
        .post_bytes("/v1/tenants", &[], "{")
        .await
        .expect_problem(403, "forbidden");
    for named in [&one.id, &two.id, &"nonsense".to_owned()] {
        for path in [
            "/v1/callbacks",
            "/v1/callbacks/cb_00000000000000000000000000",
        ] {
            let answer = one.api.get(&format!("{path}?tenant={named}")).await;
            answer.expect_problem(403, "forbidden");
        }
    }
    for unknown in ["ten_00000000000000000000000099", "nonsense", "evt_1", ""] {
        let answer = app
            .operator
            .get(&format!("/v1/callbacks?tenant={unknown}"))
            .await;
        answer.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_resource_has_a_rule_by_which_somebody_may_use_it() {
    let app = TestApp::start().await;
    for (path, methods) in resources() {
        for method in methods.split(", ") {
            let answer = app.operator.request(method, &path, &[], "{}").await;
            assert!(!matches!(answer.status, 401 | 403 | 500..), "{answer}");
        }
    }
}
