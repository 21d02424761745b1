//! What is taken, and what is answered.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::path::PathBuf;
use testkit::providers::{africastalking_report, orange_report};

/// The fixtures that are no callback, and why. All others are one.
const REFUSED: [(&str, u16, &str); 14] = [
    ("africastalking/dlr_missing_id.txt", 422, "unrecognised"),
    ("africastalking/dlr_missing_status.txt", 422, "unrecognised"),
    (
        "africastalking/inbound_missing_text.txt",
        422,
        "unrecognised",
    ),
    (
        "africastalking/optout_missing_phone.txt",
        422,
        "unrecognised",
    ),
    ("orange/dlr_callbackdata_empty.json", 422, "unrecognised"),
    ("orange/dlr_callbackdata_missing.json", 422, "unrecognised"),
    ("orange/dlr_missing_status.json", 422, "unrecognised"),
    ("orange/dlr_not_a_dr.json", 422, "unrecognised"),
    ("orange/inbound_missing_message.json", 422, "unrecognised"),
    ("stub/dlr_missing_ids.json", 422, "unrecognised"),
    ("stub/dlr_missing_status.json", 422, "unrecognised"),
    ("stub/inbound_missing_text.json", 422, "unrecognised"),
    ("stub/dlr_form_repeated_key.txt", 400, "malformed_form"),
    ("stub/dlr_repeated_member.json", 400, "malformed_json"),
];

/// A file of a provider, as it would be posted.
struct Fixture {
    /// Provider and file.
    name: String,
    path: String,
    content_type: (&'static str, &'static str),
    body: Vec<u8>,
}

fn fixtures(provider: &str) -> Vec<Fixture> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crates/providers/fixtures");
    let mut files: Vec<_> = std::fs::read_dir(root.join(provider))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let kind = match name.split(['_', '.']).next().unwrap() {
            "dlr" => "reports",
            "inbound" => "inbound",
            "optout" => "opt-outs",
            "subscription" => "subscriptions",
            // What the provider answers when it is asked: nobody posts it.
            "fetch" | "error" | "token" | "UNVERIFIED" => return None,
            other => panic!("no kind is called {other}"),
        };
        let is_json = file
            .extension()
            .is_some_and(|extension| extension == "json");
        Some(Fixture {
            name: format!("{provider}/{name}"),
            path: format!("/v1/callbacks/{provider}-1/{kind}"),
            content_type: if is_json { JSON } else { FORM },
            body: std::fs::read(&file).unwrap(),
        })
    };
    files.into_iter().filter_map(read).collect()
}

#[tokio::test]
async fn every_fixture_is_answered_as_the_contract_says_and_kept_as_it_came() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut taken: BTreeMap<String, Fixture> = BTreeMap::new();
    let mut refused = 0;
    for provider in ["africastalking", "orange", "stub"] {
        tenant.account(provider, &format!("{provider}-1")).await;
        for fixture in fixtures(provider) {
            let Fixture { path, body, .. } = &fixture;
            let answer = app
                .ingress
                .post_raw(path, &[fixture.content_type], body.clone())
                .await;
            if let Some((_, status, code)) = REFUSED.iter().find(|it| it.0 == fixture.name) {
                let problem = answer.expect_problem(*status, code);
                assert!(problem.get("instance").is_none(), "{answer}");
                refused += 1;
            } else {
                assert_eq!(answer.status, 200, "{}: {answer}", fixture.name);
                taken.entry(accepted_id(&answer)).or_insert(fixture);
            }
        }
    }
    assert_eq!(refused, REFUSED.len(), "every refused file is there");
    let ids: Vec<_> = taken.keys().cloned().collect();
    assert_only(&tenant, &ids).await;
    for (id, fixture) in taken {
        let seen = processed(&tenant, &id).await;
        assert_eq!(seen["id"], id.as_str());
        assert_eq!(seen["body_base64"], STANDARD.encode(&fixture.body));
        let path: Vec<_> = fixture.path.split('/').collect();
        assert_eq!(seen["provider_account"], path[3]);
        assert_eq!(seen["kind"], path[4]);
        assert_eq!(seen["source_ip"], "127.0.0.1");
        assert_eq!(
            seen["headers"]["content-type"],
            json!([fixture.content_type.1])
        );
        assert!(seen["processed_at"].is_string() && seen["error"].is_null());
    }
}

