//! One process of the system under test.

use crate::http::{Connection, Request};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long it may take to tell its addresses and be ready.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
/// How much of its log a failure shows.
const TAIL_LINES: usize = 30;

/// A process. Dropped, it is killed.
pub struct Process {
    name: &'static str,
    child: Child,
    directory: PathBuf,
    /// What `addresses.json` said.
    addresses: Value,
}

impl Process {
    /// Starts `<program> run` with these arguments, on a data directory that is not there yet.
    pub fn spawn(
        program: &Path,
        name: &'static str,
        arguments: &[&str],
        settings: &[(&'static str, String)],
        directory: PathBuf,
    ) -> anyhow::Result<Self> {
        fs::create_dir(&directory)?;
        let log = File::create(directory.join("log"))?;
        let child = command(program, settings, &directory)
            .arg("run")
            .args(arguments)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self {
            name,
            child,
            directory,
            addresses: Value::Null,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where one of its listeners is.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses[listener].as_str()?.parse().ok()
    }

    /// Where its admin listener is. A process with some of the roles tells it under the name of each of them.
    pub fn admin(&self) -> Option<SocketAddr> {
        let mut names = self.addresses.as_object()?.keys();
        let name = names.find(|name| *name == "admin" || name.strip_suffix(".admin").is_some())?;
        self.address(name)
    }

    /// Waits until it says that it is ready.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            self.check()?;
            ensure!(
                Instant::now() < deadline,
                "{} is not ready in time{}",
                self.name,
                self.tail()
            );
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Fails with the end of its log when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status}{}", self.name, self.tail()),
            None => Ok(()),
        }
    }

    async fn is_ready(&mut self) -> bool {
        let addresses = fs::read(self.directory.join("addresses.json")).unwrap_or_default();
        self.addresses = serde_json::from_slice(&addresses).unwrap_or_default();
        match self.admin() {
            Some(admin) => answers_ready(admin).await.unwrap_or(false),
            None => false,
        }
    }

    fn tail(&self) -> String {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        tail(&log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs another command to its end.
pub async fn run_to_end(
    program: &Path,
    arguments: &[&str],
    settings: &[(&'static str, String)],
    directory: &Path,
) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::from(command(program, settings, directory));
    let ended = command.args(arguments).kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        ended.status.success(),
        "tidings {} ended with {}{}",
        arguments.join(" "),
        ended.status,
        tail(&said)
    );
    Ok(())
}

/// With the settings for its whole environment.
fn command(program: &Path, settings: &[(&'static str, String)], directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("TIDINGS_DATA_DIR", directory)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    command
}

async fn answers_ready(admin: SocketAddr) -> std::io::Result<bool> {
    let mut request = Vec::new();
    Request::get("/readyz").write(b"", &mut request);
    let mut connection = Connection::open(admin).await?;
    Ok(connection.exchange(&request).await?.status == 200)
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    format!("; the end of what it said:\n{}", tail.join("\n"))
}
