#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: standard output is where it speaks"
)]

mod bench;
mod graph;
mod suite;
mod tidy;
mod tree;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};

/// The chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run everything that must pass before a change is merged.
    Test {
        /// Also fuzz for three minutes, build the release and run its demo.
        #[arg(long)]
        long: bool,
    },
    /// Check the house rules only.
    Tidy,
    /// Measure the release build under load, and account for every id.
    Bench(bench::Arguments),
    /// Kill processes of an installation again and again under load, and account for every id.
    Crash {
        /// Which installation.
        #[arg(long)]
        mode: suite::crash::Mode,
        /// How many processes are killed.
        #[arg(long, default_value_t = 50)]
        kills: u32,
    },
    /// Look for inputs that the readers of what comes from outside do not survive.
    Fuzz(suite::fuzz::Arguments),
    /// Start the private PostgreSQL and RabbitMQ that tests run on, until Ctrl-C.
    Servers,
}

fn main() -> ExitCode {
    run(&Arguments::parse().task).unwrap_or_else(|error| {
        println!("{error:#}");
        ExitCode::FAILURE
    })
}

fn run(task: &Task) -> anyhow::Result<ExitCode> {
    let root = workspace_root()?;
    match task {
        Task::Test { long } => suite::run(&root, *long),
        Task::Tidy => tidy::run(&root).map(|()| ExitCode::SUCCESS),
        Task::Bench(arguments) => bench::run(&root, arguments),
        Task::Crash { mode, kills } => suite::run_crash(&root, *mode, *kills),
        Task::Fuzz(arguments) => suite::run_fuzz(&root, arguments),
        Task::Servers => suite::run_servers(&root),
    }
}

/// Asked of cargo rather than compiled in, so that a moved clone is not checked at its old place.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .output()
        .context("cannot run cargo")?;
    let manifest = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let root = manifest.parent().filter(|root| root.is_dir());
    root.map(PathBuf::from)
        .context("run this inside the workspace")
}
