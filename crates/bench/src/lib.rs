#![doc = include_str!("../README.md")]

mod ceiling;
mod http;
mod id;
mod latencies;
mod load;
mod machine;
mod receiver;
mod report;
mod scenario;
mod script;
mod system;
mod tally;
mod target;
mod tenant;
mod usage;

pub use report::Report;
pub use system::{Mode, Servers, beside};
pub use usage::Group;

use report::Row;
use scenario::Stage;
use std::path::PathBuf;
use std::time::Duration;
use system::System;

/// A run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The executable.
    pub program: PathBuf,
    /// Which way it runs.
    pub mode: Mode,
    /// How long each scenario sends.
    pub time: Duration,
    /// Whether only memory is measured, under one load for that time.
    pub soak: bool,
    /// What was built, in a few words.
    pub commit: String,
    /// Hears what goes on.
    pub say: fn(&str),
}

/// What is taken for the time of a scenario, at the most, where ceilings are measured.
const LONGEST_CEILING: Duration = Duration::from_secs(20);

/// Measures the ceilings, then plays every scenario on a system of its own. Fails when the system cannot
/// be set up or dies; what is lost is told by [`Report::verdict`].
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report {
        setting: setting(options),
        ..Report::default()
    };
    (options.say)("the ceilings");
    let for_each = options.time.min(LONGEST_CEILING) / 3;
    let ceilings = ceiling::measure(&options.mode, for_each).await?;
    let mut system = System::start(&options.program, &options.mode).await?;
    let targets = match options.mode {
        Mode::Embedded => target::EMBEDDED,
        Mode::Distributed(_) => target::DISTRIBUTED,
    };
    let started = Row::new("start to serving", system.started_in.as_secs_f64(), "s");
    report.rows.push(started.should(targets.start_s));
    let mut stage = Stage {
        system: &mut system,
        ceilings,
        targets,
        time: options.time,
        report: &mut report,
        say: options.say,
    };
    if options.soak {
        stage.soak().await?;
    } else {
        stage.play().await?;
    }
    system.check()?;
    report.rows.extend(ceilings.rows());
    Ok(report)
}

fn setting(options: &Options) -> String {
    let mode = match options.mode {
        Mode::Embedded => "Embedded, one process",
        Mode::Distributed(_) => "Distributed, a process for each role",
    };
    let seconds = options.time.as_secs();
    let (commit, machine) = (&options.commit, machine::describe());
    format!("{mode}; {seconds} s for each scenario; {commit}; {machine}.")
}
