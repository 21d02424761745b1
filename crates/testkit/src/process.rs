//! The program, run as somebody would run it.

mod launch;

pub use launch::Launch;

use crate::eventually::eventually_at;
use serde_json::Value;
use std::fs;
use std::panic::Location;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// The admin key of every process, unless a setting replaces it.
pub const ADMIN_KEY: &str = "testkit-admin-key-0123456789";

/// The longest that another command than `run` may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// How much of the log a failing test prints.
const TAIL_LINES: usize = 60;

/// A running `<program> run`. When it is dropped it is killed, by its own process id; when that is
/// because a test fails, the end of its log is printed.
pub struct Process {
    child: Mutex<Child>,
    pid: u32,
    /// What `addresses.json` said.
    addresses: Value,
    /// Where stdout and stderr go.
    logs: TempDir,
}

impl Process {
    /// Starts the program on `data_dir`, with these settings (`TIDINGS_…`) beside the usual ones, and
    /// waits until it is ready. See [`Launch`].
    ///
    /// # Panics
    ///
    /// With its log when it ends, or is not ready within 20 seconds.
    pub async fn start(
        program: impl AsRef<Path>,
        data_dir: impl AsRef<Path>,
        settings: &[(&str, &str)],
    ) -> Self {
        let launch = Launch::new(program, data_dir).settings(settings);
        launch.start().await
    }

    /// Runs another command to its end, with PATH and `env` for its whole environment.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or runs for more than 30 seconds; it is killed then.
    pub async fn run_command(
        program: impl AsRef<Path>,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Output {
        run_within(COMMAND_PATIENCE, program.as_ref(), args, env).await
    }

    /// The base URL of the ingress.
    #[track_caller]
    pub fn ingress_url(&self) -> String {
        self.url("ingress")
    }

    /// The base URL of the API and the console.
    #[track_caller]
    pub fn api_url(&self) -> String {
        self.url("subscriptions")
    }

    /// The base URL of `/livez`, `/readyz` and `/metrics`.
    #[track_caller]
    pub fn admin_url(&self) -> String {
        // A process with some of the roles tells it under the name of each of them.
        let names = self
            .addresses
            .as_object()
            .into_iter()
            .flat_map(|all| all.keys());
        let of_role = names
            .into_iter()
            .find(|name| name.strip_suffix(".admin").is_some());
        self.url(of_role.map_or("admin", String::as_str))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    /// SIGKILL. Returns when it is gone; does nothing when it is gone already.
    pub fn kill(&self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Sends a signal by its name (`TERM`, `STOP`, `CONT`), unless the process has ended.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let mut child = self.child();
        // Under the lock it cannot be reaped meanwhile, so the number is still its own.
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        let sent = clean_command(Path::new("kill"))
            .arg(format!("-{name}"))
            .arg(self.pid.to_string())
            .status();
        assert!(
            sent.as_ref().is_ok_and(ExitStatus::success),
            "cannot send SIG{name}: {sent:?}"
        );
    }

    /// SIGSTOP: it does nothing more, and its connections stay open, as those of a machine that hangs.
    #[track_caller]
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: a frozen one goes on where it was.
    #[track_caller]
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Sends SIGTERM at once; the future waits for the end. A frozen one has to be thawed to notice.
    ///
    /// # Panics
    ///
    /// When it has not ended `within` the time.
    #[track_caller]
    pub fn terminate(&self, within: Duration) -> impl Future<Output = ExitStatus> {
        self.signal("TERM");
        self.wait(within)
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When it has not ended `within` the time.
    #[track_caller]
    pub fn wait(&self, within: Duration) -> impl Future<Output = ExitStatus> {
        self.wait_on_behalf_of(Location::caller(), within)
    }

    /// What it has written until now: stdout, then stderr.
    pub fn log(&self) -> String {
        let read = |name| fs::read(self.logs.path().join(name)).unwrap_or_default();
        let written = [read(launch::STDOUT), read(launch::STDERR)].concat();
        String::from_utf8_lossy(&written).into_owned()
    }

    async fn wait_on_behalf_of(&self, asked_at: &Location<'_>, within: Duration) -> ExitStatus {
        eventually_at(asked_at, "the process ends", within, async || {
            match self.child().try_wait() {
                Ok(Some(status)) => Ok(status),
                Ok(None) => Err("it runs".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    #[track_caller]
    fn url(&self, listener: &str) -> String {
        match self.addresses[listener].as_str() {
            Some(address) => format!("http://{address}"),
            None => panic!(
                "no listener {listener} in addresses.json: {}",
                self.addresses
            ),
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    #[expect(
        clippy::print_stderr,
        reason = "the test harness shows it with the failed test"
    )]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            eprintln!(
                "the end of the log of process {}:\n{}",
                self.pid,
                tail.join("\n")
            );
        }
    }
}

/// Runs a command to its end, with PATH and `env` for its whole environment, and kills it when it takes
/// longer.
pub(crate) async fn run_within(
    patience: Duration,
    program: &Path,
    args: &[&str],
    env: &[(&str, &str)],
) -> Output {
    let mut command = tokio::process::Command::from(clean_command(program));
    command.args(args).envs(env.iter().copied());
    let ended = command.kill_on_drop(true).output();
    match tokio::time::timeout(patience, ended).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => panic!("cannot run {}: {error}", program.display()),
        Err(late) => panic!(
            "{} {args:?} did not end within {patience:?}: {late}",
            program.display()
        ),
    }
}

/// A command with nothing of this environment but PATH.
#[expect(
    clippy::disallowed_methods,
    reason = "PATH is handed on and configures nothing"
)]
pub(crate) fn clean_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}
