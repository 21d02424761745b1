//! Starting the program.

use super::{ADMIN_KEY, Process, clean_command};
use crate::client::Caller;
use crate::eventually::eventually;
use serde_json::Value;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

/// The files of a process's output.
pub(super) const STDOUT: &str = "stdout";
pub(super) const STDERR: &str = "stderr";

/// How long the program may take to tell its addresses, and then to be ready.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where it tells them, in its data directory.
const ADDRESSES: &str = "addresses.json";
/// Every listener on a port of its own, and webhooks may reach this machine, soon again after a failure.
const USUAL_SETTINGS: [(&str, &str); 6] = [
    ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:0"),
    ("TIDINGS_SUBSCRIPTIONS__LISTEN", "127.0.0.1:0"),
    ("TIDINGS_RUNTIME__ADMIN_LISTEN", "127.0.0.1:0"),
    ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", ADMIN_KEY),
    ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8"),
    ("TIDINGS_DISPATCHER__RETRY", "quick"),
];

/// How a [`Process`] is started.
///
/// Its environment is PATH, `TIDINGS_DATA_DIR`, all listeners on 127.0.0.1:0, the admin key
/// [`ADMIN_KEY`], `TIDINGS_EGRESS__ALLOW_NETWORKS=127.0.0.0/8`, `TIDINGS_DISPATCHER__RETRY=quick`, and the
/// settings given, which replace these.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    data_dir: PathBuf,
    args: Vec<String>,
    /// One without a value is taken away.
    settings: Vec<(String, Option<String>)>,
    waits_for_ready: bool,
}

impl Launch {
    /// `<program> run` on this data directory.
    pub fn new(program: impl AsRef<Path>, data_dir: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            data_dir: data_dir.as_ref().to_owned(),
            args: Vec::new(),
            settings: Vec::new(),
            waits_for_ready: true,
        }
    }

    /// Adds a setting, such as `TIDINGS_DISPATCHER__RETRY`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings
            .push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Adds settings.
    #[must_use]
    pub fn settings(self, settings: &[(&str, &str)]) -> Self {
        let add = |launch: Self, (name, value): &(&str, &str)| launch.setting(name, value);
        settings.iter().fold(self, add)
    }

    /// Takes away one of the usual settings.
    #[must_use]
    pub fn without_setting(mut self, name: &str) -> Self {
        self.settings.push((name.to_owned(), None));
        self
    }

    /// Runs only these roles. What listens is the admin listener, and those of the roles.
    #[must_use]
    pub fn roles(self, roles: &[&str]) -> Self {
        self.args(&["--roles", &roles.join(",")])
    }

    /// Adds arguments after `run`.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Waits for its addresses only: for what starts while something it needs is away.
    #[must_use]
    pub fn without_waiting_for_ready(mut self) -> Self {
        self.waits_for_ready = false;
        self
    }

    /// Starts it, and waits for its addresses and until `/readyz` is 200.
    ///
    /// # Panics
    ///
    /// With its log when it ends, or either takes more than 20 seconds.
    pub async fn start(self) -> Process {
        let addresses = self.data_dir.join(ADDRESSES);
        match fs::remove_file(&addresses) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                panic!("cannot remove {}: {error}", addresses.display())
            }
            _ => {}
        }
        let mut process = self.spawn().await;
        process.addresses = process.wait_for_addresses(&addresses).await;
        if self.waits_for_ready {
            process.wait_until_ready().await;
        }
        process
    }

    async fn spawn(&self) -> Process {
        let logs = or_panic("make a directory for logs", TempDir::new());
        let log = |name| or_panic("make a log file", File::create(logs.path().join(name)));
        let mut command = clean_command(&self.program);
        command
            .arg("run")
            .args(&self.args)
            .env("TIDINGS_DATA_DIR", &self.data_dir)
            .envs(USUAL_SETTINGS)
            .stdout(log(STDOUT))
            .stderr(log(STDERR));
        for (name, value) in &self.settings {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = spawn(&mut command).await;
        Process {
            pid: child.id(),
            child: Mutex::new(child),
            addresses: Value::Null,
            logs,
        }
    }
}

impl Process {
    async fn wait_for_addresses(&self, path: &Path) -> Value {
        eventually("the process tells its addresses", PATIENCE, async || {
            self.assert_running();
            let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_slice::<Value>(&text).map_err(|error| error.to_string())
        })
        .await
    }

    async fn wait_until_ready(&self) {
        let admin = Caller::new(&self.admin_url());
        eventually("the process is ready", PATIENCE, async || {
            self.assert_running();
            let answer = admin.try_call("GET", "/readyz", &[], Vec::new()).await?;
            match answer.status {
                200 => Ok(()),
                _ => Err(answer.to_string()),
            }
        })
        .await;
    }

    fn assert_running(&self) {
        assert!(
            self.is_running(),
            "the process ended as it started:\n{}",
            self.log()
        );
    }
}

/// A program that was written a moment ago may be held open for writing by another test's child that
/// has not yet become its own program.
async fn spawn(command: &mut Command) -> Child {
    let spawned = eventually("the program may be run", PATIENCE, async || {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => Err(error),
            spawned => Ok(spawned),
        }
    })
    .await;
    or_panic(
        &format!("start {}", command.get_program().display()),
        spawned,
    )
}

fn or_panic<T>(what: &str, result: std::io::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("cannot {what}: {error}"),
    }
}
