//! Two processes of each role.

use crate::servers::Servers;
use serde_json::Value;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::{Api, Launch, Process};
use tokio::time::{sleep, timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidings");
const ROLES: [&str; 5] = [
    "ingress",
    "tracker",
    "dispatcher",
    "poller",
    "subscriptions",
];
const REPLICAS: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub struct Fleet {
    servers: Servers,
    root: TempDir,
    /// By replica, then by role.
    replicas: Vec<Vec<Process>>,
}

/// Where the fleet is reached.
#[derive(Clone)]
pub struct Addresses {
    pub ingress: Vec<String>,
    pub api: Vec<String>,
}

impl Fleet {
    pub async fn start(servers: Servers) -> Self {
        let mut fleet = Self {
            servers,
            root: tempfile::tempdir().unwrap(),
            replicas: Vec::new(),
        };
        for number in 0..REPLICAS {
            let replica = fleet.launch(number).await;
            fleet.replicas.push(replica);
        }
        fleet
    }

    pub fn addresses(&self) -> Addresses {
        Addresses {
            ingress: self.each("ingress").map(Process::ingress_url).collect(),
            api: self.each("subscriptions").map(Process::api_url).collect(),
        }
    }

    pub fn admin_url(&self, role: &str, replica: usize) -> String {
        self.each(role).nth(replica).unwrap().admin_url()
    }

    pub fn kill(&self, replica: usize) {
        self.replicas[replica].iter().for_each(Process::kill);
    }

    pub fn freeze(&self, replica: usize) {
        self.replicas[replica].iter().for_each(Process::freeze);
    }

    pub fn thaw(&self, replica: usize) {
        self.replicas[replica].iter().for_each(Process::thaw);
    }

    pub async fn terminate(&self, replica: usize) {
        for process in &self.replicas[replica] {
            let status = process.terminate(Duration::from_secs(25)).await;
            assert!(status.success(), "{}", process.log());
        }
    }

    pub async fn start_again(&mut self, replica: usize) {
        self.replicas[replica] = self.launch(replica).await;
    }

    pub async fn end(self) {
        for replica in 0..REPLICAS {
            self.terminate(replica).await;
        }
    }

    /// Waits until the dispatchers own these many shards.
    pub async fn wait_for_shards(&self, wanted: &[u64], within: Duration) {
        for (replica, wanted) in wanted.iter().enumerate() {
            self.wait_for_shards_of(replica, *wanted, within).await;
        }
    }

    pub async fn wait_for_shards_of(&self, replica: usize, wanted: u64, within: Duration) {
        let admin = Api::anonymous(&self.admin_url("dispatcher", replica));
        let begun = Instant::now();
        loop {
            let owned = owned_shards(&admin).await;
            if owned == Some(wanted) {
                return;
            }
            assert!(
                begun.elapsed() < within,
                "dispatcher {replica} owns {owned:?} shards after {within:?}, not {wanted}:\n{}",
                self.each("dispatcher").nth(replica).unwrap().log()
            );
            sleep(LOOK_EVERY).await;
        }
    }

    pub async fn wait_until_ready(&self, within: Duration) {
        for process in self.replicas.iter().flatten() {
            let admin = Api::anonymous(&process.admin_url());
            until_answer(&admin, "/readyz", |said| said["ready"] == true, within).await;
        }
    }

    fn each(&self, role: &str) -> impl Iterator<Item = &Process> {
        let role = ROLES.iter().position(|known| *known == role).unwrap();
        self.replicas.iter().map(move |replica| &replica[role])
    }

    async fn launch(&self, replica: usize) -> Vec<Process> {
        let settings = self.servers.settings();
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let starting = ROLES.map(|role| {
            let data_dir = self.root.path().join(format!("{role}-{replica}"));
            Launch::new(PROGRAM, data_dir)
                .settings(&settings)
                .roles(&[role])
                .start()
        });
        futures_util::future::join_all(starting).await
    }
}

/// The body of GET, whatever its status, once it is as wanted.
pub async fn until_answer(
    api: &Api,
    path: &str,
    wanted: impl Fn(&Value) -> bool,
    within: Duration,
) -> Value {
    let begun = Instant::now();
    loop {
        let answer = api.get(path).await;
        if wanted(&answer.body) {
            return answer.body;
        }
        assert!(
            begun.elapsed() < within,
            "{path} is not as wanted: {answer}"
        );
        sleep(LOOK_EVERY).await;
    }
}

async fn owned_shards(admin: &Api) -> Option<u64> {
    let answer = timeout(Duration::from_secs(1), admin.get("/metrics"))
        .await
        .ok()?;
    let line = answer
        .text
        .lines()
        .find(|line| line.starts_with("tidings_shards_owned"))?;
    line.rsplit(' ').next()?.parse().ok()
}
