//! The private servers that tests run on, and what the tests have to know of them.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::child::Children;
use super::postgres::{self, Disk, Postgres};
use super::rabbitmq::{self, RabbitMq};

/// How much of its log a failure shows.
const TAIL_LINES: usize = 30;

/// One of each, unless whoever runs this has named a server of their own. Dropped, they end.
pub struct Servers {
    postgres: Option<Postgres>,
    rabbitmq: Option<RabbitMq>,
}

impl Servers {
    /// Installs what is missing, where that is possible, and otherwise says what to install.
    pub async fn prepare(children: &mut Children) -> anyhow::Result<()> {
        if !given(postgres::VARIABLE) {
            postgres::find_or_install(children).await?;
        }
        if !given(rabbitmq::URL) {
            rabbitmq::find_or_install(children).await?;
        }
        Ok(())
    }

    /// Starts them.
    pub async fn start(children: &mut Children) -> anyhow::Result<Self> {
        let mut servers = Self {
            postgres: None,
            rabbitmq: None,
        };
        if !given(postgres::VARIABLE) {
            servers.postgres = Some(Postgres::start(children, Disk::Unsynced).await?);
        }
        if !given(rabbitmq::URL) {
            servers.rabbitmq = Some(RabbitMq::start(children).await?);
        }
        Ok(servers)
    }

    /// The environment variables that tests find them by.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(postgres) = &self.postgres {
            variables.extend(postgres.variables());
        }
        if let Some(rabbitmq) = &self.rabbitmq {
            variables.extend(rabbitmq.variables());
        }
        variables
    }
}

/// The end of a server's log, to be put behind what went wrong with it.
pub fn tail(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    format!("; the end of its log:\n{}", tail.join("\n"))
}

/// A variable of the environment of whoever runs this.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool of the developers, not of the product"
)]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Whether they have named a server of their own.
fn given(name: &str) -> bool {
    variable(name).is_some()
}
