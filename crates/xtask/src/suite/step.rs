use std::num::NonZero;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::child::{Children, Ended};
use super::count::Totals;
use super::fuzz;
use super::servers::Servers;
use super::setup;
use crate::graph::Graph;
use crate::tidy;

/// The demo takes seconds; one that takes this long hangs.
const DEMO_LIMIT: Duration = Duration::from_mins(2);

const FORMAT: &[&str] = &["fmt", "--all", "--check"];
/// With the failpoints, as everything is tested.
const CLIPPY: &[&str] = &[
    "clippy",
    "--workspace",
    "--all-targets",
    "--features",
    "tidings/failpoints",
    "--locked",
    "--",
    "-D",
    "warnings",
];
/// Without them, as it is shipped.
const CLIPPY_SHIPPED: &[&str] = &["clippy", "--workspace", "--locked", "--", "-D", "warnings"];
const DENY: &[&str] = &["deny", "--locked", "check"];
/// One build for all tests, so the walk through all failpoints is among them.
const TEST: &[&str] = &[
    "test",
    "--workspace",
    "--features",
    "tidings/failpoints",
    "--locked",
    "--no-fail-fast",
];
/// The end-to-end tests, once more in the other mode.
const END_TO_END: &str = "it";
/// The faults, once more with the servers away for a minute each, which the other tests have no time for.
const FAULTS: &str = "faults";
/// How long they are away, in seconds; the tests of the binary `faults` read it.
const OUTAGE: (&str, &str) = ("TIDINGS_TEST_OUTAGE_SECONDS", "60");
/// Requests made from the API's document, more than the other tests have time for.
const GENERATED: &str = "generated";
/// How many of each operation; the test reads it.
const EXAMPLES: (&str, &str) = ("TIDINGS_TEST_EXAMPLES", "100");
/// How many tests of a binary run at once, for each core: most of the time they wait, for a disk or a lease.
const THREADS_PER_CORE: usize = 2;
/// In which mode end-to-end tests run: `embedded`, or this.
const DISTRIBUTED: (&str, &str) = ("TIDINGS_TEST_MODE", "distributed");
const RELEASE: &[&str] = &["build", "--release", "--locked"];

/// One of the things `cargo xtask test` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    SetUp,
    Format,
    Clippy,
    Tidy,
    Deny,
    Test,
    Outages,
    Generated,
    Fuzz,
    ClippyShipped,
    Release,
    Demo,
}

impl Step {
    /// The steps in their order; the long run has a few more at its end.
    pub fn list(long: bool) -> Vec<Self> {
        let mut steps = vec![
            Self::SetUp,
            Self::Format,
            Self::Clippy,
            Self::Tidy,
            Self::Deny,
            Self::Test,
        ];
        if long {
            steps.extend([
                Self::Outages,
                Self::Generated,
                Self::Fuzz,
                Self::ClippyShipped,
                Self::Release,
                Self::Demo,
            ]);
        }
        steps
    }

    /// What its headline says.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::Format => "format",
            Self::Clippy => "clippy",
            Self::Tidy => "tidy",
            Self::Deny => "cargo deny",
            Self::Test => "tests",
            Self::Outages => "long outages",
            Self::Generated => "generated requests",
            Self::Fuzz => "fuzzing",
            Self::ClippyShipped => "clippy, as shipped",
            Self::Release => "release build",
            Self::Demo => "demo",
        }
    }

    /// The command that does only this.
    pub fn alone(self) -> String {
        match self {
            Self::SetUp => "cargo xtask test".to_owned(),
            Self::Format => line(FORMAT),
            Self::Clippy => line(CLIPPY),
            Self::Tidy => "cargo xtask tidy".to_owned(),
            Self::Deny => line(DENY),
            Self::Test => line(TEST),
            Self::Outages | Self::Generated => "cargo xtask test --long".to_owned(),
            Self::Fuzz => "cargo xtask fuzz".to_owned(),
            Self::ClippyShipped => line(CLIPPY_SHIPPED),
            Self::Release => line(RELEASE),
            Self::Demo => format!("{} && target/release/tidings demo", line(RELEASE)),
        }
    }

    /// Runs it; tests are counted in `totals`.
    pub async fn run(self, children: &mut Children, totals: &mut Totals) -> anyhow::Result<()> {
        match self {
            Self::SetUp => setup::run(children).await,
            Self::Format => cargo(children, FORMAT).await,
            Self::Clippy => cargo(children, CLIPPY).await,
            Self::Tidy => tidy::run(children.root()),
            Self::Deny => deny(children).await,
            Self::Test => test(children, totals).await,
            Self::Outages => outages(children, totals).await,
            Self::Generated => generated(children, totals).await,
            Self::Fuzz => fuzz::run(children, &fuzz::Arguments::default()).await,
            Self::ClippyShipped => cargo(children, CLIPPY_SHIPPED).await,
            Self::Release => cargo(children, RELEASE).await,
            Self::Demo => demo(children).await,
        }
    }
}

