//! `tidings provider-simulator`: a provider of SMS that nobody has to sign up with. It takes messages,
//! decides what becomes of them, tells it in callbacks and when it is asked, and does all of it as badly
//! as it is told to.
//!
//! `share` and `settings` are what can be set, `world` is what the provider knows, `plan` what becomes
//! of a message, `imitation` how each provider looks from outside, `post` sends callbacks, `ask` answers
//! its API and `control` its own.

mod ask;
mod control;
mod imitation;
mod plan;
mod post;
mod settings;
mod share;
mod sign;
mod world;

use crate::exit::Failure;
use crate::{print, run};
use domain::{Clock, Random};
use egress::{Client, ClientOptions, Policy, Resolver};
use imitation::Imitation;
use post::Queue;
use runtime::http::{Connections, Cors, Listener, Serving};
use runtime::{Shutdown, Step, Tasks};
use settings::Settings;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use world::World;

/// How the simulator is started.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulatorArgs {
    /// Which provider it is. mtn is MTN's v2, which can be asked; mtn-v3 cannot, but tells times.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(imitation::ALL.map(Imitation::name)))]
    provider: String,
    /// Where it listens. It has no password: leave it on this machine unless the network is yours.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Makes ids, ends and faults the same in every run.
    #[arg(long)]
    seed: Option<u64>,
    /// The user that its API wants (client id, account SID, user name, API key of vonage). Any, without.
    #[arg(long, value_name = "USER")]
    api_user: Option<String>,
    /// The secret that its API wants. Any, without.
    #[arg(long, value_name = "SECRET")]
    api_secret: Option<String>,
    /// A network that callbacks may go to besides the internet and this machine.
    #[arg(long, value_name = "CIDR")]
    callback_network: Vec<String>,
    #[command(flatten)]
    settings: Settings,
}

/// A running simulator.
struct Simulator {
    imitation: &'static dyn Imitation,
    api_user: Option<String>,
    api_secret: Option<String>,
    world: Mutex<World>,
    queue: Queue,
    client: Client,
    clock: Clock,
    /// The last thing that kept a callback from being taken; it is said once.
    trouble: Mutex<String>,
}

/// Serves until the process is asked to end.
pub(crate) async fn simulate(args: SimulatorArgs) -> Result<(), Failure> {
    let listen = args.listen;
    let simulator = Arc::new(Simulator::new(args)?);
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let serving = serve(&simulator, listen, &shutdown)?;
    simulator.introduce(serving.address);
    tasks.spawn("simulator", async move {
        let _ = serving.run.await;
    });
    let posting = Arc::clone(&simulator).post(tasks.clone(), shutdown.clone());
    tasks.spawn("callbacks", posting);
    run::until_asked_to_end(&shutdown).await?;
    shutdown.stop();
    tasks.join(Duration::from_secs(2)).await;
    Ok(())
}

fn serve(
    simulator: &Arc<Simulator>,
    address: SocketAddr,
    shutdown: &Shutdown,
) -> Result<Serving, Failure> {
    let listener = Listener {
        name: "simulator",
        address,
        workers: 2,
        connections: Connections::up_to(1_024),
        closes_at: Step::Draining,
        tells_path: true,
        aliases: &[],
        cors: Cors::default(),
    };
    let data = actix_web::web::Data::from(Arc::clone(simulator));
    let serving = runtime::http::serve(listener, shutdown, move |routes| {
        routes.app_data(data.clone());
        control::routes(routes);
        ask::routes(routes);
    })?;
    Ok(serving)
}

impl Simulator {
    fn new(args: SimulatorArgs) -> Result<Self, Failure> {
        let imitation = imitation::find(&args.provider)
            .ok_or_else(|| Failure::configuration("--provider: there is no such provider"))?;
        let random = Random::system();
        let seed = args
            .seed
            .unwrap_or_else(|| u64::from_le_bytes(random.bytes()));
        let simulator = Self {
            imitation,
            api_user: args.api_user,
            api_secret: args.api_secret,
            world: Mutex::new(World::new(args.settings.clone(), seed)),
            queue: Queue::default(),
            client: client(&args.callback_network)?,
            clock: Clock::system(),
            trouble: Mutex::default(),
        };
        simulator
            .check(&args.settings)
            .map_err(|(name, why)| Failure::configuration(format!("--{name}: {why}")))?;
        Ok(simulator)
    }

    /// What settings may not be with this provider: the name and why.
    fn check(&self, settings: &Settings) -> Result<(), (&'static str, String)> {
        if settings.callback_secret.is_some() && !self.imitation.signs() {
            let why = format!("{} signs nothing", self.imitation.name());
            return Err(("callback-secret", why));
        }
        let Some(url) = &settings.callback_url else {
            return Ok(());
        };
        let judged = self.client.policy().judge_url(url).map(|_| ());
        judged.map_err(|refusal| ("callback-url", refusal.to_string()))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn introduce(&self, address: SocketAddr) {
        let (name, url) = (self.imitation.name(), format!("http://{address}"));
        let api = self.imitation.api_path().map_or_else(
            || format!("{name} has none"),
            |path| format!("{url}{path} is the base_url of an account's status_api"),
        );
        let callbacks = match &self.world().settings.callback_url {
            Some(to) => format!("to {to}"),
            None => "none, as long as there is no --callback-url".to_owned(),
        };
        print::line(&format!("simulating {name} on {url} (Ctrl-C ends)"));
        print::line(&format!(
            "  send        curl -d '{{\"to\":\"+260970000001\"}}' {url}/simulator/messages"
        ));
        print::line(&format!("  status API  {api}"));
        print::line(&format!("  callbacks   {callbacks}"));
        print::line(&format!(
            "  look        {url}/simulator/messages /simulator/requests /simulator/settings"
        ));
        if !address.ip().is_loopback() {
            print::line("  Whoever reaches this address can use it: it has no password.");
        }
    }
}

/// The operator chose where callbacks go: this machine is fine, and other networks that are named.
fn client(networks: &[String]) -> Result<Client, Failure> {
    let mut policy = Policy::default();
    let own = ["127.0.0.0/8", "::1/128"].map(str::to_owned);
    for network in own.iter().chain(networks) {
        let parsed = network.parse().map_err(|error| {
            Failure::configuration(format!("--callback-network {network}: {error}"))
        })?;
        policy.allow_networks.push(parsed);
    }
    policy.allow_ports = vec![1..=65535];
    let resolver = Resolver::system().map_err(Failure::runtime)?;
    Client::new(policy, resolver, ClientOptions::default()).map_err(Failure::runtime)
}
