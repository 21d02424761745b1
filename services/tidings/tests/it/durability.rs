//! What the disk has when somebody is told that it has it.

use crate::commands::PROGRAM;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Api, Ingress, Launch};

const PHONE: &str = "+254700000001";
/// What a callback is known by in the trace of system calls.
const MARK: &str = "m-to-be-traced";

/// Watched from outside, system call by system call: the callback comes in, the queue's log is brought to
/// the disk, and only then the answer leaves.
#[tokio::test]
async fn a_callback_is_on_the_disk_before_it_is_answered() {
    if !is_there("strace") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("trace");
    let program = traced(root.path(), &trace);
    let process = Launch::new(&program, root.path().join("data"))
        .start()
        .await;
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
    let account = json!({ "provider": "stub", "slug": "stub", "auth": auth });
    operator
        .post("/v1/provider-accounts", account)
        .await
        .expect(201);
    let ingress = Ingress::new(&process.ingress_url());
    let report = stub_report(MARK, "DELIVRD", PHONE, None);
    let headers = [("content-type", "application/json")];
    let answer = ingress
        .post_raw("/v1/callbacks/stub/reports", &headers, report)
        .await;
    answer.expect(200);
    process.terminate(Duration::from_secs(25)).await;
    let calls = std::fs::read_to_string(&trace).unwrap();
    assert_eq!(order(&calls), Ok(()), "{}", excerpt(&calls));
}

#[test]
fn an_answer_before_the_disk_is_noticed() {
    let request = r#"1 recvfrom(9, "POST /v1/callbacks {m-to-be-traced}", 8192) = 300"#;
    let sync = "2 fdatasync(5</data/queue.db-wal>) = 0";
    let answer = r#"1 sendto(9, "HTTP/1.1 200 OK\r\nx-tidings-callback-id: cb_1", 99) = 99"#;
    let trace = |lines: &[&str]| lines.join("\n");
    assert_eq!(order(&trace(&[request, sync, answer])), Ok(()));
    for bad in [
        trace(&[request, answer, sync]),
        trace(&[sync, request, answer]),
        trace(&[request, "2 fdatasync(5</data/tidings.db-wal>) = 0", answer]),
        trace(&[
            request,
            "2 fdatasync(5</data/queue.db-wal>) = -1 EIO",
            answer,
        ]),
        trace(&[
            request,
            "2 fdatasync(5</data/queue.db-wal> <unfinished ...>",
            answer,
        ]),
        trace(&[request, sync]),
        trace(&[sync, answer]),
    ] {
        assert!(order(&bad).is_err(), "{bad}");
    }
    let begun = "2 fdatasync(5</data/queue.db-wal> <unfinished ...>";
    let resumed = "2 <... fdatasync resumed>) = 0";
    assert_eq!(order(&trace(&[request, begun, resumed, answer])), Ok(()));
}

/// Whether the disk had the callback before its answer left; what is wrong otherwise.
fn order(calls: &str) -> Result<(), &'static str> {
    let lines: Vec<&str> = calls.lines().collect();
    let came = lines.iter().position(|line| line.contains(MARK));
    let came = came.ok_or("the callback never came")?;
    let left = lines[came..]
        .iter()
        .position(|line| line.contains("200 OK") && line.contains("x-tidings-callback-id"));
    let between = &lines[came..came + left.ok_or("no answer left")?];
    if (0..between.len()).any(|number| has_synced(&between[number..])) {
        Ok(())
    } else {
        Err("the answer left before the queue was on the disk")
    }
}

/// Whether the first of these lines begins a successful sync of the queue's log, that ends among them.
fn has_synced(lines: &[&str]) -> bool {
    let Some((first, later)) = lines.split_first() else {
        return false;
    };
    let is_sync = (first.contains("fdatasync(") || first.contains("fsync("))
        && first.contains("queue.db-wal>");
    if !is_sync {
        return false;
    }
    let thread = first.split_whitespace().next();
    first.ends_with("= 0")
        || (first.ends_with("<unfinished ...>")
            && later.iter().any(|line| {
                line.split_whitespace().next() == thread
                    && line.contains("sync resumed>")
                    && line.ends_with("= 0")
            }))
}

/// The calls from the callback's coming on.
fn excerpt(calls: &str) -> String {
    let from = calls.find(MARK).unwrap_or(0).saturating_sub(200);
    calls
        .get(from..)
        .unwrap_or_default()
        .chars()
        .take(8_000)
        .collect()
}

/// A program that is ours, traced. It is itself the process, and the tracer looks on from beside it.
fn traced(root: &Path, trace: &Path) -> std::path::PathBuf {
    let script = root.join("traced");
    let calls = "trace=recvfrom,read,sendto,write,writev,sendmsg,fsync,fdatasync";
    let text = format!(
        "#!/bin/sh\nexec strace -D -f -y -s 4096 -e {calls} -o '{}' '{PROGRAM}' \"$@\"\n",
        trace.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    script
}

#[expect(clippy::print_stderr, reason = "says what was not run")]
fn is_there(program: &str) -> bool {
    let answers = Command::new(program).arg("--version").output();
    let is_there = answers.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("not run: {program} is not installed");
    }
    is_there
}
