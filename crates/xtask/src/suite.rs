//! Everything that must pass before a change is merged, as a list of steps.

mod certificate;
pub mod child;
mod control;
mod count;
pub mod crash;
pub mod fuzz;
mod generated;
mod ports;
pub mod postgres;
mod quiet;
pub mod rabbitmq;
mod servers;
mod setup;
mod step;
mod verifiers;

use std::convert::Infallible;
use std::future::pending;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::Runtime;

use child::{Children, Interrupted};
use count::Totals;
use servers::Servers;
use step::Step;

/// What a shell reports for a program ended by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Runs the steps in order up to the first that fails. The last line says how it went: the counts of the
/// tests, or which step failed and how to run it alone.
pub fn run(root: &Path, long: bool) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let mut children = Children::new(root)?;
        Ok(run_steps(&mut children, &Step::list(long)).await)
    })
}

/// Starts the servers that tests run on, says how a shell finds them, and waits to be told to stop.
pub fn run_servers(root: &Path) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let mut children = Children::new(root)?;
        let servers = match Servers::start(&mut children).await {
            Err(error) if error.is::<Interrupted>() => return Ok(ExitCode::from(INTERRUPTED)),
            started => started?,
        };
        for (name, value) in servers.variables() {
            println!("{}", control::export(name, &value));
        }
        println!("they end with this; press Ctrl-C");
        let Err(Interrupted) = children.unless_interrupted(pending::<Infallible>()).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Crashes an installation again and again under load.
pub fn run_crash(root: &Path, mode: crash::Mode, kills: u32) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let mut children = Children::new(root)?;
        match crash::run(&mut children, mode, kills).await {
            Err(error) if error.is::<Interrupted>() => Ok(ExitCode::from(INTERRUPTED)),
            ended => ended.map(|()| ExitCode::SUCCESS),
        }
    })
}

/// Looks for inputs that the readers of what comes from outside do not survive.
pub fn run_fuzz(root: &Path, arguments: &fuzz::Arguments) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let mut children = Children::new(root)?;
        match fuzz::run(&mut children, arguments).await {
            Err(error) if error.is::<Interrupted>() => Ok(ExitCode::from(INTERRUPTED)),
            ended => ended.map(|()| ExitCode::SUCCESS),
        }
    })
}

/// On this thread alone.
pub fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build();
    runtime.context("cannot start the runtime")
}

async fn run_steps(children: &mut Children, steps: &[Step]) -> ExitCode {
    let mut totals = Totals::default();
    let mut durations = Vec::new();
    for step in steps {
        println!("\n== {}", step.name());
        let started = Instant::now();
        let ended = step.run(children, &mut totals).await;
        let took = started.elapsed();
        durations.push((step.name(), took));
        if let Err(error) = ended {
            print_durations(&durations);
            return failed(*step, &error);
        }
        println!("== {}: {}", step.name(), seconds(took));
    }
    print_durations(&durations);
    println!("{totals}");
    ExitCode::SUCCESS
}

fn failed(step: Step, error: &anyhow::Error) -> ExitCode {
    if error.is::<Interrupted>() {
        println!("interrupted during {}", step.name());
        return ExitCode::from(INTERRUPTED);
    }
    println!("{error:#}");
    println!("{} failed; to run it alone: {}", step.name(), step.alone());
    ExitCode::FAILURE
}

fn print_durations(durations: &[(&str, Duration)]) {
    println!();
    for (name, took) in durations {
        println!("{name:<20}{:>10}", seconds(*took));
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