/// One test binary of the executable, in the build of [`TEST`].
const fn of_tidings(binary: &str) -> [&str; 8] {
    [
        "test",
        "--package",
        "tidings",
        "--features",
        "tidings/failpoints",
        "--locked",
        "--test",
        binary,
    ]
}

fn line(arguments: &[&str]) -> String {
    format!("cargo {}", arguments.join(" "))
}

async fn cargo(children: &mut Children, arguments: &[&str]) -> anyhow::Result<()> {
    children.succeed("cargo", arguments).await
}

async fn deny(children: &mut Children) -> anyhow::Result<()> {
    if setup::answers("cargo-deny", &["--version"]) {
        return cargo(children, DENY).await;
    }
    println!("cargo-deny is not installed; tidy has checked the same bans and licences");
    Ok(())
}

async fn test(children: &mut Children, totals: &mut Totals) -> anyhow::Result<()> {
    // They end when this returns, also early.
    let servers = Servers::start(children).await?;
    let mut variables = servers.variables();
    count(children, TEST, &variables, totals).await?;
    let (name, mode) = DISTRIBUTED;
    println!("\nthe end-to-end tests again, with {name}={mode}");
    variables.push((name, mode.to_owned()));
    count(children, &of_tidings(END_TO_END), &variables, totals).await
}

async fn outages(children: &mut Children, totals: &mut Totals) -> anyhow::Result<()> {
    let servers = Servers::start(children).await?;
    let mut variables = servers.variables();
    let (name, seconds) = OUTAGE;
    variables.push((name, seconds.to_owned()));
    count(children, &of_tidings(FAULTS), &variables, totals).await
}

async fn generated(children: &mut Children, totals: &mut Totals) -> anyhow::Result<()> {
    let servers = Servers::start(children).await?;
    let mut variables = servers.variables();
    let (name, examples) = EXAMPLES;
    variables.push((name, examples.to_owned()));
    count(children, &of_tidings(GENERATED), &variables, totals).await?;
    let (name, mode) = DISTRIBUTED;
    println!("\nthe same again, with {name}={mode}");
    variables.push((name, mode.to_owned()));
    count(children, &of_tidings(GENERATED), &variables, totals).await
}

/// The exit code alone is not believed: a run of no tests, or of some of them, succeeds too.
async fn count(
    children: &mut Children,
    arguments: &[&str],
    variables: &[(&'static str, String)],
    totals: &mut Totals,
) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    let variables = variables.iter().map(|(name, value)| (name, value));
    let at_once = THREADS_PER_CORE * thread::available_parallelism().map_or(1, NonZero::get);
    command
        .args(arguments)
        .env("RUST_TEST_THREADS", at_once.to_string())
        .envs(variables);
    let ended = children
        .run(command, None, &mut |line| {
            println!("{line}");
            totals.add(line);
        })
        .await?;
    let verdict = ended
        .succeeded()
        .with_context(|| line(arguments))
        .and_then(|()| totals.verdict());
    if verdict.is_err() {
        println!("{totals}");
    }
    verdict
}

async fn demo(children: &mut Children) -> anyhow::Result<()> {
    let program = Graph::load(children.root())?.target.join("release/tidings");
    let directory = tempfile::tempdir().context("cannot make a directory for the demo")?;
    let mut command = Command::new(&program);
    command.arg("demo").current_dir(directory.path());
    let ended = children
        .run(command, Some(DEMO_LIMIT), &mut |line| println!("{line}"))
        .await?;
    match ended {
        Ended::TimedOut => bail!("the demo did not end within {} s", DEMO_LIMIT.as_secs()),
        Ended::Exited(status) => ensure!(status.success(), "the demo ended with {status}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_run_does_everything_the_short_one_does_and_more() {
        let (short, long) = (Step::list(false), Step::list(true));
        assert!(long.starts_with(&short));
        assert_eq!(long.last(), Some(&Step::Demo));
    }

    #[test]
    fn a_step_can_be_run_alone() {
        assert_eq!(Step::Format.alone(), "cargo fmt --all --check");
        assert_eq!(Step::Tidy.alone(), "cargo xtask tidy");
    }
}
