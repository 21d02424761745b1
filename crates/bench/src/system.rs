//! The system under test: the real program, in processes of its own.

mod process;

use crate::http::{Connection, Request};
use crate::usage::{self, Group};
use anyhow::Context;
use process::Process;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The key that makes tenants.
pub const ADMIN_KEY: &str = "bench-admin-key-0123456789";

/// 32 bytes in base64. What is sealed with it is worth nothing.
const ENCRYPTION_KEY: &str = "YSBiZW5jaCBrZWVwcyBubyBzZWNyZXQgd29ydGggaXQ=";

const ROLES: [&str; 5] = [
    "ingress",
    "tracker",
    "dispatcher",
    "poller",
    "subscriptions",
];

/// Which way it runs.
#[derive(Debug, Clone)]
pub enum Mode {
    /// One process, files.
    Embedded,
    /// A process for each role, on these servers.
    Distributed(Servers),
}

/// Servers that are there already, used by nobody else.
#[derive(Debug, Clone)]
pub struct Servers {
    /// An empty database for the system.
    pub store_url: String,
    /// An empty database for the ceiling of the store.
    pub ceiling_url: String,
    /// The broker.
    pub broker_url: String,
    /// Their processes.
    pub groups: Vec<Group>,
}

/// A running system. Dropped, it is killed, and its data is gone.
pub struct System {
    processes: Vec<Process>,
    servers: Vec<Group>,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where the ingress listens.
    pub ingress: SocketAddr,
    /// Where the tracker tells what it counts.
    metrics: SocketAddr,
    /// From its start until every process was ready.
    pub started_in: Duration,
    _data: TempDir,
}

/// What a stretch of time cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// By process of ours.
    pub ours: Vec<(String, Duration)>,
    /// By server.
    pub servers: Vec<(String, Duration)>,
}

impl Cost {
    /// All of it.
    pub fn total(&self) -> Duration {
        let all = self.ours.iter().chain(&self.servers);
        all.map(|(_, cpu)| *cpu).sum()
    }
}

impl System {
    /// Starts it, and waits until it is ready.
    pub async fn start(program: &Path, mode: &Mode) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new()
            .prefix("tidings-bench-")
            .tempdir()?;
        let settings = settings(mode);
        if matches!(mode, Mode::Distributed(_)) {
            process::run_to_end(program, &["migrate"], &settings, data.path()).await?;
        }
        let began = Instant::now();
        let mut processes = Vec::new();
        for (name, arguments) in commands(mode) {
            let directory = data.path().join(name);
            processes.push(Process::spawn(
                program, name, &arguments, &settings, directory,
            )?);
        }
        for process in &mut processes {
            process.wait_until_ready().await?;
        }
        Ok(Self {
            started_in: began.elapsed(),
            api: find(&processes, "subscriptions")?,
            ingress: find(&processes, "ingress")?,
            metrics: metrics_of_tracker(&processes)?,
            servers: match mode {
                Mode::Embedded => Vec::new(),
                Mode::Distributed(servers) => servers.groups.clone(),
            },
            processes,
            _data: data,
        })
    }

    /// What the tracker has counted under this name, with its labels; zero while there is nothing.
    pub async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let mut request = Vec::new();
        Request::get("/metrics").write(b"", &mut request);
        let mut connection = Connection::open(self.metrics).await?;
        let answer = connection.exchange(&request).await?;
        let text = std::str::from_utf8(answer.body)?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(Ok(0), |value| {
            value.trim().parse().context("a counter that is no number")
        })
    }

    /// The CPU time used until now.
    pub fn cost(&self) -> Cost {
        let ours = self.groups();
        Cost {
            ours: named(&ours, usage::cpu(&ours)),
            servers: named(&self.servers, usage::cpu(&self.servers)),
        }
    }

    /// The CPU time used since then.
    pub fn cost_since(&self, before: &Cost) -> Cost {
        let now = self.cost();
        Cost {
            ours: difference(now.ours, &before.ours),
            servers: difference(now.servers, &before.servers),
        }
    }

    /// The most that each process of ours had in memory, in bytes.
    pub fn peaks(&self) -> Vec<(String, u64)> {
        let peak = |process: &Process| (process.name().to_owned(), usage::peak_bytes(process.id()));
        self.processes.iter().map(peak).collect()
    }

    /// What all processes of ours have in memory now, in bytes.
    pub fn memory(&self) -> u64 {
        usage::resident_bytes(&self.groups()).into_iter().sum()
    }

    /// What each server has in memory now, in bytes.
    pub fn server_memory(&self) -> Vec<(String, u64)> {
        named(&self.servers, usage::resident_bytes(&self.servers))
    }

    /// Fails with the log of a process that has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.processes.iter_mut().try_for_each(Process::check)
    }

    fn groups(&self) -> Vec<Group> {
        let group = |process: &Process| Group {
            name: process.name().to_owned(),
            process: process.id(),
        };
        self.processes.iter().map(group).collect()
    }
}

fn named<T>(groups: &[Group], values: Vec<T>) -> Vec<(String, T)> {
    let names = groups.iter().map(|group| group.name.clone());
    names.zip(values).collect()
}

fn difference(
    now: Vec<(String, Duration)>,
    before: &[(String, Duration)],
) -> Vec<(String, Duration)> {
    let pairs = now.into_iter().zip(before);
    pairs
        .map(|((name, now), (_, before))| (name, now.saturating_sub(*before)))
        .collect()
}

/// The processes by name, with what follows `run`.
fn commands(mode: &Mode) -> Vec<(&'static str, Vec<&'static str>)> {
    match mode {
        Mode::Embedded => vec![("tidings", Vec::new())],
        Mode::Distributed(_) => {
            let role = |role| (role, vec!["--roles", role]);
            ROLES.into_iter().map(role).collect()
        }
    }
}

fn settings(mode: &Mode) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_SUBSCRIPTIONS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_RUNTIME__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", ADMIN_KEY.to_owned()),
        ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8".to_owned()),
        // All endpoints are on one host here, those that hang among them.
        ("TIDINGS_EGRESS__MAX_PER_HOST", "2048".to_owned()),
        // One tenant asks here for all there are.
        (
            "TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__PER_MINUTE",
            "off".to_owned(),
        ),
        (
            "TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__AT_ONCE",
            "10000".to_owned(),
        ),
        ("TIDINGS_STORE__ENCRYPTION_KEY", ENCRYPTION_KEY.to_owned()),
    ];
    if let Mode::Distributed(servers) = mode {
        settings.push(("TIDINGS_STORE__URL", servers.store_url.clone()));
        settings.push(("TIDINGS_BROKER__URL", servers.broker_url.clone()));
    }
    settings
}

fn find(processes: &[Process], listener: &str) -> anyhow::Result<SocketAddr> {
    let mut found = processes
        .iter()
        .filter_map(|process| process.address(listener));
    found
        .next()
        .with_context(|| format!("no process tells the address of {listener}"))
}

/// The process that tracks has its name, or is the only one.
fn metrics_of_tracker(processes: &[Process]) -> anyhow::Result<SocketAddr> {
    let tracks = |process: &&Process| matches!(process.name(), "tidings" | "tracker");
    let address = processes.iter().find(tracks).and_then(Process::admin);
    address.context("no process tells where the tracker's metrics are")
}

/// Where the executable is that was built beside this one.
pub fn beside(this: &Path) -> Option<PathBuf> {
    let program = this
        .ancestors()
        .skip(1)
        .map(|directory| directory.join("tidings"));
    program.take(2).find(|program| program.is_file())
}
