//! Processes under test: one with all roles, or two of each role.

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
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub struct Fleet {
    settings: Vec<(String, String)>,
    root: TempDir,
    members: Vec<Member>,
}

/// A process, which may have been started several times.
struct Member {
    /// All roles, where there is none.
    roles: Vec<&'static str>,
    name: String,
    process: Process,
}

/// Where the fleet is reached.
#[derive(Clone)]
pub struct Addresses {
    pub ingress: Vec<String>,
    pub api: Vec<String>,
}

impl Fleet {
    /// One process with all roles, on files of its own.
    pub async fn embedded() -> Self {
        Self::start(Vec::new(), vec![("everything".to_owned(), Vec::new())]).await
    }

    /// Two processes of each role: the first five are the first replicas.
    pub async fn distributed(settings: Vec<(String, String)>) -> Self {
        let replica = |number| ROLES.map(|role| (format!("{role}-{number}"), vec![role]));
        let members = [replica(0), replica(1)].concat();
        Self::start(settings, members).await
    }

    async fn start(
        settings: Vec<(String, String)>,
        members: Vec<(String, Vec<&'static str>)>,
    ) -> Self {
        let mut fleet = Self {
            settings,
            root: tempfile::tempdir().unwrap(),
            members: Vec::new(),
        };
        let starting = members
            .iter()
            .map(|(name, roles)| fleet.launch(name, roles).start());
        let processes = futures_util::future::join_all(starting).await;
        for ((name, roles), process) in members.into_iter().zip(processes) {
            fleet.members.push(Member {
                roles,
                name,
                process,
            });
        }
        fleet
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.members.len()
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

    pub fn process(&self, member: usize) -> &Process {
        &self.members[member].process
    }

    /// Starts a process that has ended.
    pub async fn start_again(&mut self, member: usize) {
        let Member { name, roles, .. } = &self.members[member];
        let process = self.launch(name, roles).start().await;
        self.members[member].process = process;
    }

    pub fn kill_replica(&self, replica: usize) {
        self.replica(replica).for_each(Process::kill);
    }

    pub fn freeze_replica(&self, replica: usize) {
        self.replica(replica).for_each(Process::freeze);
    }

    pub fn thaw_replica(&self, replica: usize) {
        self.replica(replica).for_each(Process::thaw);
    }

    pub async fn terminate_replica(&self, replica: usize) {
        for process in self.replica(replica) {
            terminate(process).await;
        }
    }

    pub async fn start_replica_again(&mut self, replica: usize) {
        let members = replica * ROLES.len()..(replica + 1) * ROLES.len();
        let starting = members.clone().map(|member| {
            let Member { name, roles, .. } = &self.members[member];
            self.launch(name, roles).start()
        });
        let processes = futures_util::future::join_all(starting).await;
        for (member, process) in members.zip(processes) {
            self.members[member].process = process;
        }
    }

    pub async fn end(self) {
        for member in &self.members {
            terminate(&member.process).await;
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
        for member in &self.members {
            let admin = Api::anonymous(&member.process.admin_url());
            until_answer(&admin, "/readyz", |said| said["ready"] == true, within).await;
        }
    }

    /// The processes that run a role.
    fn each(&self, role: &str) -> impl Iterator<Item = &Process> {
        let runs = move |member: &&Member| member.roles.is_empty() || member.roles.contains(&role);
        self.members
            .iter()
            .filter(runs)
            .map(|member| &member.process)
    }

    fn replica(&self, number: usize) -> impl Iterator<Item = &Process> {
        let members = self.members.chunks(ROLES.len()).nth(number).unwrap();
        members.iter().map(|member| &member.process)
    }

    fn launch(&self, name: &str, roles: &[&str]) -> Launch {
        let settings: Vec<(&str, &str)> = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let launch = Launch::new(PROGRAM, self.root.path().join(name)).settings(&settings);
        if roles.is_empty() {
            return launch;
        }
        launch.roles(roles)
    }
}

async fn terminate(process: &Process) {
    let status = process.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{}", process.log());
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
