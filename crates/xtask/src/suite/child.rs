use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::setup;

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How long the rest of a program's output is waited for once it has exited.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// How long a killed process may take to be gone. One that nobody reaps never is.
const DYING: Duration = Duration::from_secs(1);

/// Runs programs one at a time, each in a process group of its own, and ends the group when this process
/// is told to stop.
pub struct Children {
    root: PathBuf,
    interrupt: Signal,
    terminate: Signal,
}

/// How a program's run came to its end.
#[derive(Debug)]
pub enum Ended {
    Exited(ExitStatus),
    TimedOut,
}

/// The error when SIGINT or SIGTERM ended the run.
#[derive(Debug)]
pub struct Interrupted;

impl Ended {
    /// An error unless the program exited with 0.
    pub fn succeeded(&self) -> anyhow::Result<()> {
        match self {
            Self::Exited(status) if status.success() => Ok(()),
            Self::Exited(status) => bail!("it ended with {status}"),
            Self::TimedOut => bail!("it did not end in time"),
        }
    }
}

impl Children {
    /// Programs start in `root` unless they say otherwise. From here on SIGINT and SIGTERM are noticed
    /// while a program runs, or as soon as the next one does.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self {
            root: root.to_owned(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The root of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs a program, shows what it says, and fails if it does.
    pub async fn succeed(&mut self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(program);
        command.args(arguments);
        let ended = self
            .run(command, None, &mut |line| println!("{line}"))
            .await?;
        ended
            .succeeded()
            .with_context(|| format!("{program} {}", arguments.join(" ")))
    }

    /// Runs a program within `limit` and hands on each line of its standard output. Fails with
    /// [`Interrupted`] if this process is told to stop.
    pub async fn run(
        &mut self,
        mut command: Command,
        limit: Option<Duration>,
        on_line: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Ended> {
        if command.get_current_dir().is_none() {
            command.current_dir(&self.root);
        }
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = tokio::process::Command::from(command)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        let group = child.id();

        let ended = tokio::select! {
            status = follow(&mut child, group, on_line) => return Ok(Ended::Exited(status?)),
            () = limited(limit) => Ok(Ended::TimedOut),
            _ = self.interrupt.recv() => Err(Interrupted.into()),
            _ = self.terminate.recv() => Err(Interrupted.into()),
        };
        stop(&mut child, group).await;
        ended
    }

    /// Waits for something else than a program. Fails if this process is told to stop.
    pub async fn unless_interrupted<T>(
        &mut self,
        future: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        tokio::select! {
            awaited = future => Ok(awaited),
            _ = self.interrupt.recv() => Err(Interrupted),
            _ = self.terminate.recv() => Err(Interrupted),
        }
    }
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

async fn limited(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

async fn follow(
    child: &mut Child,
    group: Option<u32>,
    on_line: &mut dyn FnMut(&str),
) -> io::Result<ExitStatus> {
    let Some(output) = child.stdout.take() else {
        return child.wait().await;
    };
    let mut lines = Lines {
        output: BufReader::new(output),
        line: Vec::new(),
    };
    let status = tokio::select! {
        read = lines.read(on_line) => { read?; return child.wait().await; }
        status = child.wait() => status?,
    };
    // Something it started and left behind may hold its output open for ever.
    if timeout(LEFT_BEHIND, lines.read(on_line)).await.is_err() {
        send(group, "KILL");
    }
    Ok(status)
}

/// Keeps the line that is being read, so that reading can be broken off and taken up again.
struct Lines {
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Lines {
    async fn read(&mut self, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
        loop {
            self.output.read_until(b'\n', &mut self.line).await?;
            if self.line.is_empty() {
                return Ok(());
            }
            on_line(String::from_utf8_lossy(&self.line).trim_end_matches(['\r', '\n']));
            self.line.clear();
        }
    }
}

async fn stop(child: &mut Child, group: Option<u32>) {
    send(group, "TERM");
    if timeout(GRACE, child.wait()).await.is_err() {
        println!("it does not end when asked to, so it is killed");
    }
    send(group, "KILL");
}

/// Kills the process group that `leader` leads, and waits until all of it is gone.
pub fn end_group(leader: &mut std::process::Child) {
    let group = leader.id();
    send(Some(group), "KILL");
    if let Err(error) = leader.wait() {
        println!("cannot wait for process {group}: {error}");
    }
    let is_there = format!("kill -s 0 -- -{group}");
    let deadline = Instant::now() + DYING;
    while setup::answers("sh", &["-c", &is_there]) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Asks the shell, whose `kill` reaches a whole group without unsafe code here. A group that is gone is
/// no error.
fn send(group: Option<u32>, signal: &str) {
    if let Some(group) = group {
        let kill = format!("kill -s {signal} -- -{group} 2>/dev/null || true");
        if let Err(error) = Command::new("sh").args(["-c", &kill]).status() {
            println!("cannot end process group {group}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn run(script: &str, limit: Option<Duration>) -> (anyhow::Result<Ended>, Vec<String>) {
        let mut lines = Vec::new();
        let mut children = Children::new(Path::new("/")).unwrap();
        let mut keep = |line: &str| lines.push(line.to_owned());
        let ended = children.run(shell(script), limit, &mut keep).await;
        (ended, lines)
    }

    #[tokio::test]
    async fn what_a_program_says_is_handed_on_line_by_line() {
        let (ended, lines) = run("pwd; printf 'b\\nc'", None).await;
        ended.unwrap().succeeded().unwrap();
        assert_eq!(lines, ["/", "b", "c"]);
    }

    #[tokio::test]
    async fn a_program_that_fails_is_a_failure() {
        let (ended, _) = run("exit 3", None).await;
        let error = ended.unwrap().succeeded().unwrap_err();
        assert_eq!(error.to_string(), "it ended with exit status: 3");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let mut children = Children::new(Path::new("/")).unwrap();
        let error = children
            .succeed("no-such-program-here", &[])
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot run no-such-program-here");
    }

    #[tokio::test]
    async fn at_the_deadline_everything_it_started_ends_too() {
        let script = "sleep 60 & echo $!; wait";
        let (ended, lines) = run(script, Some(Duration::from_millis(300))).await;
        assert!(matches!(ended, Ok(Ended::TimedOut)), "{ended:?}");
        assert!(
            is_gone(&lines[0]).await,
            "the process {} is still there",
            lines[0]
        );
    }

    #[tokio::test]
    async fn a_program_left_behind_does_not_hold_the_run() {
        let (ended, lines) = run("sleep 60 & echo $!", None).await;
        ended.unwrap().succeeded().unwrap();
        assert!(
            is_gone(&lines[0]).await,
            "the process {} is still there",
            lines[0]
        );
    }

    #[tokio::test]
    async fn a_group_ends_with_everything_in_it() {
        let mut leader = shell("sleep 60 & echo $!; wait")
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = leader.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();

        end_group(&mut leader);

        let process = line.trim();
        assert!(
            is_gone(process).await,
            "the process {process} is still there"
        );
    }

    #[tokio::test]
    async fn what_is_awaited_without_an_interruption_is_returned() {
        let mut children = Children::new(Path::new("/")).unwrap();
        let awaited = children.unless_interrupted(async { 7 }).await;
        assert_eq!(awaited.unwrap(), 7);
    }

    /// A killed process may stay as a zombie until something reaps it.
    async fn is_gone(process: &str) -> bool {
        for _ in 0..50 {
            let status = std::fs::read_to_string(format!("/proc/{process}/status"));
            if status.map_or(true, |status| status.contains("State:\tZ")) {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}