#[tokio::test]
async fn a_duplicate_in_any_other_form_is_the_same_callback() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("africastalking", "at").await;
    tenant.account("stub", "clinic").await;
    tenant.account("stub", "branch").await;
    let forms = [
        "id=ATXid_1&status=Success&phoneNumber=%2B254700000001&networkCode=63902&retryCount=0",
        "retryCount=0&networkCode=63902&phoneNumber=+254700000001&status=Success&id=ATXid_1",
        "%69d=ATXid_1&phoneNumber=%2b254700000001&status=Succe%73s",
    ];
    let mut ids = BTreeSet::new();
    for form in forms {
        let answer = app
            .ingress
            .post_form("/v1/callbacks/at/reports", form)
            .await;
        ids.insert(accepted_id(&answer));
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let at = ids.pop_first().unwrap();

    let one = r#"{"messageId":"m-1","status":"DELIVRD","to":"+254700000001"}"#;
    let two = "{ \"to\": \"+254 700-000-001\",\n \"x\": [], \"status\": \"DELIVRD\", \"messageId\": \"m-1\" }";
    let first = accepted_id(&app.ingress.post_raw(CLINIC, &[JSON], one).await);
    let second = accepted_id(&app.ingress.post_raw(CLINIC, &[JSON], two).await);
    assert_eq!(first, second);
    let form = "to=%2B254700000001&status=DELIVRD&messageId=m-1";
    let third = accepted_id(&app.ingress.post_raw(CLINIC, &[FORM], form).await);
    assert_eq!(first, third);
    let elsewhere = "/v1/callbacks/branch/reports";
    let elsewhere = accepted_id(&app.ingress.post_raw(elsewhere, &[JSON], one).await);
    let inbound = r#"{"messageId":"m-1","from":"+254700000001","to":"4455","text":"LEKA"}"#;
    let inbound_path = "/v1/callbacks/clinic/inbound";
    let inbound = accepted_id(&app.ingress.post_raw(inbound_path, &[JSON], inbound).await);
    assert_only(&tenant, &[at, first.clone(), elsewhere, inbound]).await;
    let seen = processed(&tenant, &first).await;
    assert_eq!(seen["receipts"], 3);
    assert_eq!(
        seen["body_base64"],
        STANDARD.encode(one),
        "the first one is kept"
    );
}

#[tokio::test]
async fn the_same_callback_many_times_at_once_is_applied_once() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let posts = (0..50).map(|_| post(&app, CLINIC, "m-1"));
    let ids: BTreeSet<_> = futures_util::future::join_all(posts)
        .await
        .into_iter()
        .collect();
    let [id] = &Vec::from_iter(ids)[..] else {
        panic!("one callback, one id")
    };
    let path = format!("/v1/callbacks/{id}");
    let wanted = |found: &Value| found["receipts"] == 50;
    tenant.api.get_until(&path, wanted, SOON).await;
    let found = tenant.wait_for_state(&message, "delivered").await;
    assert_eq!(found["history"].as_array().unwrap().len(), 1);
    let applied = counted(&app, "tidings_reports_total", &[("outcome", "applied")]).await;
    assert_eq!(whole(applied), 1);
}

#[tokio::test]
async fn what_nobody_can_use_is_taken_all_the_same() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant.account("orange", "orange-ci").await;
    let message = tenant.message("clinic", "m-1", PHONE).await;
    let outcome = async |path: &str, body: &str| {
        let id = accepted_id(&app.ingress.post_raw(path, &[JSON], body).await);
        processed(&tenant, &id).await["reports"].clone()
    };
    let unmapped = json!([{ "outcome": "unmapped", "message_id": message }]);
    let orphaned = json!([{ "outcome": "orphaned", "message_id": null }]);
    let strange = stub_report("m-1", "TELEPORTED", PHONE, None);
    assert_eq!(outcome(CLINIC, &strange).await, unmapped);
    assert_eq!(outcome(CLINIC, &delivered("nobody-s")).await, orphaned);
    let elsewhere = stub_report("m-1", "DELIVRD", "+254799999999", None);
    assert_eq!(outcome(CLINIC, &elsewhere).await, orphaned);
    let impossible = stub_report("m-1", "ENROUTE", "not a number", None);
    assert_eq!(
        outcome(CLINIC, &impossible).await,
        json!([{ "outcome": "applied", "message_id": message }])
    );
    let extra = r#"{"messageId":"m-1","status":"DELIVRD","to":"+254700000001","a":{"b":[null,1.5e3]},"":""}"#;
    assert_eq!(
        outcome(CLINIC, extra).await,
        json!([{ "outcome": "applied", "message_id": message }])
    );
    let empty = r#"{"deliveryInfoNotification":{"callbackData":"r-1","deliveryInfo":[]}}"#;
    let orange = "/v1/callbacks/orange-ci/reports";
    assert_eq!(outcome(orange, empty).await, json!([]));
    let unknown = orange_report("r-1", "tel:+2250700000001", "DeliveredToGateway");
    assert_eq!(outcome(orange, &unknown).await, orphaned);
}

