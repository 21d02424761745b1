//! What a tenant verifies webhooks with: the published libraries of Standard Webhooks, in Rust, Python and
//! Node. `cargo xtask test` installs them, in the versions pinned in `tests/verifiers`.

use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::{Endpoint, Hit};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifiers");

/// Asks a library; none where it is not installed.
type Verifier = fn(&Path, &Value) -> Output;

#[tokio::test]
async fn webhooks_verify_with_the_published_libraries_also_during_a_rotation() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let body = json!({ "url": endpoint.url("/"), "events": ["*"],
        "signing": { "schemes": ["v1", "v1-sha512", "sha256-timestamped"] } });
    let webhook = tenant.api.post("/v1/webhooks", body).await.expect(201);
    let old = webhook["secret"].as_str().unwrap();
    let rotate = format!(
        "/v1/webhooks/{}/secret/rotate",
        webhook["id"].as_str().unwrap()
    );
    let rotated = tenant.api.post(&rotate, json!({})).await.expect(200);
    let new = rotated["secret"].as_str().unwrap();
    let data = json!({ "text": "zażółć \u{1f4e8} <&>\u{2028}", "n": 1.5 });
    tenant.publish("job.created", data).await;
    let hit = endpoint.wait_for(1, SOON).await.remove(0);
    let home = home();
    for secret in [old, new] {
        hit.verify(secret).unwrap();
        for ask in [python as Verifier, node] {
            let output = ask(&home, &request(&hit, secret));
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = format!("verified {}", hit.webhook_id());
            assert_eq!(told.trim(), expected, "{output:?}");
        }
    }
    // They say no to another body, and to another secret.
    let stranger = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut changed = hit.clone();
    *changed.body.last_mut().unwrap() = b' ';
    for (hit, secret) in [(&changed, new), (&hit, stranger)] {
        hit.verify(secret).unwrap_err();
        for ask in [python as Verifier, node] {
            let output = ask(&home, &request(hit, secret));
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("refused:"), "{said}");
        }
    }
}

/// Where they are installed: beside what is built.
fn home() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("verifiers");
    assert!(
        home.join("installed").exists(),
        "the libraries that verify webhooks are not in {}: `cargo xtask test` installs them",
        home.display()
    );
    home
}

fn request(hit: &Hit, secret: &str) -> Value {
    let headers: serde_json::Map<_, _> = hit
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let body = String::from_utf8(hit.body.clone()).unwrap();
    json!({ "secret": secret, "headers": headers, "body": body })
}

fn python(home: &Path, request: &Value) -> Output {
    let mut command = Command::new(home.join("python/bin/python"));
    command.arg(format!("{SCRIPTS}/verify.py"));
    ask(command, request)
}

fn node(home: &Path, request: &Value) -> Output {
    let mut command = Command::new("node");
    command
        .arg(format!("{SCRIPTS}/verify.cjs"))
        .env("NODE_PATH", home.join("node/node_modules"));
    ask(command, request)
}

fn ask(mut command: Command, request: &Value) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), request).unwrap();
    child.wait_with_output().unwrap()
}
