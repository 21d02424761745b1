use crate::{AMPLE, SHORT};
use serde_json::{Value, json};
use tidings_testkit::{Api, Endpoint, Hit, Ingress, Reply};

const PROBLEM: &[(&str, &str)] = &[("content-type", "application/problem+json")];

async fn api() -> (Endpoint, Api) {
    let endpoint = Endpoint::start().await;
    let api = Api::new(&endpoint.url("/"), "tk_live_1");
    (endpoint, api)
}

fn last(endpoint: &Endpoint) -> Hit {
    endpoint.hits().pop().unwrap()
}

#[tokio::test]
async fn every_call_carries_the_key() {
    let (endpoint, api) = api().await;
    api.get("/v1/messages?state=sent").await.expect(200);
    api.delete("/v1/webhooks/1").await.expect(200);
    api.put("/v1/webhooks/1", json!({"a": 1})).await.expect(200);
    api.post("/v1/webhooks", &json!({"b": 2})).await.expect(200);

    let hits = endpoint.hits();
    let told: Vec<_> = hits
        .iter()
        .map(|hit| format!("{} {}", hit.method, hit.path))
        .collect();
    let expected = [
        "GET /v1/messages?state=sent",
        "DELETE /v1/webhooks/1",
        "PUT /v1/webhooks/1",
        "POST /v1/webhooks",
    ];
    assert_eq!(told, expected);
    assert!(
        hits.iter()
            .all(|hit| hit.header("authorization") == Some("Bearer tk_live_1"))
    );
    assert_eq!(hits[2].json(), json!({"a": 1}));
    assert_eq!(hits[3].header("content-type"), Some("application/json"));
    assert_eq!(
        (hits[0].header("content-type"), hits[0].body.len()),
        (None, 0)
    );
}

#[tokio::test]
async fn the_key_and_the_headers_can_be_others() {
    let (endpoint, api) = api().await;
    api.with_key("tk_live_2").get("/").await;
    assert_eq!(
        last(&endpoint).header("authorization"),
        Some("Bearer tk_live_2")
    );
    Api::anonymous(api.base_url()).get("/").await;
    assert_eq!(last(&endpoint).header("authorization"), None);

    let headers = [("Idempotency-Key", "k"), ("Authorization", "Basic eDp5")];
    api.post_with_headers("/", &headers, json!({})).await;
    let hit = last(&endpoint);
    assert_eq!(
        hit.header_values("authorization").collect::<Vec<_>>(),
        ["Basic eDp5"]
    );
    assert_eq!(hit.header("idempotency-key"), Some("k"));

    api.post_bytes("/", &[("content-type", "text/plain")], b"\xff{".as_slice())
        .await;
    let hit = last(&endpoint);
    assert_eq!(
        hit.header_values("content-type").collect::<Vec<_>>(),
        ["text/plain"]
    );
    assert_eq!(hit.body, b"\xff{");
}

#[tokio::test]
async fn an_answer_without_json_has_a_null_body_and_its_text() {
    let (endpoint, api) = api().await;
    endpoint.answer_with([Reply::with(200, &[], "ACK/Jasmin"), Reply::Status(204)]);
    let answer = api.get("/").await;
    assert_eq!(
        (answer.expect(200), answer.text.as_str()),
        (Value::Null, "ACK/Jasmin")
    );
    assert_eq!(api.get("/").await.expect(204), Value::Null);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (endpoint, api) = api().await;
    endpoint.answer_with(Reply::with(307, &[("location", "/elsewhere")], ""));
    api.get("/").await.expect(307);
    assert_eq!(endpoint.hits().len(), 1);
}

#[tokio::test]
async fn a_problem_is_expected_by_its_status_and_code() {
    let (endpoint, api) = api().await;
    let body = r#"{"status":404,"code":"not_found","detail":"there is none"}"#;
    endpoint.answer_with(Reply::with(404, PROBLEM, body));
    let problem = api.get("/").await.expect_problem(404, "not_found");
    assert_eq!(problem["detail"], "there is none");
}

#[tokio::test]
#[should_panic(expected = "expected the problem 404 not_found")]
async fn a_problem_of_another_content_type_is_none() {
    let (endpoint, api) = api().await;
    endpoint.answer_with(Reply::with(
        404,
        &[],
        r#"{"status":404,"code":"not_found"}"#,
    ));
    api.get("/").await.expect_problem(404, "not_found");
}

#[tokio::test]
#[should_panic(expected = "expected 201, got 422 to POST http://127.0.0.1:")]
async fn an_unexpected_status_shows_the_answer() {
    let (endpoint, api) = api().await;
    endpoint.answer_with(422);
    api.post("/v1/events", json!({})).await.expect(201);
}

#[tokio::test]
async fn get_until_asks_until_the_answer_is_as_wanted() {
    let (endpoint, api) = api().await;
    let state = |state: &str| Reply::with(200, &[], json!({"state": state}).to_string());
    endpoint.answer_with([Reply::Status(404), state("sent"), state("delivered")]);
    let message = api
        .get_until("/m", |body| body["state"] == "delivered", AMPLE)
        .await;
    assert_eq!(message, json!({"state": "delivered"}));
    assert_eq!(endpoint.hits().len(), 3);
}

#[tokio::test]
#[should_panic(expected = "until GET /m is as wanted; last seen: 200 to GET")]
async fn get_until_shows_the_last_answer() {
    let (_endpoint, api) = api().await;
    api.get_until("/m", |body| body["state"] == "delivered", SHORT)
        .await;
}

#[tokio::test]
async fn a_callback_has_no_header_that_was_not_given() {
    let endpoint = Endpoint::start().await;
    let ingress = Ingress::new(&endpoint.url(""));
    ingress
        .post_form("/v1/callbacks/at/reports", "id=1")
        .await
        .expect(200);
    assert_eq!(
        last(&endpoint).header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    ingress.post_json("/", json!({})).await.expect(200);
    assert_eq!(
        last(&endpoint).header("content-type"),
        Some("application/json")
    );
    ingress
        .post_raw("/", &[("x-dlr-signature", "sha256=00")], "{}")
        .await
        .expect(200);
    let hit = last(&endpoint);
    assert_eq!(
        (hit.header("content-type"), hit.header("authorization")),
        (None, None)
    );
    ingress.request("OPTIONS", "/", &[], "").await.expect(200);
    assert_eq!(last(&endpoint).method, "OPTIONS");
}

#[tokio::test]
async fn a_system_that_is_away_can_be_tried() {
    let (endpoint, api) = api().await;
    endpoint.stop();
    let error = api
        .try_post("/v1/events", &[], json!({}))
        .await
        .unwrap_err();
    assert!(error.starts_with("POST http://127.0.0.1:"), "{error}");
    assert!(error.contains("onnect"), "{error}");
}
