#![doc = include_str!("../README.md")]

mod accounts;
mod caller;
mod limit;
mod path;
mod receive;

use accounts::Accounts;
use actix_web::web;
use broker::Broker;
use domain::{Clock, Random};
use limit::Limits;
use runtime::http::{Listener, Serving};
use runtime::{Readiness, Shutdown, Step, Tasks};
use signing::Vault;
use std::sync::{Arc, OnceLock};
use store::Store;
use telemetry::{Metrics, Tracer};

/// What the ingress works with.
#[derive(Clone)]
pub struct Context {
    /// Where accounts are looked up.
    pub store: Store,
    /// Where callbacks go.
    pub broker: Broker,
    /// Opens the accounts' secrets.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Clock,
    /// Randomness for ids.
    pub random: Random,
    /// What is counted.
    pub metrics: Metrics,
    /// Where traces begin.
    pub tracer: Tracer,
    /// When to end.
    pub shutdown: Shutdown,
    /// Where its tasks run.
    pub tasks: Tasks,
    /// Where it says how it is.
    pub readiness: Readiness,
}

/// What a request needs of the ingress.
struct Door {
    context: Context,
    config: config::Ingress,
    accounts: Accounts,
    limits: Limits,
    /// What providers see before the path; there once the listener is.
    public_url: OnceLock<String>,
}

/// How many connections are served at once, over all workers.
const MAX_CONNECTIONS: usize = 10_000;

/// Binds the listener and keeps the known accounts fresh.
pub fn serve(config: config::Ingress, context: Context) -> Result<Serving, runtime::Error> {
    let listener = Listener {
        name: "ingress",
        address: config.listen,
        workers: 2,
        max_connections: MAX_CONNECTIONS,
        closes_at: Step::Draining,
        // A path may hold an account's secret token.
        tells_path: false,
    };
    let shutdown = context.shutdown.clone();
    let door = web::Data::new(Door {
        accounts: Accounts::new(&context),
        limits: Limits::new(&config.rate_limit),
        public_url: config
            .public_url
            .clone()
            .map(OnceLock::from)
            .unwrap_or_default(),
        config,
        context,
    });
    accounts::keep_fresh(&door);
    let shared = door.clone();
    let serving = runtime::http::serve(listener, &shutdown, move |routes| {
        routes
            .app_data(shared.clone())
            .route("/v1/callbacks/{rest:.*}", web::to(receive::receive))
            .route("/api/webhooks/{rest:.*}", web::to(receive::receive));
    })?;
    door.public_url
        .get_or_init(|| format!("http://{}", serving.address));
    Ok(serving)
}
