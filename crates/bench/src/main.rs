//! The command; see `cargo xtask bench`.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: standard output is where it speaks"
)]

use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tidings_bench::{Group, Mode, Options, Servers};

/// Measures Tidings. Without the servers' URLs it is the embedded mode.
#[derive(Debug, Parser)]
struct Arguments {
    /// The executable. Left out, the one built beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// How long each scenario sends.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Measure only memory, under one load for that time.
    #[arg(long)]
    soak: bool,
    /// What was built, in a few words.
    #[arg(long, default_value = "an unnamed build")]
    commit: String,
    /// Where the tables are written to, besides standard output.
    #[arg(long)]
    report: Option<PathBuf>,
    /// An empty database.
    #[arg(long, requires_all = ["ceiling_url", "broker_url"])]
    store_url: Option<String>,
    /// Another empty database.
    #[arg(long, default_value = "")]
    ceiling_url: String,
    /// A broker.
    #[arg(long, default_value = "")]
    broker_url: String,
    /// A server whose processes are counted.
    #[arg(long = "server", value_name = "NAME=PID", value_parser = group)]
    servers: Vec<Group>,
}

#[tokio::main]
async fn main() -> ExitCode {
    // More than one part brings a TLS library.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let report_file = arguments.report.clone();
    let report = tidings_bench::run(&options(arguments)?).await?;
    println!("\n{report}");
    if let Some(file) = report_file {
        std::fs::write(&file, report.to_string())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    report.verdict().map_err(anyhow::Error::msg)
}

fn options(arguments: Arguments) -> anyhow::Result<Options> {
    let mode = match arguments.store_url {
        None => Mode::Embedded,
        Some(store_url) => Mode::Distributed(Servers {
            store_url,
            ceiling_url: arguments.ceiling_url,
            broker_url: arguments.broker_url,
            groups: arguments.servers,
        }),
    };
    let program = match arguments.program {
        Some(program) => program,
        None => tidings_bench::beside(&std::env::current_exe()?).context(
            "there is no `tidings` beside this program; build it, or name it by --program",
        )?,
    };
    Ok(Options {
        program,
        mode,
        time: Duration::from_secs(arguments.seconds),
        soak: arguments.soak,
        commit: arguments.commit,
        say: |what| println!("… {what}"),
    })
}

fn group(text: &str) -> Result<Group, String> {
    let (name, process) = text.split_once('=').ok_or("not NAME=PID")?;
    let process = process.parse().map_err(|_| "not NAME=PID")?;
    Ok(Group {
        name: name.to_owned(),
        process,
    })
}
