//! What the disk has when somebody is told that it has it.

use crate::app::SOON;
use crate::commands::PROGRAM;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::providers::stub_report;
use testkit::{ADMIN_KEY, Answer, Api, Endpoint, Ingress, Launch, eventually};

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

/// Both databases on a disk of their own, which somebody else fills and empties again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_answered_503_loses_nothing_and_heals_by_itself() {
    if !is_there("unshare") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let disk = root.path().join("disk");
    let program = on_own_disk(root.path(), &disk);
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
    let endpoint = Endpoint::start().await;
    let webhook = json!({ "url": endpoint.url("/hook"), "events": ["job.created"] });
    operator.post("/v1/webhooks", webhook).await.expect(201);
    let ingress = Ingress::new(&process.ingress_url());

    let inside = format!("/proc/{}/root{}", process.pid(), disk.display());
    let ballast = Path::new(&inside).join("ballast");
    fill(&ballast);
    let mut accepted = BTreeSet::new();
    let refused = loop {
        assert!(accepted.len() < 10_000, "the disk never was full");
        match publish(&operator).await {
            Ok(id) => assert!(accepted.insert(id), "an id came twice"),
            Err(answer) => break answer,
        }
    };
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    let mut reports = 0;
    let refused = loop {
        assert!(reports < 10_000, "the disk never was full");
        let answer = report(&ingress, reports).await;
        if answer.status != 200 {
            break answer;
        }
        reports += 1;
    };
    assert_eq!(refused.status, 503, "{refused}");
    assert!(refused.header("retry-after").is_some(), "{refused}");

    std::fs::remove_file(&ballast).unwrap();
    eventually("the disk has room and is used", SOON, async || {
        let published = publish(&operator).await;
        accepted.insert(published.map_err(|answer| answer.to_string())?);
        let answer = report(&ingress, reports).await;
        (answer.status == 200)
            .then_some(())
            .ok_or_else(|| answer.to_string())
    })
    .await;
    let told = endpoint
        .wait_until(
            |hits| {
                let told: BTreeSet<&str> = hits.iter().map(testkit::Hit::webhook_id).collect();
                accepted.iter().all(|id| told.contains(id.as_str()))
            },
            SOON,
        )
        .await;
    assert!(told.len() >= accepted.len());
    let newest = "/v1/callbacks?limit=1";
    let is_processed = |found: &Value| found["data"][0]["status"] == "processed";
    operator.get_until(newest, is_processed, SOON).await;
    let ended = process.terminate(Duration::from_secs(25)).await;
    assert!(ended.success(), "{}", process.log());
}

async fn publish(operator: &Api) -> Result<String, Answer> {
    let event = json!({ "type": "job.created", "data": { "text": "x".repeat(2_000) } });
    let answer = operator.post("/v1/events", event).await;
    if answer.status == 202 {
        return Ok(answer.body["id"].as_str().unwrap().to_owned());
    }
    Err(answer)
}

async fn report(ingress: &Ingress, number: usize) -> Answer {
    let report = stub_report(&format!("m-{number}"), "DELIVRD", PHONE, None);
    let headers = [("content-type", "application/json")];
    ingress
        .post_raw("/v1/callbacks/stub/reports", &headers, report)
        .await
}

/// Leaves no byte free on a disk.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    for size in [64 * 1024, 4 * 1024, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}

/// The program, with its databases on a small disk that only it sees (and `/proc/PID/root`).
fn on_own_disk(root: &Path, disk: &Path) -> std::path::PathBuf {
    let data = root.join("data");
    std::fs::create_dir(disk).unwrap();
    std::fs::create_dir(&data).unwrap();
    for name in ["tidings.db", "queue.db"] {
        std::os::unix::fs::symlink(disk.join(name), data.join(name)).unwrap();
    }
    let disk = disk.display();
    let inside = format!(r#"mount -t tmpfs -o size=16m tmpfs "{disk}" && exec "{PROGRAM}" "$@""#);
    let alone = "unshare --user --map-root-user --mount";
    script(
        &root.join("on-own-disk"),
        &format!(r#"exec {alone} sh -c '{inside}' tidings "$@""#),
    )
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
    let calls = "trace=recvfrom,read,sendto,write,writev,sendmsg,fsync,fdatasync";
    let trace = trace.display();
    script(
        &root.join("traced"),
        &format!("exec strace -D -f -y -s 4096 -e {calls} -o '{trace}' '{PROGRAM}' \"$@\""),
    )
}

fn script(path: &Path, command: &str) -> std::path::PathBuf {
    std::fs::write(path, format!("#!/bin/sh\n{command}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_owned()
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
