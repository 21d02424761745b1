use crate::AMPLE;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;
use tidings_testkit::{Endpoint, Reply, Simulator};

fn program(directory: &TempDir, script: &str) -> PathBuf {
    let path = directory.path().join("program");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_simulator_is_there_when_it_says_where() {
    let directory = TempDir::new().unwrap();
    let endpoint = Endpoint::start().await;
    let log = directory.path().join("log").display().to_string();
    let url = endpoint.url("");
    let script =
        format!("echo \"$*\" > {log}; echo 'simulating mtn on {url} (Ctrl-C ends)'; exec sleep 60");
    let simulator = Simulator::start(program(&directory, &script), &["--provider", "mtn"]).await;
    assert_eq!(simulator.url(), url);
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(
        said.trim(),
        "provider-simulator --listen 127.0.0.1:0 --provider mtn"
    );

    endpoint.answer_with([Reply::Status(200)]);
    simulator.set(json!({ "loss": 1 })).await;
    let hits = endpoint.wait_for(1, AMPLE).await;
    assert_eq!(hits[0].path, "/simulator/settings");
    assert_eq!(hits[0].json(), json!({ "loss": 1 }));
    assert!(!simulator.terminate().success(), "sleep ends by the signal");
}

#[tokio::test]
#[should_panic(expected = "does not say where it is")]
async fn one_that_says_something_else_is_none() {
    let directory = TempDir::new().unwrap();
    Simulator::start(program(&directory, "echo hello; exec sleep 60"), &[]).await;
}
