//! Everything that must pass before a change is merged, as a list of steps.

mod child;
mod count;
mod postgres;
mod setup;
mod step;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;

use child::{Children, Interrupted};
use count::Totals;
use step::Step;

/// What a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the steps in order up to the first that fails. The last line says how it went: the counts of the
/// tests, or which step failed and how to run it alone.
pub fn run(root: &Path, long: bool) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut children = Children::new(root)?;
        Ok(run_steps(&mut children, &Step::list(long)).await)
    })
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
        println!("{name:<16}{:>10}", seconds(*took));
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
