//! The command line.

use crate::dead_letter::DeadLettersArgs;
use crate::event_type::EventTypesArgs;
use crate::exit::Failure;
use crate::role::Role;
use crate::simulator::SimulatorArgs;
use crate::{dead_letter, demo, doctor, event_type, key, listen, print, run, simulator, tenant};
use clap::{Args, Parser, Subcommand};
use config::Config;
use std::path::PathBuf;

/// Carries news of messages: takes the callbacks of SMS providers, keeps the one true state of
/// every message, and tells each tenant by signed webhooks.
#[derive(Debug, Parser)]
#[command(name = "tidings", version)]
pub struct Command {
    /// A configuration file in TOML. Without one the defaults hold; the environment
    /// (`TIDINGS_<SECTION>__<KEY>`) changes either. `tidings config` shows what holds.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve. Without a configuration: everything in this process, kept in ./tidings-data.
    Run(RunArgs),
    /// Show the main job in a minute: everything in a temporary directory, with real-format
    /// callbacks and a receiver.
    Demo(DemoArgs),
    /// Bring the store's schema to this release.
    Migrate,
    /// Look for what is wrong with this installation and say what to do.
    Doctor,
    /// Print the configuration that holds, without secrets.
    Config,
    /// Make tenants.
    Tenant(TenantArgs),
    /// Change the encryption key.
    Keys(KeysArgs),
    /// Look through jobs that were given up, have them done again, or purge them: over the API of the
    /// running server, with its admin key, `subscriptions.admin_key`.
    DeadLetters(DeadLettersArgs),
    /// Bring event types that all tenants can use: over the API of the running server, with its admin key,
    /// `subscriptions.admin_key`.
    EventTypes(EventTypesArgs),
    /// Print the description of the API that a server has at /openapi.json.
    Openapi,
    /// Receive webhooks on this machine, verify them and print them.
    Listen(ListenArgs),
    /// Be a provider of SMS, as badly as you like: take messages, call back, answer questions. For
    /// trying a set-up without signing up anywhere.
    ProviderSimulator(Box<SimulatorArgs>),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Which roles run in this process: all of them, unless named.
    #[arg(long, value_delimiter = ',', value_name = "ROLE")]
    roles: Vec<Role>,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Keep serving afterwards, and print the URLs and keys to play with.
    #[arg(long)]
    stay: bool,
}

#[derive(Debug, Args)]
struct TenantArgs {
    #[command(subcommand)]
    what: TenantCommand,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Make a tenant and print it with its API key, which is shown only now.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Its plan.
        #[arg(long)]
        plan: Option<String>,
    },
}

#[derive(Debug, Args)]
struct KeysArgs {
    #[command(subcommand)]
    what: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Seal every secret in the store with the new encryption key.
    ///
    /// A key that was made in the data directory is replaced by a new one first; the server must be
    /// stopped. One that is configured you replace before: give every process the new one as
    /// `store.encryption_key` and the old one as `store.previous_encryption_key`. On PostgreSQL the
    /// processes go on running meanwhile. It may be interrupted, and run again.
    Rotate,
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 9999)]
    port: u16,
    /// The webhook's secret, to verify signatures with.
    #[arg(long, value_name = "whsec_…")]
    secret: Option<String>,
}

impl Command {
    /// Does what the command line says.
    pub async fn perform(self) -> Result<(), Failure> {
        let load = || Config::from_process(self.config.as_deref()).map_err(Failure::from);
        match self.what {
            What::Run(args) => run::run(load()?, args.roles).await,
            What::Demo(args) => demo::demo(args.stay).await,
            What::Migrate => run::migrate(&load()?).await,
            What::Doctor => doctor::doctor(&load()?).await,
            What::Config => {
                print::line(load()?.render().trim_end());
                Ok(())
            }
            What::Tenant(TenantArgs {
                what: TenantCommand::Create { name, plan },
            }) => tenant::create(&load()?, name, plan).await,
            What::Keys(KeysArgs {
                what: KeysCommand::Rotate,
            }) => key::rotate(&load()?).await,
            What::DeadLetters(args) => dead_letter::dead_letters(&load()?, args).await,
            What::EventTypes(args) => event_type::event_types(&load()?, args).await,
            What::Openapi => {
                print::line(subscriptions::document().trim_end());
                Ok(())
            }
            What::Listen(args) => listen::listen(args.port, args.secret).await,
            What::ProviderSimulator(args) => simulator::simulate(*args).await,
        }
    }
}
