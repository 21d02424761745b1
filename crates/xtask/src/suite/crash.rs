//! Crash after crash, longer than the tests have time for.

use std::process::Command;

use anyhow::ensure;
use clap::ValueEnum;

use super::child::Children;
use super::servers::Servers;

/// How many kills; the tests of the binary `faults` read it.
const KILLS: &str = "TIDINGS_TEST_KILLS";

/// Which installation is crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// One process on files.
    Embedded,
    /// Two processes of each role on PostgreSQL and RabbitMQ, which crash too.
    Distributed,
}

impl Mode {
    /// The test that does it.
    const fn test(self) -> &'static str {
        match self {
            Self::Embedded => {
                "crash::an_embedded_installation_that_is_killed_again_and_again_loses_nothing"
            }
            Self::Distributed => {
                "crash::a_distributed_installation_whose_processes_and_servers_crash_loses_nothing"
            }
        }
    }
}

/// Kills so many processes under load, and fails where anything was lost or told under two ids.
pub async fn run(children: &mut Children, mode: Mode, kills: u32) -> anyhow::Result<()> {
    let servers = match mode {
        Mode::Embedded => None,
        Mode::Distributed => Some(Servers::start(children).await?),
    };
    let mut command = Command::new("cargo");
    command
        .args(["test", "--package", "tidings", "--locked"])
        .args(["--test", "faults", "--", "--nocapture", "--exact"])
        .arg(mode.test())
        .env(KILLS, kills.to_string())
        .envs(servers.iter().flat_map(Servers::variables));
    let mut has_run = false;
    let ended = children
        .run(command, None, &mut |line| {
            has_run |= line.starts_with("acknowledged and told");
            println!("{line}");
        })
        .await?;
    ended.succeeded()?;
    ensure!(has_run, "the test did not run: {}", mode.test());
    Ok(())
}
