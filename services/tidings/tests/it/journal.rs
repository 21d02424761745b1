//! The journal of the ingress: callbacks are accepted and kept while RabbitMQ takes nothing, and forwarded
//! when it does.

use crate::app::SOON;
use crate::distributed::{PATH, PROGRAM, behind_proxy, set_up};
use crate::servers::Servers;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::providers::stub_report;
use testkit::{Answer, Api, Endpoint, Ingress, Launch, Process, Proxy, eventually};

const PHONE: &str = "+254700000001";
/// Less than any timeout of ours.
const AT_ONCE: Duration = Duration::from_millis(900);

/// An ingress whose way to RabbitMQ can be cut, and the other roles, whose way cannot.
struct Scene {
    servers: Servers,
    rabbit: Proxy,
    settings: Vec<(&'static str, &'static str)>,
    root: TempDir,
    ingress: Process,
    others: Process,
    endpoint: Endpoint,
    tenant: Api,
}

impl Scene {
    async fn new(settings: &[(&'static str, &'static str)]) -> Option<Self> {
        let mut servers = Servers::find().await?;
        let root = tempfile::tempdir().unwrap();
        let others = launch(&servers, &root.path().join("others"))
            .roles(&["tracker", "dispatcher", "subscriptions"])
            .start()
            .await;
        let rabbit = behind_proxy(&mut servers.amqp).await;
        let ingress = door(&servers, root.path(), settings).start().await;
        let endpoint = Endpoint::start().await;
        let tenant = set_up(&others.api_url(), &endpoint).await;
        Some(Self {
            servers,
            rabbit,
            settings: settings.to_vec(),
            root,
            ingress,
            others,
            endpoint,
            tenant,
        })
    }

    fn door(&self) -> Launch {
        door(&self.servers, self.root.path(), &self.settings)
    }

    async fn message(&self, id: &str) {
        let message =
            json!({ "provider_account": "clinic", "provider_message_id": id, "to": PHONE });
        self.tenant.post("/v1/messages", message).await.expect(201);
    }

    async fn report(&self, id: &str) -> Answer {
        let body: Value = serde_json::from_str(&stub_report(id, "DELIVRD", PHONE, None)).unwrap();
        Ingress::new(&self.ingress.ingress_url())
            .post_json(PATH, body)
            .await
    }

    /// The callbacks as their tenant sees them.
    async fn callbacks(&self) -> Vec<Value> {
        let found = self.tenant.get("/v1/callbacks?limit=100").await.expect(200);
        found["data"].as_array().unwrap().clone()
    }

    async fn until_told(&self, deliveries: usize) {
        self.endpoint.wait_for(deliveries, SOON * 2).await;
    }

    async fn until_drained(&self) {
        eventually("the journal is empty", SOON * 2, async || {
            (self.metric("tidings_journal_bytes").await == 0.0).then_some(())
        })
        .await;
    }

    async fn metric(&self, line: &str) -> f64 {
        let admin = Api::anonymous(&self.ingress.admin_url());
        let metrics = admin.get("/metrics").await;
        let found = metrics.text.lines().find(|found| found.starts_with(line));
        found.map_or(0.0, |found| {
            found.rsplit(' ').next().unwrap().parse().unwrap()
        })
    }

    async fn end(self) {
        for process in [&self.ingress, &self.others] {
            let status = process.terminate(Duration::from_secs(25)).await;
            assert!(status.success(), "{}", process.log());
        }
    }
}

fn launch(servers: &Servers, data_dir: &Path) -> Launch {
    let settings = servers.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Launch::new(PROGRAM, data_dir).settings(&settings)
}

fn door(servers: &Servers, root: &Path, settings: &[(&str, &str)]) -> Launch {
    launch(servers, &root.join("door"))
        .settings(settings)
        .roles(&["ingress"])
}

#[tokio::test]
async fn callbacks_are_accepted_without_rabbitmq_survive_a_kill_and_are_told_when_it_is_back() {
    let Some(mut scene) = Scene::new(&[]).await else {
        return;
    };
    for number in 0..20 {
        scene.message(&format!("j-{number}")).await;
    }
    scene.report("j-0").await.expect(200);
    scene.until_told(1).await;
    scene.rabbit.cut();
    // What is on its way meanwhile may still wait for its confirm.
    scene.report("j-1").await.expect(200);
    for number in 2..10 {
        let asked = Instant::now();
        let accepted = scene.report(&format!("j-{number}")).await.expect(200);
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
        assert_eq!(accepted["status"], "accepted");
    }
    eventually("the journal's size is told", SOON, async || {
        (scene.metric("tidings_journal_bytes").await > 0.0).then_some(())
    })
    .await;
    let is_told = |ready: &Value| {
        let broker = ready["checks"]["broker"]["detail"].as_str();
        broker.is_some_and(|detail| detail.contains("kept in the journal"))
    };
    let admin = Api::anonymous(&scene.ingress.admin_url());
    admin.get_until("/readyz", is_told, SOON).await;

    scene.ingress.kill();
    let again = scene.door().without_waiting_for_ready().start().await;
    scene.ingress = again;
    for number in 10..20 {
        scene.report(&format!("j-{number}")).await.expect(200);
    }
    assert_eq!(scene.endpoint.hits().len(), 1);
    scene.rabbit.heal().await;
    scene.until_told(20).await;
    scene.until_drained().await;
    let forwarded = r#"tidings_journal_records_total{outcome="forwarded"}"#;
    assert!(scene.metric(forwarded).await >= 18.0);
    let callbacks = scene.callbacks().await;
    assert_eq!(callbacks.len(), 20);
    for callback in &callbacks {
        assert_eq!(callback["status"], "processed", "{callback}");
        assert_eq!(
            callback["receipts"], 1,
            "a job that is carried twice is one"
        );
    }
    scene.end().await;
}