#[tokio::test]
async fn what_orange_sends_may_come_to_either_address() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    tenant.account("orange", "orange-ci").await;
    let message = tenant.message("orange-ci", "r-1", "+2250700000001").await;
    let report = orange_report("r-1", "tel:+2250700000001", "DeliveredToTerminal");
    let inbound = json!({"inboundSMSMessageNotification": {"inboundSMSMessage": {
        "dateTime": "2026-04-15T07:40:13Z", "destinationAddress": "tel:+2257839",
        "messageId": null, "message": "STOP", "senderAddress": "tel:+2250700000001",
    }}});
    let path = "/v1/callbacks/orange-ci/inbound";
    accepted_id(&app.ingress.post_raw(path, &[JSON], report).await);
    tenant.wait_for_state(&message, "delivered").await;
    let path = "/v1/callbacks/orange-ci/reports";
    let id = accepted_id(&app.ingress.post_json(path, inbound).await);
    let seen = processed(&tenant, &id).await;
    assert_eq!(seen["kind"], "reports");
    assert_eq!(seen["reports"], json!([]));
}

#[tokio::test]
async fn a_callback_is_shown_to_its_owner_without_what_is_secret_in_it() {
    const KEY: &str = "an-api-key-0123456789";
    const SECRETS: [&str; 5] = [
        KEY,
        "bearer-secret",
        "cookie-secret",
        "proxy-secret",
        "basic-s",
    ];
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let auth = json!([
        { "type": "api_key", "header": "X-Api-Key", "key": KEY },
        { "type": "token" },
    ]);
    let account = tenant.account_with("africastalking", "at", auth).await;
    let url = account["callback_urls"]["reports"].as_str().unwrap();
    let path = url.strip_prefix(app.ingress.base_url()).unwrap();
    let token = path.split('/').nth(4).unwrap();
    let headers = [
        FORM,
        ("x-api-key", KEY),
        ("authorization", "Bearer bearer-secret"),
        ("cookie", "session=cookie-secret"),
        ("proxy-authorization", "Basic basic-s"),
        ("x-original-uri", path),
        ("x-seen", "one"),
        ("x-seen", "two"),
    ];
    let body = africastalking_report("ATXid_1", "Success", PHONE, &[]);
    let id = accepted_id(&app.ingress.post_raw(path, &headers, body).await);
    let seen = processed(&tenant, &id).await;
    assert_eq!(seen["headers"]["x-seen"], json!(["one", "two"]));
    for hidden in [
        "x-api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
    ] {
        assert_eq!(seen["headers"][hidden], json!(["[hidden]"]), "{hidden}");
    }
    let text = seen.to_string();
    for secret in SECRETS.into_iter().chain([token]) {
        assert!(!text.contains(secret), "{secret} is shown in {text}");
    }
    assert_eq!(seen["signature_checked"], false);
    assert_eq!(
        seen["answer"],
        format!(r#"{{"status":"accepted","callback_id":"{id}","event_id":"{id}"}}"#)
    );
    assert_eq!(
        (&seen["attempts"], &seen["receipts"]),
        (&json!(1), &json!(1))
    );

    let path = format!("/v1/callbacks/{id}");
    let stranger = app.tenant("Stranger").await;
    stranger
        .api
        .get(&path)
        .await
        .expect_problem(404, "not_found");
    let list = stranger.api.get("/v1/callbacks").await.expect(200);
    assert_eq!(list["data"], json!([]));
}
