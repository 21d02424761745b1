//! The real process before all that can be done to it in the clear.

use super::row::{Row, SECRET, told};
use super::{LEFT_ALONE, headers, http1, receiver, tls};
use crate::app::MANY_AT_ONCE;
use crate::commands::PROGRAM;
use crate::servers::Backing;
use serde_json::json;
use testkit::{ADMIN_KEY, Api, Endpoint, Hostile, Launch, Process};

/// How much more memory it may have had at its peak, in KiB. Endless answers come at gigabytes a second.
const MOST_MORE_KIB: u64 = 200 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_answered_the_process_tells_it_apart_in_bounded_memory_and_logs_no_secret() {
    let trap = Endpoint::start().await;
    let url = trap.url("/trap");
    let rows: Vec<Row> = [http1::rows(&url), headers::rows()]
        .into_iter()
        .flatten()
        .collect();
    let hostile = receiver(&rows).await;
    let directory = tempfile::tempdir().unwrap();
    let process = launch(directory.path()).await;
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await
        .expect(201);
    let api = operator.with_key(made["api_key"].as_str().unwrap());
    let before = peak_kib(&process);
    told(&api, &hostile, &rows).await;
    hostile.until_left_alone(LEFT_ALONE).await;
    let more = peak_kib(&process) - before;
    assert!(more < MOST_MORE_KIB, "{more} KiB");
    assert_eq!(trap.connections(), 0, "no redirect is followed");
    assert!(process.is_running());
    let log = process.log();
    for private in [SECRET, "whsec_", "Bearer"] {
        assert!(!log.contains(private), "{private} is in the log");
    }
    assert!(!log.contains("panicked"), "{log}");
}

/// With everything it has to say.
async fn launch(data_dir: &std::path::Path) -> Process {
    let settings = Backing::new().await;
    let settings = settings.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let launch = Launch::new(PROGRAM, data_dir).settings(&settings);
    launch
        .setting("TIDINGS_TELEMETRY__LOG_LEVEL", "debug")
        .setting(MANY_AT_ONCE.0, MANY_AT_ONCE.1)
        .start()
        .await
}

/// The most that was ever resident (proc(5)).
fn peak_kib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}

/// A hostile receiver that is come to with TLS, and answers in the clear.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_done_instead_of_a_handshake_is_told_apart() {
    let rows = tls::instead_of_a_handshake();
    let hostile: Hostile = receiver(&rows).await;
    let app = super::start(&hostile).await;
    let tenant = app.tenant("Clinic").await;
    told(&tenant.api, &hostile, &rows).await;
    hostile.until_left_alone(LEFT_ALONE).await;
}
