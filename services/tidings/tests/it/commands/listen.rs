use super::PROGRAM;
use crate::app::{SOON, TestApp};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A running `tidings listen`; killed when dropped.
struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Listening {
    async fn start(args: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["listen", "--port", "0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let url = first.strip_prefix("listening on ").unwrap();
        let url = url.strip_suffix(" (Ctrl-C ends)").unwrap().to_owned();
        Self { child, lines, url }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(SOON, self.lines.next_line()).await;
        line.unwrap().unwrap().unwrap()
    }
}

#[tokio::test]
async fn it_prints_what_arrives_and_whether_it_is_genuine() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let mut right = Listening::start(&["--secret", SECRET]).await;
    let mut wrong = Listening::start(&["--secret", OTHER]).await;
    let mut careless = Listening::start(&[]).await;
    assert!(careless.line().await.contains("--secret whsec_"));
    for url in [&right.url, &wrong.url, &careless.url] {
        let body = json!({ "url": format!("{url}/any/path"), "events": ["*"], "secret": SECRET });
        tenant.api.post("/v1/webhooks", body).await.expect(201);
    }
    let event = tenant.publish("job.created", json!({ "n": 1.50 })).await;
    for (listening, verdict) in [
        (&mut right, "  signature verified"),
        (&mut wrong, "  NOT VERIFIED: "),
        (&mut careless, "  signature not checked"),
    ] {
        let line = listening.line().await;
        assert!(line.contains(&event) && line.contains(verdict), "{line}");
        let body = listening.line().await;
        assert!(body.starts_with(&format!("{{\"id\":\"{event}\"")), "{body}");
    }
    // It ends politely.
    let pid = right.child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let ended = tokio::time::timeout(Duration::from_secs(5), right.child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
}
