use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use tidings_testkit::ServerControl;

fn control(directory: &TempDir, script: &str) -> ServerControl {
    let path = directory.path().join("control");
    fs::write(&path, format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    ServerControl::new(path)
}

#[tokio::test]
async fn a_server_is_stopped_and_started() {
    let directory = TempDir::new().unwrap();
    let control = control(&directory, "echo \"$*\" >> done");
    control.stop().await;
    control.start().await;
    control.restart().await;
    let done = fs::read_to_string(directory.path().join("done")).unwrap();
    assert_eq!(done, "stop\nstart\nrestart\n");
}

#[tokio::test]
#[should_panic(expected = "no such server")]
async fn a_server_that_does_not_start_is_a_failure() {
    let directory = TempDir::new().unwrap();
    let control = control(&directory, "echo no such server >&2; exit 1");
    control.start().await;
}
