//! `tidings run` and `tidings migrate`.

use crate::app::{self, App};
use crate::exit::Failure;
use crate::print;
use crate::role::Role;
use config::{Config, LogFormat};
use domain::Clock;
use runtime::{Shutdown, Signals};
use telemetry::logs::{self, Format};

/// Serves until the process is asked to end.
pub(crate) async fn run(config: Config, roles: Vec<Role>) -> Result<(), Failure> {
    let format = match config.telemetry.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    logs::init(format, &config.telemetry.log_level)
        .map_err(|error| Failure::configuration(format!("telemetry.log_level: {error}")))?;
    let roles = if roles.is_empty() {
        Role::ALL.to_vec()
    } else {
        roles
    };
    let app = App::start(config, &roles, Clock::system()).await?;
    until_asked_to_end(app.shutdown()).await?;
    tracing::info!("draining: what is under way ends, nothing new begins");
    for name in app.end().await {
        tracing::warn!(task = name, "a task did not end in time");
    }
    tracing::info!("ended");
    Ok(())
}

/// Brings the schema to this release and says what was done.
pub(crate) async fn migrate(config: &Config) -> Result<(), Failure> {
    let applied = app::migrate(config).await?;
    if applied.is_empty() {
        print::line("the store is up to date");
    }
    for name in applied {
        print::line(&format!("applied {name}"));
    }
    Ok(())
}

/// Returns at the first SIGTERM or SIGINT. The second one, while draining, ends at once.
pub(crate) async fn until_asked_to_end(shutdown: &Shutdown) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let driven = shutdown.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "it lives as long as the process, in no group"
    )]
    tokio::spawn(async move { signals.drive(driven).await });
    shutdown.draining().await;
    Ok(())
}
