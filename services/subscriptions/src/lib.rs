#![doc = include_str!("../README.md")]

mod access;
mod account;
mod audit;
mod away;
mod callback;
mod caller;
mod conditional;
mod console_link;
mod dead_letter;
mod delivery;
mod erasure;
mod event;
mod event_type;
mod failure;
mod first_poll;
mod health;
mod house;
mod input;
mod key;
mod list;
mod member;
mod message;
mod notification;
mod oauth;
mod once;
mod openapi;
mod orphan;
mod plan;
mod poll;
mod quarantine;
mod replay;
mod ruling;
mod security;
mod send_attempt;
mod statistics;
mod tenant;
mod timeline;
mod turn;
mod webhook;

pub use openapi::document;
pub use tenant::{MadeTenantView, create_tenant};

use access::Keys;
use actix_web::web;
use away::Away;
use broker::Broker;
use domain::subscription::Usual;
use domain::tally::End;
use domain::{Clock, Random};
use egress::Policy;
use event::feed::Feeds;
use first_poll::Waits;
use runtime::http::{Alias, Connections, Cors, Listener, Proxies, Serving};
use runtime::{Gate, Readiness, Shutdown, Step, Tasks};
use signing::Vault;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::ledger::{Change, Effects};
use store::tally::Book;
use telemetry::{Metrics, Tracer};
use turn::Turns;
use webhook::allowance::Allowance;

/// What the API works with.
#[derive(Clone)]
pub struct Context {
    /// Where everything is kept.
    pub store: Store,
    /// What event types say, in memory.
    pub catalog: catalog::Directory,
    /// Where hints go.
    pub broker: Broker,
    /// Seals secrets.
    pub vault: Arc<Vault>,
    /// Which URLs may be subscribed.
    pub policy: Arc<Policy>,
    /// What tries endpoints, over a new connection each time.
    pub client: egress::Client,
    /// The time.
    pub clock: Clock,
    /// Randomness for ids, keys and secrets.
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
    /// Open once the store was found to fit: until then nobody is served.
    pub admission: Gate,
    /// How many connections this process can have, by its limit of open files.
    pub max_connections: usize,
    /// When providers are asked.
    pub poller: config::Poller,
    /// What holds where a subscription says nothing of how its events are sent.
    pub usual: Usual,
    /// Events older than this are about to be forgotten, and not replayed.
    pub replayable: Duration,
    /// How providers reach the ingress, without a trailing slash.
    pub public_url: String,
    /// The version told in `user-agent`.
    pub version: &'static str,
}

/// What a request needs of the API.
struct Desk {
    context: Context,
    keys: Arc<Keys>,
    /// Whether the store is.
    away: Away,
    /// Who asks for others.
    proxies: Proxies,
    /// How much each tenant asks.
    turns: Arc<Turns>,
    /// What is counted of messages that end here.
    book: Book,
    waits: Arc<Waits>,
    /// What tenants may have us send besides their events.
    allowance: Allowance,
    /// Under which URL tenants reach the API, without a slash at its end; empty where nobody said so.
    own_url: String,
    feeds: Arc<Feeds>,
}

impl Desk {
    /// Counts the ends among what was done, at once: there are few of them here. Whoever waits for an answer
    /// is not told that counting failed.
    async fn count(&self, effects: &Effects) {
        let ends: Vec<End> = effects.changes.iter().filter_map(Change::end).collect();
        if ends.is_empty() {
            return;
        }
        self.book
            .note(|sheet| ends.iter().for_each(|end| sheet.ended(end)));
        if let Err(error) = self.book.hand_in(&self.context.store).await {
            tracing::warn!(%error, "counts wait until they can be handed in");
        }
    }
}

/// How many connections are served at once, over all workers.
const MAX_CONNECTIONS: usize = 10_000;

/// What older callers know some paths by.
const ALIASES: [Alias; 1] = [Alias {
    from: "/api/webhook-subscriptions",
    to: "/v1/webhooks",
}];

/// Binds the listener and starts what the API does by itself.
pub fn serve(config: config::Subscriptions, context: Context) -> Result<Serving, runtime::Error> {
    let listener = Listener {
        name: "subscriptions",
        address: config.listen,
        workers: 2,
        connections: Connections::up_to(MAX_CONNECTIONS.min(context.max_connections)),
        closes_at: Step::Draining,
        tells_path: true,
        aliases: &ALIASES,
        cors: Cors::of(config.cors_origins),
    };
    house::start(&context);
    house::remove_tenants(&context);
    audit::keep_chain(&context);
    let waits = Arc::new(Waits::new(context.poller));
    first_poll::start(&waits, &context);
    let feeds = Arc::new(Feeds::default());
    event::feed::start(&feeds, &context);
    let shutdown = context.shutdown.clone();
    let away = Away::default();
    away::keep_looking(&away, &context);
    let keys = Arc::new(Keys::new(config.admin_key, config.failures_per_minute));
    access::keep_usage(&keys, &context);
    event::amqp::start(&keys, &context);
    let desk = web::Data::new(Desk {
        keys,
        away,
        proxies: Proxies {
            trusted: config.trusted_proxies,
            header: config.client_address_header.name(),
        },
        turns: Arc::new(Turns::new(config.rate_limit)),
        book: Book::default(),
        waits,
        allowance: Allowance::default(),
        own_url: config.public_url.unwrap_or_default(),
        feeds,
        context,
    });
    let served = openapi::Served::new();
    runtime::http::serve(listener, &shutdown, move |routes| {
        routes.app_data(desk.clone());
        openapi::routes().serve(routes);
        served.routes(routes);
    })
}
