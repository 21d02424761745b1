use crate::{AMPLE, SHORT};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use tempfile::TempDir;
use tidings_testkit::{ADMIN_KEY, Endpoint, Launch, Process, eventually};

/// Says what it was given, and last of all its addresses.
const TELL: &str = r#"
    env
    echo "arguments: $*"
    echo "to stderr" >&2
    printf '{"ingress":"127.0.0.1:1","subscriptions":"127.0.0.1:2","admin":"127.0.0.1:%s"}' \
        "$FAKE_ADMIN_PORT" > "$TIDINGS_DATA_DIR/addresses.json"
"#;

/// A program, a data directory and an admin listener.
struct Scene {
    directory: TempDir,
    admin: Endpoint,
}

impl Scene {
    async fn set() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            admin: Endpoint::start().await,
        }
    }

    fn program(&self, script: &str) -> PathBuf {
        let path = self.directory.path().join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn launch(&self, script: &str) -> Launch {
        let program = self.program(script);
        let port = self.admin.port().to_string();
        Launch::new(program, self.directory.path()).setting("FAKE_ADMIN_PORT", &port)
    }

    async fn start(&self, script: &str) -> Process {
        self.launch(script).start().await
    }
}

#[tokio::test]
async fn a_process_is_there_when_it_is_ready() {
    let scene = Scene::set().await;
    scene.admin.answer_with([503, 503, 200]);
    let process = scene.start(&format!("{TELL} exec sleep 60")).await;

    assert_eq!(process.ingress_url(), "http://127.0.0.1:1");
    assert_eq!(process.api_url(), "http://127.0.0.1:2");
    assert_eq!(process.admin_url(), scene.admin.url(""));
    let asked: Vec<_> = scene.admin.hits().into_iter().map(|hit| hit.path).collect();
    assert_eq!(asked, ["/readyz"; 3]);
    assert!(process.is_running());
    let key = format!("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY={ADMIN_KEY}");
    assert!(process.log().lines().any(|line| line == key));
}

#[tokio::test]
async fn its_environment_is_clean_and_its_settings_can_be_replaced() {
    let scene = Scene::set().await;
    let process = scene
        .launch(&format!("{TELL} exec sleep 60"))
        .settings(&[("TIDINGS_INGRESS__LISTEN", "127.0.0.1:8080")])
        .without_setting("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY")
        .roles(&["ingress", "tracker"])
        .start()
        .await;

    let log = process.log();
    for line in [
        "TIDINGS_INGRESS__LISTEN=127.0.0.1:8080",
        "TIDINGS_SUBSCRIPTIONS__LISTEN=127.0.0.1:0",
        "TIDINGS_RUNTIME__ADMIN_LISTEN=127.0.0.1:0",
        "TIDINGS_EGRESS__ALLOW_NETWORKS=127.0.0.0/8",
        &format!("TIDINGS_DATA_DIR={}", scene.directory.path().display()),
        "arguments: run --roles ingress,tracker",
        "to stderr",
    ] {
        assert!(log.lines().any(|found| found == line), "{line} in {log}");
    }
    assert!(!log.contains("ADMIN_KEY"), "{log}");
    assert!(!log.contains("CARGO_MANIFEST_DIR"), "{log}");
}

#[tokio::test]
async fn a_killed_process_is_gone() {
    let scene = Scene::set().await;
    let process = scene
        .start(&format!("trap '' TERM; {TELL} while :; do sleep 0.1; done"))
        .await;
    process.signal("TERM");
    assert!(process.is_running(), "it ignores that");
    process.kill();
    assert!(!process.is_running());
    assert_eq!(process.wait(AMPLE).await.signal(), Some(9));
    process.kill();
    process.signal("TERM");
}

#[tokio::test]
async fn a_terminated_process_may_finish_its_work() {
    let scene = Scene::set().await;
    let process = scene
        .start(&format!(
            "trap 'echo bye; exit 7' TERM; {TELL} while :; do sleep 0.05; done"
        ))
        .await;
    assert_eq!(process.terminate(AMPLE).await.code(), Some(7));
    assert!(process.log().contains("bye"));
    assert!(!process.is_running());
}