#[tokio::test]
async fn a_rabbitmq_that_confirms_too_late_costs_one_wait_and_no_job_is_done_twice() {
    let Some(scene) = Scene::new(&[]).await else {
        return;
    };
    for number in 0..6 {
        scene.message(&format!("j-{number}")).await;
    }
    scene.report("j-0").await.expect(200);
    scene.rabbit.freeze();
    let asked = Instant::now();
    scene.report("j-1").await.expect(200);
    assert!(asked.elapsed() < Duration::from_secs(3));
    for number in 2..6 {
        let asked = Instant::now();
        scene.report(&format!("j-{number}")).await.expect(200);
        assert!(
            asked.elapsed() < AT_ONCE,
            "what is known to be slow is not waited for: {:?}",
            asked.elapsed()
        );
    }
    scene.rabbit.heal().await;
    scene.until_told(6).await;
    scene.until_drained().await;
    let late = r#"tidings_journal_records_total{outcome="confirmed_late"}"#;
    assert!(scene.metric(late).await >= 1.0);
    let callbacks = scene.callbacks().await;
    assert_eq!(callbacks.len(), 6);
    assert!(callbacks.iter().all(|callback| callback["receipts"] == 1));
    scene.end().await;
}

#[tokio::test]
async fn a_full_journal_is_answered_503_and_takes_callbacks_again_once_it_was_forwarded() {
    let small = ("TIDINGS_INGRESS__JOURNAL__MAX_BYTES", "16777216");
    let Some(scene) = Scene::new(&[small]).await else {
        return;
    };
    scene.rabbit.cut();
    let ingress = Ingress::new(&scene.ingress.ingress_url());
    let mut accepted = 0;
    let refused = loop {
        let body = json!({
            "messageId": format!("f-{accepted}"), "to": PHONE, "status": "DELIVRD",
            "padding": "x".repeat(200_000),
        });
        let answer = ingress.post_json(PATH, body).await;
        if answer.status != 200 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 200, "it has no end");
    };
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    let admin = Api::anonymous(&scene.ingress.admin_url());
    eventually("it is not ready", SOON, async || {
        let said = admin.get("/readyz").await;
        let check = &said.body["checks"]["ingress.journal"];
        (said.status == 503 && check["ok"] == false).then_some(())
    })
    .await;
    scene.rabbit.heal().await;
    scene.until_drained().await;
    scene.message("j-1").await;
    eventually("it takes callbacks again", SOON, async || {
        (scene.report("j-1").await.status == 200).then_some(())
    })
    .await;
    scene.until_told(1).await;
    eventually("everything accepted is recorded", SOON, async || {
        let found = scene.callbacks().await;
        (found.len() == accepted + 1).then_some(())
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn switched_off_there_is_no_journal_and_callbacks_are_answered_503() {
    let off = ("TIDINGS_INGRESS__JOURNAL__ENABLED", "false");
    let Some(scene) = Scene::new(&[off]).await else {
        return;
    };
    scene.message("j-1").await;
    scene.rabbit.cut();
    let refused = scene.report("j-1").await;
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    scene.rabbit.heal().await;
    eventually("it is accepted", SOON, async || {
        (scene.report("j-1").await.status == 200).then_some(())
    })
    .await;
    scene.until_told(1).await;
    assert!(!scene.root.path().join("door/journal").exists());
    scene.end().await;
}

#[tokio::test]
async fn an_ingress_that_stops_without_rabbitmq_says_which_file_holds_what_and_the_next_forwards_it()
 {
    let Some(mut scene) = Scene::new(&[]).await else {
        return;
    };
    for number in 0..3 {
        scene.message(&format!("j-{number}")).await;
    }
    scene.rabbit.cut();
    for number in 0..3 {
        scene.report(&format!("j-{number}")).await.expect(200);
    }
    let status = scene.ingress.terminate(Duration::from_secs(25)).await;
    let log = scene.ingress.log();
    assert!(status.success(), "{log}");
    let said = log
        .lines()
        .find(|line| line.contains("stay in the journal"));
    let said = said.unwrap_or_else(|| panic!("{log}"));
    assert!(said.contains(".journal"), "{said}");
    scene.rabbit.heal().await;
    let again = scene.door().start().await;
    scene.ingress = again;
    scene.until_told(3).await;
    scene.until_drained().await;
    scene.end().await;
}
