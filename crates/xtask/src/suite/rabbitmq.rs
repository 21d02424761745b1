//! A private RabbitMQ for the tests: on free loopback ports, in a scratch directory, and gone with this
//! process whatever becomes of it.

mod files;
mod package;
mod ports;
mod ready;

pub use package::find_or_install;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::child::{self, Children};
use super::servers;
use files::Files;
use ports::Ports;

/// Where it answers. Where this is set, that server is used and none is started.
pub const URL: &str = "TIDINGS_TEST_AMQP_URL";
/// Where it answers over TLS.
const TLS_URL: &str = "TIDINGS_TEST_AMQPS_URL";
/// The PEM file of the authority that its certificate is from.
const CA: &str = "TIDINGS_TEST_AMQP_CA";
/// A program that kills it and starts it again: `stop`, `start`, or `restart`.
const CONTROL: &str = "TIDINGS_TEST_AMQP_CONTROL";

/// It takes about 8 seconds where nothing else goes on.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(100);

/// A running server. Dropped, it ends.
pub struct RabbitMq {
    /// The leader of the process group that everything belongs to. Its standard input is held open.
    keeper: Child,
    ports: Ports,
    files: Files,
    directory: TempDir,
}

impl RabbitMq {
    /// Starts one and waits until it answers, after installing RabbitMQ where it is missing and that is
    /// possible.
    pub async fn start(children: &mut Children) -> anyhow::Result<Self> {
        let script = find_or_install(children).await?;
        let mut server = Self::spawn(&script).context("cannot start a private RabbitMQ")?;
        children.unless_interrupted(server.wait()).await??;
        println!("a private RabbitMQ runs at {}", server.url());
        Ok(server)
    }

    /// What tests have to know of it: environment variables.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let tls = self.ports.tls;
        vec![
            (URL, self.url()),
            (TLS_URL, format!("amqps://guest:guest@localhost:{tls}/%2f")),
            (CA, self.files.ca.display().to_string()),
            (CONTROL, self.files.control.display().to_string()),
        ]
    }

    /// The id of the process that leads the group of all of them.
    pub fn process(&self) -> u32 {
        self.keeper.id()
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    fn spawn(script: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("tidings-rabbitmq-")
            .tempdir()?;
        let ports = Ports::free()?;
        let files = files::write(directory.path(), script, &ports)?;
        let log = File::create(directory.path().join("log"))?;
        let keeper = Command::new("bash")
            .arg(&files.keep)
            .env_clear()
            .envs(servers::variable("PATH").map(|path| ("PATH", path)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self {
            keeper,
            ports,
            files,
            directory,
        })
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Err(seen) = ready::answers(self.ports.amqp).await {
            if let Some(status) = self.keeper.try_wait()? {
                bail!("RabbitMQ ended with {status} as it started{}", self.tail());
            }
            if Instant::now() > deadline {
                let tail = self.tail();
                bail!("RabbitMQ does not answer in time: {seen}{tail}");
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    fn tail(&self) -> String {
        servers::tail(&self.directory.path().join("log"))
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        child::end_group(&mut self.keeper);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    /// Where nothing is installed, what it needs is what is missing.
    #[tokio::test]
    async fn a_server_that_ends_as_it_starts_shows_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("rabbitmq-server");
        fs::write(&script, "#!/bin/sh\necho out of cookies\nexit 1\n").unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();

        let error = RabbitMq::spawn(&script).unwrap().wait().await.unwrap_err();

        let error = error.to_string();
        assert!(
            error.starts_with("RabbitMQ ended with exit status: 1"),
            "{error}"
        );
        assert!(
            error.contains("out of cookies") || error.contains("epmd"),
            "{error}"
        );
    }
}
