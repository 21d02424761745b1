use super::PROGRAM;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::{ADMIN_KEY, Api, Endpoint, Launch, Process, Reply, eventually};

const SOON: Duration = Duration::from_secs(10);
/// What an orchestrator grants.
const GRACE: Duration = Duration::from_secs(25);

async fn subscribe(server: &Process, endpoint: &Endpoint) -> Api {
    let operator = Api::new(&server.api_url(), ADMIN_KEY);
    let body = json!({ "url": endpoint.url("/hook"), "events": ["*"] });
    operator.post("/v1/webhooks", body).await.expect(201);
    operator
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_ends_well_and_what_was_accepted_is_told() {
    let root = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Delay(Duration::from_millis(30), 200)]);
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    let operator = subscribe(&server, &endpoint).await;
    let (accepted, is_over) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    let body = json!({ "type": "job.created", "data": {} });
    let publish = async || {
        while !is_over.load(Ordering::Relaxed) {
            match operator.try_post("/v1/events", &[], &body).await {
                Ok(answer) if answer.status == 202 => {
                    let id = answer.body["id"].as_str().unwrap().to_owned();
                    accepted.lock().unwrap().insert(id);
                }
                // Closed, or closing.
                Ok(answer) => assert_eq!(answer.status, 503, "{answer}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let end = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let ended = server.terminate(GRACE).await;
        is_over.store(true, Ordering::Relaxed);
        assert!(ended.success(), "{}", server.log());
    };
    tokio::join!(end, publish(), publish(), publish(), publish());
    let log = server.log();
    assert!(log.contains("draining") && log.contains("ended"), "{log}");
    assert!(!log.contains("did not end in time"), "{log}");

    let _again = Process::start(PROGRAM, root.path(), &[]).await;
    let accepted = accepted.into_inner().unwrap();
    assert!(accepted.len() > 20, "the load was real: {}", accepted.len());
    let told = |hits: &[testkit::Hit]| -> BTreeSet<String> {
        hits.iter().map(|hit| hit.webhook_id().to_owned()).collect()
    };
    endpoint
        .wait_until(
            |hits| told(hits).is_superset(&accepted),
            Duration::from_secs(20),
        )
        .await;
}

#[tokio::test]
async fn an_attempt_that_hangs_is_waited_for_and_a_second_signal_is_not_patient() {
    let root = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Hang]);
    let launch = || Launch::new(PROGRAM, root.path()).setting("TIDINGS_DISPATCHER__TIMEOUT", "4s");
    let server = launch().start().await;
    let operator = subscribe(&server, &endpoint).await;
    let event = json!({ "type": "job.created", "data": {} });
    operator.post("/v1/events", &event).await.expect(202);
    endpoint.wait_for(1, SOON).await;
    let begun = Instant::now();
    let ended = server.terminate(GRACE);
    // While it drains it is live, and not ready.
    let admin = Api::anonymous(&server.admin_url());
    let unready: Value = eventually("it is not ready", SOON, async || {
        let answer = admin.get("/readyz").await;
        if answer.status == 503 {
            Ok(answer.body)
        } else {
            Err(answer)
        }
    })
    .await;
    assert_eq!(unready["ready"], false);
    assert_eq!(unready["checks"]["shutdown"]["ok"], false);
    admin.get("/livez").await.expect(200);
    assert!(ended.await.success(), "{}", server.log());
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "it waited: {:?}",
        begun.elapsed()
    );

    let server = launch()
        .setting("TIDINGS_DISPATCHER__TIMEOUT", "20s")
        .start()
        .await;
    let operator = Api::new(&server.api_url(), ADMIN_KEY);
    operator.post("/v1/events", &event).await.expect(202);
    endpoint.wait_for(2, SOON).await;
    let begun = Instant::now();
    server.signal("INT");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(server.is_running(), "{}", server.log());
    let ended = server.terminate(GRACE).await;
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert!(ended.success(), "{ended}: {}", server.log());
}
