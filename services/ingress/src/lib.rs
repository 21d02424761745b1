#![doc = include_str!("../README.md")]

mod accounts;
mod breaker;
mod keep;
mod limit;
mod path;
mod receive;
mod replay;
mod suspect;
mod tell;
mod unsaid;
mod watch;

use accounts::Accounts;
use actix_web::web;
use broker::Broker;
use domain::{Clock, Random};
use journal::Journal;
use keep::Keeper;
use limit::Limits;
use replay::Replays;
use runtime::http::{Connections, Cors, Listener, Proxies, Serving};
use runtime::{Readiness, Shutdown, Step, Tasks};
use signing::Vault;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use store::Store;
use telemetry::{Metrics, Tracer};
use unsaid::Unsaid;
use watch::Watch;

/// What the ingress works with.
#[derive(Clone)]
pub struct Context {
    /// Where accounts are looked up.
    pub store: Store,
    /// Where callbacks go.
    pub broker: Broker,
    /// Where they are kept while a broker server takes none; none where the broker is on this disk itself,
    /// or the journal is switched off.
    pub journal: Option<Journal>,
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
    proxies: Proxies,
    security: config::Security,
    accounts: Accounts,
    limits: Limits,
    replays: Replays,
    watch: Watch,
    keeper: Keeper,
    unsaid: Unsaid,
    /// What providers see before the path; there once the listener is.
    public_url: OnceLock<String>,
}

/// Binds the listener, keeps the known accounts fresh, and sends on what the journal holds.
pub fn serve(
    config: config::Ingress,
    security: config::Security,
    context: Context,
) -> Result<Serving, runtime::Error> {
    let metrics = context.metrics.clone();
    let listener = Listener {
        name: "ingress",
        address: config.listen,
        workers: 2,
        connections: Connections {
            most: config.max_connections,
            most_per_source: Some(config.max_connections_per_source),
            trusted: config.trusted_proxies.clone(),
            refused: Some(Arc::new(move || metrics.connection_refused("ingress"))),
        },
        closes_at: Step::Draining,
        // A path may hold an account's secret token.
        tells_path: false,
        aliases: &[],
        cors: Cors::default(),
    };
    let shutdown = context.shutdown.clone();
    let keeper = Keeper::new(&context);
    keeper.forward(&context);
    let door = web::Data::new(Door {
        accounts: Accounts::new(&context),
        limits: Limits::new(&config.rate_limit),
        replays: Replays::default(),
        watch: Watch::new(
            security.alert_thresholds,
            context.vault.clone(),
            context.random.clone(),
        ),
        keeper: keeper.clone(),
        unsaid: Unsaid::default(),
        public_url: config
            .public_url
            .clone()
            .map(OnceLock::from)
            .unwrap_or_default(),
        proxies: Proxies {
            trusted: config.trusted_proxies.clone(),
            header: config.client_address_header.name(),
        },
        config,
        security,
        context,
    });
    accounts::keep_fresh(&door);
    tell::start(&door);
    let shared = door.clone();
    let serving = runtime::http::serve(listener, &shutdown, move |routes| {
        routes
            .app_data(shared.clone())
            .route("/v1/callbacks/{rest:.*}", web::to(receive::receive))
            .route("/api/webhooks/{rest:.*}", web::to(receive::receive));
    })?;
    door.public_url
        .get_or_init(|| format!("http://{}", serving.address));
    Ok(Serving {
        address: serving.address,
        run: Box::pin(async move {
            let mut run = serving.run;
            // An idle listener closes the moment the process drains: whichever is seen first.
            let (ended, since) = tokio::select! {
                ended = &mut run => (ended, Instant::now()),
                () = shutdown.draining() => {
                    let since = Instant::now();
                    (run.await, since)
                }
            };
            if shutdown.is_draining() {
                keeper.drain(&shutdown, since).await;
            }
            ended
        }),
    })
}