#[tokio::test]
async fn a_process_ends_with_its_value() {
    let scene = Scene::set().await;
    let process = scene.start(&format!("{TELL} exec sleep 60")).await;
    let pid = process.pid();
    drop(process);
    let alive = Process::run_command("kill", &["-0", &pid.to_string()], &[]).await;
    assert!(!alive.status.success());
}

#[tokio::test]
async fn a_frozen_process_stands_still_until_it_is_thawed() {
    let scene = Scene::set().await;
    let script = format!("trap 'exit 7' TERM; {TELL} while :; do echo tick; sleep 0.01; done");
    let process = scene.start(&script).await;
    let ticks = || process.log().matches("tick").count();

    process.freeze();
    assert!(process.is_running());
    tokio::time::sleep(SHORT).await;
    let before = ticks();
    tokio::time::sleep(SHORT).await;
    assert_eq!(ticks(), before);

    process.thaw();
    eventually("it goes on", AMPLE, async || {
        (ticks() > before).then_some(())
    })
    .await;
    assert_eq!(process.terminate(AMPLE).await.code(), Some(7));
}

#[tokio::test]
async fn a_frozen_process_ends_with_its_value_too() {
    let scene = Scene::set().await;
    let process = scene.start(&format!("{TELL} exec sleep 60")).await;
    let pid = process.pid().to_string();
    process.freeze();
    drop(process);
    let alive = Process::run_command("kill", &["-0", &pid], &[]).await;
    assert!(!alive.status.success());
}

#[tokio::test]
async fn many_processes_run_at_once_each_with_its_own_addresses_and_log() {
    let scenes = [Scene::set().await, Scene::set().await, Scene::set().await];
    let mut processes = Vec::new();
    for scene in &scenes {
        let launch = scene.launch(&format!("{TELL} exec sleep 60"));
        processes.push(launch.roles(&["tracker"]).start().await);
    }
    for (scene, process) in scenes.iter().zip(&processes) {
        assert_eq!(process.admin_url(), scene.admin.url(""));
        let directory = scene.directory.path().display().to_string();
        assert!(process.log().contains(&directory), "{}", process.log());
    }
    processes[0].kill();
    assert!(processes[1].is_running() && processes[2].is_running());
}

#[tokio::test]
#[should_panic(expected = "no listener ingress in addresses.json")]
async fn a_process_without_a_role_has_no_address_of_it() {
    let scene = Scene::set().await;
    let tell = TELL.replace("\"ingress\":\"127.0.0.1:1\",", "");
    let launch = scene.launch(&format!("{tell} exec sleep 60"));
    let process = launch.roles(&["tracker"]).start().await;
    process.ingress_url();
}

#[tokio::test]
async fn the_addresses_of_an_earlier_process_are_not_believed() {
    let scene = Scene::set().await;
    let addresses = scene.directory.path().join("addresses.json");
    fs::write(&addresses, r#"{"admin":"127.0.0.1:9"}"#).unwrap();
    let process = scene
        .start(&format!("sleep 0.2; {TELL} exec sleep 60"))
        .await;
    assert_eq!(process.admin_url(), scene.admin.url(""));
}

#[tokio::test]
async fn a_process_can_be_watched_before_it_is_ready() {
    let scene = Scene::set().await;
    scene.admin.answer_with(503);
    let launch = scene.launch(&format!("{TELL} exec sleep 60"));
    let process = launch.without_waiting_for_ready().start().await;
    assert!(process.is_running());
    assert_eq!(scene.admin.hits().len(), 0);
}

#[tokio::test]
#[should_panic(expected = "no such key: frobnicate")]
async fn a_process_that_does_not_start_shows_why() {
    let scene = Scene::set().await;
    scene
        .start("echo 'no such key: frobnicate' >&2; exit 2")
        .await;
}

#[tokio::test]
async fn a_command_runs_to_its_end_with_a_clean_environment() {
    let scene = Scene::set().await;
    let program = scene.program("env; echo \"$*\" >&2; exit 3");
    let output = Process::run_command(program, &["tenant", "create"], &[("NAME", "value")]).await;
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stderr, b"tenant create\n");
    let env = String::from_utf8(output.stdout).unwrap();
    assert!(env.contains("NAME=value") && env.contains("PATH="), "{env}");
    assert!(!env.contains("CARGO_MANIFEST_DIR"), "{env}");
}
