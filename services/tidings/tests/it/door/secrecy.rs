//! What is secret, and whom a message is for, is in no log, no metric and no answer.

use super::*;
use std::path::Path;
use std::time::Duration;
use testkit::providers::hmac_sha256_hex;
use testkit::{ADMIN_KEY, Api, Endpoint, Ingress, Process};

const SIGNING: &str = "signing-secret-of-the-provider";
const KEY: &str = "api-key-of-the-provider";
const NUMBER: &str = "254711223344";
const TEXT: &str = "tomorrow-at-noon";

/// An account with everything secret it can have; its path with its token.
async fn account(tenant: &Api, slug: &str) -> String {
    let auth = json!([
        { "type": "token" },
        { "type": "api_key", "header": "X-Api-Key", "key": KEY },
        { "type": "hmac", "secret": SIGNING, "algorithm": "sha256", "encoding": "hex",
          "header": "X-Signature" },
    ]);
    let body = json!({ "provider": "stub", "slug": slug, "auth": auth });
    let made = tenant.post("/v1/provider-accounts", body).await.expect(201);
    let url = made["callback_urls"]["reports"].as_str().unwrap();
    url.split_once("/v1/")
        .map(|(_, path)| format!("/v1/{path}"))
        .unwrap()
}

/// Every way to call an account well and badly; what was answered.
async fn call(ingress: &Ingress, path: &str, body: &str) -> Vec<Answer> {
    let signature = hmac_sha256_hex(SIGNING, body);
    let all = [JSON, ("x-api-key", KEY), ("x-signature", &*signature)];
    let signature_of_nothing = hmac_sha256_hex(SIGNING, "");
    let of_nothing = [all[1], ("x-signature", &*signature_of_nothing)];
    let auth = [("authorization", KEY), ("cookie", KEY), ("x-api-key", KEY)];
    let inbound = path.replace("reports", "inbound");
    let query = format!("{path}?to=%2B{NUMBER}&text={TEXT}&key={KEY}");
    let broken = format!("{body}{{");
    let type_of = [("content-type", TEXT), all[1], all[2]];
    vec![
        ingress.post_raw(path, &all, body).await,
        ingress.post_raw(&inbound, &all, body).await,
        ingress.post_raw(path, &type_of, body).await,
        ingress.post_raw(path, &all[..2], body).await,
        ingress.post_raw(path, &auth, body).await,
        ingress.post_raw(path, &[], body).await,
        ingress
            .post_raw(&format!("{path}/{TEXT}"), &all, body)
            .await,
        ingress
            .post_raw(&path.replace("reports", TEXT), &all, body)
            .await,
        ingress.post_raw(path, &all, &*broken).await,
        ingress.request("GET", &query, &of_nothing, "").await,
        ingress.request("DELETE", &query, &all, body).await,
        ingress.request("GET", path, &all, "").await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_and_nobodys_number_is_in_a_log_a_metric_or_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_tidings"));
    let settings = [
        ("TIDINGS_TELEMETRY__LOG_LEVEL", "debug"),
        ("TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE", "8"),
    ];
    let process = Process::start(program, directory.path(), &settings).await;
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await
        .expect(201);
    let tenant_key = made["api_key"].as_str().unwrap().to_owned();
    let tenant = operator.with_key(&tenant_key);
    let path = account(&tenant, "clinic").await;
    let token = path.split('/').nth(4).unwrap();
    let endpoint = Endpoint::start().await;
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    let webhook = tenant.post("/v1/webhooks", webhook).await.expect(201);
    let webhook_secret = webhook["secret"].as_str().unwrap();
    let to = format!("+{NUMBER}");
    let message = json!({ "provider_account": "clinic", "provider_message_id": "m-1", "to": to });
    tenant.post("/v1/messages", message).await.expect(201);

    let ingress = Ingress::new(&process.ingress_url());
    let body = json!({
        "messageId": "m-1", "to": to, "status": "DELIVRD", "text": TEXT, "from": to,
    });
    let mut answers = call(&ingress, &path, &body.to_string()).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(
        statuses,
        [200, 200, 415, 401, 401, 401, 404, 404, 401, 405, 405, 200]
    );
    endpoint.wait_for(1, SOON).await;
    answers.push(
        ingress
            .post_raw("/v1/callbacks/nobody/reports", &[], KEY)
            .await,
    );
    for _ in 0..8 {
        let guess = format!("/v1/callbacks/nobody/{token}/reports");
        answers.push(ingress.post_raw(&guess, &[], TEXT).await);
    }
    assert_eq!(answers.last().map(|answer| answer.status), Some(429));
    let admin = Api::anonymous(&process.admin_url());
    answers.push(admin.get("/metrics").await);
    answers.push(admin.get("/readyz").await);
    let ended = process.terminate(Duration::from_secs(25)).await;
    assert!(ended.success(), "{}", process.log());

    let log = process.log();
    assert!(
        log.contains("DEBUG"),
        "the log is as talkative as it was asked to be: {log}"
    );
    assert!(log.contains("callbacks were refused"), "{log}");
    let tells = |answer: &Answer, secret: &str| {
        format!("{:?} {}", answer.headers, answer.text).contains(secret)
    };
    let secrets = [
        SIGNING,
        KEY,
        NUMBER,
        TEXT,
        token,
        webhook_secret,
        &tenant_key,
        ADMIN_KEY,
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
        let answer = answers.iter().find(|answer| tells(answer, secret));
        assert!(answer.is_none(), "{secret} is in {answer:?}");
    }
    let raw_signature = hmac_sha256_hex(SIGNING, body.to_string());
    assert!(!log.contains(&raw_signature), "a signature is in the log");
}
