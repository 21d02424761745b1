//! PostgreSQL: where it is, how it is reached, and what every session is set to.

mod address;
mod gate;
mod here;
mod session;
mod tls;

pub(crate) use gate::Gate;
pub use session::Session;

use crate::connection::Connection;
use crate::error::Error;
use address::Address;
use here::Here;
use rustls::ClientConfig;
use std::time::Duration;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be there.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long the other side may be silent before the connection counts as dead.
const SILENCE: Duration = Duration::from_secs(15);
/// What every session is set to: a statement that takes longer is a mistake, a lock waited for
/// longer is held by somebody who is gone, times are in UTC, and no statement is so long that it
/// would be worth compiling.
const SESSION: &str = "set statement_timeout = '10s'; set lock_timeout = '2s'; \
                       set idle_in_transaction_session_timeout = '5s'; set timezone = 'UTC'; \
                       set jit = off";

/// Where a PostgreSQL is and how to reach it.
#[derive(Clone)]
pub(crate) struct Postgres {
    config: tokio_postgres::Config,
    tls: ClientConfig,
}

impl Postgres {
    /// Reads a `postgres://` URL, and the file with the authorities it may name. Connects to
    /// nothing.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let Address { mut config, trust } = address::parse(url)?;
        config
            .application_name("tidings")
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(SILENCE)
            .keepalives(true)
            .keepalives_idle(SILENCE)
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            // A standby takes no writes: after a fail-over the next connection finds the primary.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            config,
            tls: tls::client(&trust)?,
        })
    }

    /// Connects, for transactions that begin within `lifetime`. On a blocking thread.
    pub(crate) fn connect(&self, lifetime: Duration) -> Result<Connection, Error> {
        let here = Here::new().map_err(|error| self.failed(&error.to_string()))?;
        let connected = here.run(async {
            let tls = MakeRustlsConnect::new(self.tls.clone());
            tokio::time::timeout(CONNECT_WITHIN, self.config.connect(tls)).await
        });
        let (client, driver) = connected
            .map_err(|_| self.failed("it does not answer"))?
            .map_err(|error| self.refused(&error))?;
        let session = Session::start(client, driver, &here, lifetime)
            .map_err(|error| self.failed(&error.to_string()))?;
        let mut connection = Connection::Postgres(Box::new(session));
        connection.execute(SESSION)?;
        Ok(connection)
    }

    fn refused(&self, error: &tokio_postgres::Error) -> Error {
        if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) {
            return Error::Busy("the database has no connection left");
        }
        self.failed(&reasons(error))
    }

    fn failed(&self, reason: &str) -> Error {
        Error::Away {
            at: at(&self.config),
            reason: reason.to_owned(),
        }
    }
}

/// Hosts and ports, for people. One port serves for all hosts.
fn at(config: &tokio_postgres::Config) -> String {
    let ports = config.get_ports();
    let port = |host: usize| ports.get(host).or(ports.first()).copied().unwrap_or(5432);
    let hosts = config.get_hosts().iter().enumerate();
    let each: Vec<String> = hosts
        .map(|(number, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(number)),
            Host::Unix(path) => format!("{} (port {})", path.display(), port(number)),
        })
        .collect();
    each.join(", ")
}

/// An error and what caused it.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}
