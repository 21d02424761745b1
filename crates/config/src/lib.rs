#![doc = include_str!("../README.md")]

mod environment;
mod error;
mod file;
mod key;
mod layer;
mod nearest;
mod parse;
mod redact;
mod render;
mod secret;
mod section;
mod setting;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use error::Error;
pub use key::{KEYS, Key};
pub use secret::Secret;
pub use section::{
    AlertThresholds, ApiRateLimit, Breaker, Broker, BrokerUrl, ClientAddressHeader, Dispatcher,
    Egress, Ingress, Journal, LogFormat, Poller, RateLimit, Retention, RetryPolicy, Runtime,
    Security, Store, StoreUrl, Subscriptions, Telemetry, Tracker,
};

use setting::Settings;

/// The built-in `config/default.toml`: every key with its explanation and its default.
pub const DEFAULT: &str = include_str!("../../../config/default.toml");

/// The effective configuration, one struct per section.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything that must survive a restart is kept.
    pub data_dir: PathBuf,
    /// The database.
    pub store: Store,
    /// What carries the jobs.
    pub broker: Broker,
    /// The door for providers' callbacks.
    pub ingress: Ingress,
    /// The API and the console.
    pub subscriptions: Subscriptions,
    /// The process itself.
    pub runtime: Runtime,
    /// What tenants' webhooks may reach.
    pub egress: Egress,
    /// How deliveries are attempted.
    pub dispatcher: Dispatcher,
    /// How callbacks' jobs are worked.
    pub tracker: Tracker,
    /// How providers are asked.
    pub poller: Poller,
    /// How long what is no longer needed is kept.
    pub retention: Retention,
    /// What is told of refused callbacks.
    pub security: Security,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

/// How the installation is laid out, which the broker decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One process with all roles and its own queue file.
    Embedded,
    /// Processes with some of the roles each, around one broker and one database.
    Distributed,
}

impl Config {
    /// The configuration of this process: the built-in defaults, `file`, and the environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    #[allow(
        clippy::disallowed_methods,
        reason = "this crate is the one place that reads the environment"
    )]
    pub fn from_process(file: Option<&Path>) -> Result<Self, Error> {
        Self::load(file, std::env::vars_os())
    }

    /// The configuration from the built-in defaults, overridden by `file`, overridden by the variables of
    /// `environment`.
    ///
    /// # Errors
    /// Anything unreadable, unknown, out of bounds or impossible together; see [`Error`].
    pub fn load<N, V>(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut layers = vec![file::built_in()?];
        if let Some(path) = file {
            layers.push(file::read(path)?);
        }
        layers.push(environment::read(environment)?);
        let config = Self::read(&Settings::merge(layers)?)?;
        config.check()?;
        Ok(config)
    }

    /// How the installation is laid out.
    pub fn mode(&self) -> Mode {
        match self.broker.url {
            BrokerUrl::Embedded => Mode::Embedded,
            BrokerUrl::Amqp(_) => Mode::Distributed,
        }
    }

    /// Whether this configuration can work in a process that runs all roles, or only some of them.
    ///
    /// # Errors
    /// [`Error::PartialRoles`] when the broker or the store is embedded and `all` is false.
    pub fn check_roles(&self, all: bool) -> Result<(), Error> {
        match self.mode() {
            Mode::Embedded if !all => Err(Error::PartialRoles),
            Mode::Embedded | Mode::Distributed => Ok(()),
        }
    }

    /// The effective configuration as TOML, secrets and the passwords of URLs replaced by `***`.
    pub fn render(&self) -> String {
        render::render(self)
    }

    fn read(settings: &Settings) -> Result<Self, Error> {
        let data_dir = settings.get("data_dir")?.path()?;
        Ok(Self {
            store: Store::read(settings, &data_dir)?,
            broker: Broker::read(settings)?,
            ingress: Ingress::read(settings)?,
            subscriptions: Subscriptions::read(settings)?,
            runtime: Runtime::read(settings)?,
            egress: Egress::read(settings)?,
            dispatcher: Dispatcher::read(settings)?,
            tracker: Tracker::read(settings)?,
            poller: Poller::read(settings)?,
            retention: Retention::read(settings)?,
            security: Security::read(settings)?,
            telemetry: Telemetry::read(settings)?,
            data_dir,
        })
    }

    /// What no single key can tell: settings that exclude or require each other.
    fn check(&self) -> Result<(), Error> {
        self.store.check_keys()?;
        if self.mode() == Mode::Embedded {
            return Ok(());
        }
        if matches!(self.store.url, StoreUrl::Sqlite(_)) {
            return Err(Error::SqliteBesideAmqp);
        }
        if self.store.encryption_key.is_none() {
            return Err(Error::NoEncryptionKey);
        }
        Ok(())
    }
}
