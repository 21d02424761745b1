//! What a poller works with, in a temporary directory, and a provider at the other end.

use crate::Context;
use crate::account::{Account, Api, Names};
use broker::Broker;
use domain::account::Environment;
use domain::id::{AccountId, TenantId};
use domain::message::Registration;
use domain::poll::{Plan, Silence};
use domain::{Clock, Random, Timestamp};
use providers::ask::{Access, InboxApi, StatusApi};
use runtime::{Readiness, Shutdown, Tasks};
use signing::Vault;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::message::NewMessage;
use store::poll::Lease;
use telemetry::{Metrics, Tracer};
use testkit::Endpoint;
use wire::Queue;

pub(crate) struct Scene {
    pub(crate) context: Context,
    pub(crate) account_id: AccountId,
    pub(crate) endpoint: Endpoint,
    _directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, random) = (Clock::movable(), Random::seeded(4));
        let path = |name: &str| directory.path().join(name);
        let store = Store::open_sqlite(&path("tidings.db"), clock.clone(), random.clone());
        let policy = egress::Policy {
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            allow_ports: vec![1..=65_535],
            require_https: false,
        };
        let resolver = egress::Resolver::system().unwrap();
        let client = egress::Client::new(policy, resolver, egress::ClientOptions::default());
        let shutdown = Shutdown::new();
        let context = Context {
            store: store.unwrap(),
            broker: Broker::open_embedded(&path("queue.db"), clock.clone()).unwrap(),
            client: client.unwrap(),
            vault: Arc::new(Vault::new([7; 32])),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::new("1").unwrap(),
            tracer: Tracer::disabled(),
            tasks: Tasks::new(shutdown.clone()),
            readiness: Readiness::new(shutdown.clone()),
            shutdown,
            version: "1",
        };
        Self {
            account_id: AccountId::new(clock.now(), &random),
            context,
            endpoint: Endpoint::start().await,
            _directory: directory,
        }
    }

    pub(crate) async fn lease(&self) -> Lease {
        let wanted = vec![self.account_id];
        let leases = self
            .context
            .store
            .lease_accounts("me".to_owned(), wanted)
            .await;
        leases.unwrap().pop().unwrap()
    }

    pub(crate) fn api(
        &self,
        status: Option<&'static dyn StatusApi>,
        inbox: Option<&'static dyn InboxApi>,
    ) -> Api {
        Api {
            status,
            inbox,
            access: Access {
                base_url: self.endpoint.url(""),
                values: BTreeMap::new(),
            },
            per_second: 100,
        }
    }

    pub(crate) fn names(&self) -> Names {
        Names {
            tenant_id: TenantId::PLATFORM,
            account_id: self.account_id,
            slug: "clinic".parse().unwrap(),
            provider: "numbers".to_owned(),
            environment: Environment::default(),
        }
    }

    pub(crate) fn account(&self, api: Api) -> Account {
        Account {
            api: Some(api),
            silence: Silence::default(),
            updated_at: Timestamp::from_millis(0),
            names: Some(self.names()),
        }
    }

    /// Registers a message, which is due at once.
    pub(crate) async fn message(&self, id: &str) {
        let registration = Registration {
            account_id: self.account_id,
            provider_account: "clinic".parse().unwrap(),
            provider: "numbers".to_owned(),
            provider_message_id: Some(id.to_owned()),
            client_reference: None,
            to: "+254700000001".to_owned(),
            from: None,
            notification_id: None,
            parts: 1,
            metadata: None,
            cost: None,
            environment: Environment::default(),
        };
        let new = NewMessage {
            registration,
            plan: Plan::ask(Duration::from_mins(5)),
        };
        let registered = self
            .context
            .store
            .register_message(TenantId::PLATFORM, new)
            .await;
        registered.unwrap();
        self.context.clock.advance(Duration::from_secs(331));
    }

    pub(crate) async fn jobs(&self) -> u64 {
        let depth = self.context.broker.depth(Queue::Callbacks).await;
        depth.unwrap().ready
    }

    /// What the provider was asked since this was last called.
    pub(crate) fn asked(&self) -> Vec<String> {
        let hits = self.endpoint.take_hits();
        hits.into_iter().map(|hit| hit.path).collect()
    }
}
