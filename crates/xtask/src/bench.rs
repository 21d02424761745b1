//! Builds what is measured, starts what it runs on, has it measured, and keeps the results.

mod page;
mod servers;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::ValueEnum;

use crate::graph::Graph;
use crate::suite::child::{Children, Interrupted};
use crate::suite::{self, INTERRUPTED};
use servers::Servers;

const BUILD: &[&str] = &[
    "build",
    "--release",
    "--locked",
    "--package",
    "tidings",
    "--package",
    "tidings-bench",
];

/// What cargo tells the program it runs, this one, of its package. A build script that looks at them would
/// run again, and what depends on it would be built again, whenever somebody else has built meanwhile.
const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// What is measured, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which way the system runs.
    #[arg(long, value_enum, default_value_t = Mode::Both)]
    mode: Mode,
    /// How long each scenario sends.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Measure only memory, under one load for that time.
    #[arg(long)]
    soak: bool,
    /// Measure what is built already.
    #[arg(long)]
    built: bool,
    /// Put the results into docs/PERFORMANCE.md.
    #[arg(long)]
    write: bool,
}

/// Which way the system runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// One process and its files.
    Embedded,
    /// A process for each role, on `PostgreSQL` and `RabbitMQ`.
    Distributed,
    /// One after the other.
    Both,
}

impl Mode {
    fn each(self) -> &'static [Self] {
        match self {
            Self::Embedded => &[Self::Embedded],
            Self::Distributed => &[Self::Distributed],
            Self::Both => &[Self::Embedded, Self::Distributed],
        }
    }

    /// What its part of the page of results is called.
    fn name(self) -> &'static str {
        match self {
            Self::Distributed => "distributed",
            Self::Embedded | Self::Both => "embedded",
        }
    }
}

/// Measures one mode after the other. Fails when something was lost.
pub fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    suite::runtime()?.block_on(async {
        let mut children = Children::new(root)?;
        match measure(&mut children, arguments).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) if error.is::<Interrupted>() => Ok(ExitCode::from(INTERRUPTED)),
            Err(error) => Err(error),
        }
    })
}

async fn measure(children: &mut Children, arguments: &Arguments) -> anyhow::Result<()> {
    if !arguments.built {
        build(children).await?;
    }
    for mode in arguments.mode.each() {
        let report = measure_mode(children, *mode, arguments).await?;
        if arguments.write {
            page::keep(children.root(), &place(*mode, arguments.soak), &report)?;
        }
    }
    Ok(())
}

async fn build(children: &mut Children) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.args(BUILD);
    for name in OF_THIS_PACKAGE {
        command.env_remove(name);
    }
    let ended = children
        .run(command, None, &mut |line| println!("{line}"))
        .await?;
    ended.succeeded().context("the release build")
}

/// What the place of results on their page is called.
fn place(mode: Mode, soak: bool) -> String {
    let what = if soak { ", memory" } else { "" };
    format!("{}{what}", mode.name())
}

/// The tables of one mode.
async fn measure_mode(
    children: &mut Children,
    mode: Mode,
    arguments: &Arguments,
) -> anyhow::Result<String> {
    let built = Graph::load(children.root())?.target.join("release");
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report");
    let mut command = Command::new(built.join("tidings-bench"));
    command
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(arguments.soak.then_some("--soak"))
        .args(["--commit", &commit(children.root())])
        .arg("--report")
        .arg(&report);
    // They end when this returns, also early.
    let servers = match mode {
        Mode::Distributed => Some(Servers::start(children).await?),
        Mode::Embedded | Mode::Both => None,
    };
    if let Some(servers) = &servers {
        command.args(servers.arguments()?);
    }
    let ended = children
        .run(command, None, &mut |line| println!("{line}"))
        .await?;
    ended.succeeded().context("the bench")?;
    fs::read_to_string(&report).context("the bench left no report")
}

/// What is built: the commit with its day, and whether there is more than it.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output();
        let output = output.ok().filter(|output| output.status.success());
        output.and_then(|output| String::from_utf8(output.stdout).ok())
    };
    let Some(commit) = git(&["show", "-s", "--format=commit %h of %cs"]) else {
        return "no commit".to_owned();
    };
    let status = ["--no-optional-locks", "status", "--porcelain", "-uno"];
    let is_changed = git(&status).is_some_and(|status| !status.trim().is_empty());
    let more = if is_changed { " with changes" } else { "" };
    format!("{}{more}", commit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_modes_are_measured_one_after_the_other() {
        let names = |mode: Mode| {
            mode.each()
                .iter()
                .map(|mode| mode.name())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Mode::Both), ["embedded", "distributed"]);
        assert_eq!(names(Mode::Distributed), ["distributed"]);
        assert_eq!(names(Mode::Embedded), ["embedded"]);
    }
}
