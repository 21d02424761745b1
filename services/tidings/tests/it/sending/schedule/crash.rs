//! The same in the real process, which is killed in the middle. Its clock cannot be moved: what waits
//! is made due in the store instead.

use super::{STANDARD, next_after, with_jitter};
use crate::app::SOON;
use crate::commands::PROGRAM;
use crate::servers::Backing;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, Endpoint, Launch, Process, Reply};

/// A lease of somebody who was killed lasts for 8 s.
const PATIENCE: Duration = Duration::from_secs(25);

struct Installation {
    root: tempfile::TempDir,
    backing: Backing,
    /// Who sends, and is killed.
    sender: Process,
    /// The API, where it is another process.
    beside: Option<Process>,
}

impl Installation {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let backing = Backing::new().await;
        let beside = match backing {
            Backing::Files => None,
            Backing::Servers(_) => {
                let roles = ["subscriptions"];
                let directory = root.path().join("beside");
                Some(launch(&backing, &directory).roles(&roles).start().await)
            }
        };
        Self {
            sender: sender(&backing, root.path()).await,
            root,
            backing,
            beside,
        }
    }

    fn api_url(&self) -> String {
        self.beside.as_ref().unwrap_or(&self.sender).api_url()
    }

    async fn kill(&mut self) {
        self.sender.kill();
        self.sender = sender(&self.backing, self.root.path()).await;
    }

    async fn make_due(&self) {
        let file = self.root.path().join("sender/tidings.db");
        let long_ago = match self.backing {
            Backing::Files => "1",
            Backing::Servers(_) => "'epoch'",
        };
        let sql =
            format!("update deliveries set due_at = {long_ago} where state = 0 and place = 0");
        assert_eq!(self.backing.change_store(&file, &sql).await, 1);
    }
}

async fn sender(backing: &Backing, root: &Path) -> Process {
    let launch = launch(backing, &root.join("sender"));
    match backing {
        Backing::Files => launch.start().await,
        Backing::Servers(_) => launch.roles(&["dispatcher"]).start().await,
    }
}

fn launch(backing: &Backing, directory: &Path) -> Launch {
    let settings = backing.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Launch::new(PROGRAM, directory).settings(&settings)
}

async fn tried(installation: &Installation, key: &str, path: &str, times: usize) -> Value {
    let api = Api::new(&installation.api_url(), key);
    let is_tried = |found: &Value| {
        let attempts = found["data"][0]["attempts"].as_array();
        attempts.is_some_and(|attempts| attempts.len() == times)
    };
    api.get_until(path, is_tried, PATIENCE).await["data"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_the_middle_costs_the_schedule_no_step_and_the_delivery_nothing() {
    let mut installation = Installation::start().await;
    let endpoint = Endpoint::start().await;
    let mut script = vec![Reply::Status(503); 5];
    // The sixth is killed while it is under way, and made again.
    script.push(Reply::Hang);
    script.extend(vec![Reply::Status(503); 4]);
    script.push(Reply::Status(200));
    endpoint.answer_with(script);
    let operator = Api::new(&installation.api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await
        .expect(201);
    let key = made["api_key"].as_str().unwrap().to_owned();
    let tenant = operator.with_key(&key);
    let hook = json!({ "url": endpoint.url("/hook"), "events": ["*"],
        "retry": { "preset": "standard" } });
    let hook = tenant.post("/v1/webhooks", hook).await.expect(201);
    let event = json!({ "type": "job.created", "data": { "n": 1 } });
    let event = tenant.post("/v1/events", event).await.expect(202);
    let path = format!("/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    for (done, wait) in STANDARD.into_iter().enumerate() {
        let number = done + 1;
        let delivery = tried(&installation, &key, &path, number).await;
        next_after(&delivery, number, wait, with_jitter(wait));
        if number == 3 {
            installation.kill().await;
            let same = tried(&installation, &key, &path, number).await;
            assert_eq!(same, delivery);
        }
        installation.make_due().await;
        if number == 5 {
            endpoint.wait_for(6, SOON).await;
            installation.kill().await;
        }
    }
    let last = tried(&installation, &key, &path, 10).await;
    assert_eq!(
        (&last["state"], &last["next_attempt_at"]),
        (&json!("delivered"), &Value::Null)
    );
    let hits = endpoint.hits();
    assert_eq!(hits.len(), 11);
    for hit in &hits {
        assert_eq!(hit.webhook_id(), event["id"].as_str().unwrap());
        assert_eq!(hit.body, hits[0].body);
        hit.verify(hook["secret"].as_str().unwrap()).unwrap();
    }
}
