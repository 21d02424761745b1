//! Requests that nobody thought of: schemathesis makes them from the API's document, good ones and bad ones, and
//! looks whether the answers are those that the document says. `cargo xtask test` installs it, in the version
//! pinned here. A binary of its own: in the short run this is done in one mode.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

#[path = "../it/app.rs"]
#[expect(
    dead_code,
    reason = "shared with the other binary, which uses the rest"
)]
mod app;
#[path = "../it/raised.rs"]
mod raised;
#[path = "../it/servers.rs"]
#[expect(
    dead_code,
    reason = "shared with the other binary, which uses the rest"
)]
mod servers;

use app::TestApp;
use serde_json::Value;
use servers::variable;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use testkit::ADMIN_KEY;
use tokio::process::Command;

/// How many requests are tried of each operation besides those that its bounds suggest; the long run sets it.
const EXAMPLES: &str = "TIDINGS_TEST_EXAMPLES";
const USUAL_EXAMPLES: &str = "5";
/// It hangs, where it takes this long.
const LIMIT: Duration = Duration::from_mins(30);
/// Good requests are refused too, for what no schema says: a webhook that is not there, a slug that is taken, a
/// beginning that ends before it begins.
const NOT_CHECKED: &str = "positive_data_acceptance";

#[tokio::test]
async fn no_request_made_from_the_document_is_answered_otherwise_than_it_says() {
    // What is told to webhooks with addresses that were made up leaves nowhere.
    let app = TestApp::start_with(&[("TIDINGS_EGRESS__PROXY", "http://127.0.0.1:9")]).await;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = here.join("../../docs/openapi.json");
    let examples = variable(EXAMPLES).unwrap_or_else(|| USUAL_EXAMPLES.to_owned());
    let mut command = Command::new(program());
    command
        .arg("--config-file")
        .arg(here.join("tests/generated/schemathesis.toml"))
        .args(["--no-color", "run"])
        .arg(&document)
        .args(["--url", app.operator.base_url()])
        .args(["--header", &format!("Authorization: Bearer {ADMIN_KEY}")])
        .args(["--checks", "all", "--exclude-checks", NOT_CHECKED])
        .args(["--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--mode", "all", "--generation-deterministic", "--no-shrink"])
        .arg("--max-examples")
        .arg(examples)
        .args(["--continue-on-failure", "--suppress-health-check", "all"])
        .args(["--warnings", "off", "--request-timeout", "30"])
        // What it remembers of earlier runs would make this one another.
        .current_dir(app.data_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.output()).await;
    let output = ended.expect("schemathesis ended in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{output:?}");
    let all = operations(&document);
    let tested = format!("Tested: {all}");
    assert!(
        said.contains(&tested),
        "not all {all} operations were tested: {said}"
    );
}

/// Where it is installed: beside what is built.
fn program() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("generated");
    assert!(
        home.join("installed").exists(),
        "schemathesis is not in {}: `cargo xtask test` installs it",
        home.display()
    );
    home.join("python/bin/schemathesis")
}

fn operations(document: &Path) -> usize {
    let document: Value = serde_json::from_slice(&std::fs::read(document).unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum()
}
