//! How many rows a second the hot statements write, in batches of 1, 8, 64 and 512:
//! `cargo run --release -p tidings-store --example hot_statements`. On SQLite, and on PostgreSQL where
//! `TIDINGS_TEST_POSTGRES_URL` names one. The numbers stand in ADR 0003 and ADR 0020.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use domain::account::Environment;
use domain::attempt::Detail;
use domain::callback::{Kind, Statement};
use domain::delivery::State;
use domain::event::Event;
use domain::id::{AccountId, AttemptId, EventId, ReceiptId, SubscriptionId, TenantId};
use domain::json::Raw;
use domain::message::Registration;
use domain::report::{Report, Source};
use domain::subscription::{Interest, Pattern, Settings};
use domain::{Clock, Random, Shard};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings_store::Store;
use tidings_store::callback::Accepted;
use tidings_store::delivery::{Attempt, Owed, Room, Then};
use tidings_store::directory::Directory;
use tidings_store::fan_out::Turns;
use tidings_store::shard::Fenced;
use tidings_store::subscription::{Health, Subscription};

const BATCHES: [usize; 4] = [1, 8, 64, 512];
const FOR: Duration = Duration::from_secs(2);

struct Bench {
    store: Store,
    clock: Clock,
    random: Random,
    tenant: TenantId,
    account: AccountId,
    leases: Vec<Fenced>,
    directory: Directory,
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, random) = (Clock::movable(), Random::system());
    let path = folder.path().join("tidings.db");
    println!("SQLite");
    measure(
        Store::open_sqlite(&path, clock.clone(), random.clone()).unwrap(),
        &clock,
        &random,
    )
    .await;
    #[expect(
        clippy::disallowed_methods,
        reason = "where a server for tests is, the machine says"
    )]
    let Ok(url) = std::env::var("TIDINGS_TEST_POSTGRES_URL") else {
        return;
    };
    println!("PostgreSQL");
    measure(on_postgres(&url, &clock, &random).await, &clock, &random).await;
}

/// In a database of its own.
async fn on_postgres(url: &str, clock: &Clock, random: &Random) -> Store {
    let name = format!("t{:032x}", u128::from_le_bytes(random.bytes()));
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let create = format!("create database {name}");
    tokio::select! {
        created = client.batch_execute(&create) => created.unwrap(),
        ended = driver => panic!("the connection ended: {ended:?}"),
    }
    let (server, _) = url.rsplit_once('/').unwrap();
    let own = format!("{server}/{name}?sslmode=disable");
    let (clock, random) = (clock.clone(), random.clone());
    tokio::task::spawn_blocking(move || {
        Store::migrate_postgres(&own).unwrap();
        Store::open_postgres(&own, clock, random).unwrap()
    })
    .await
    .unwrap()
}

async fn measure(store: Store, clock: &Clock, random: &Random) {
    let leases = store
        .lease_shards("bench".to_owned(), Vec::new())
        .await
        .unwrap()
        .shards;
    let bench = Bench {
        tenant: TenantId::PLATFORM,
        account: AccountId::new(clock.now(), random),
        directory: Directory::default(),
        store,
        clock: clock.clone(),
        random: random.clone(),
        leases,
    };
    bench.subscribe().await;
    println!(
        "{:<24}{:>10}{:>10}{:>10}{:>10}",
        "rows/s, batches of", 1, 8, 64, 512
    );
    let mut lines: Vec<(&str, Vec<f64>)> = Vec::new();
    for size in BATCHES {
        for (index, (name, rate)) in bench.round(size).await.into_iter().enumerate() {
            if lines.len() <= index {
                lines.push((name, Vec::new()));
            }
            lines[index].1.push(rate);
        }
    }
    for (name, rates) in lines {
        print!("{name:<24}");
        for rate in rates {
            print!("{rate:>10.0}");
        }
        println!();
    }
}

impl Bench {
    async fn round(&self, size: usize) -> Vec<(&'static str, f64)> {
        let mut spent = [Duration::ZERO; 5];
        let mut rows = 0;
        let begun = Instant::now();
        while begun.elapsed() < FOR {
            rows += size;
            let started = Instant::now();
            let published = (0..size).map(|_| self.store.publish_event(self.event(), None));
            join_all(published)
                .await
                .into_iter()
                .for_each(|done| assert!(done.is_ok()));
            spent[0] += started.elapsed();

            let started = Instant::now();
            let owed = self.fan_out(size).await;
            spent[1] += started.elapsed();

            let due_at = self.clock.now().plus(Duration::from_secs(1));
            let failed = self.attempts(&owed, Then::RetryAt(due_at));
            self.store.record_attempts(failed.into()).await.unwrap();
            self.clock.advance(Duration::from_millis(1_001));
            let started = Instant::now();
            let owed = self.claim(size).await;
            spent[2] += started.elapsed();

            let ended = self.attempts(&owed, Then::End(State::Delivered));
            let started = Instant::now();
            self.store.record_attempts(ended.into()).await.unwrap();
            spent[3] += started.elapsed();

            let callbacks = self.registered(size).await;
            let started = Instant::now();
            self.store
                .record_callbacks(callbacks.clone())
                .await
                .unwrap();
            self.store.apply_callbacks(callbacks).await.unwrap();
            spent[4] += started.elapsed();
            // The events of the reports are not part of what is measured next.
            while !self.fan_out(size).await.is_empty() {}
        }
        let names = [
            "event insert",
            "stamp and fan out",
            "due claim",
            "attempt record",
            "report apply",
        ];
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = |spent: Duration| rows as f64 / spent.as_secs_f64();
        names.into_iter().zip(spent.map(rate)).collect()
    }

    async fn subscribe(&self) {
        let now = self.clock.now();
        let interest = Interest {
            subscription_id: SubscriptionId::new(now, &self.random),
            tenant_id: self.tenant,
            environment: Environment::default(),
            patterns: vec![Pattern::Exact("job.created".to_owned())],
            since_position: 0,
        };
        let subscription = Subscription {
            interest,
            url: "https://example.org".to_owned(),
            secret: vec![0; 60],
            name: None,
            description: None,
            previous_secrets: Vec::new(),
            settings: Settings::default(),
            headers: None,
            endpoint_secret: None,
            is_enabled: true,
            disabled_reason: None,
            disabled_at: None,
            created_at: now,
            updated_at: now,
            health: Health::default(),
        };
        self.store.create_subscription(subscription).await.unwrap();
    }

    fn event(&self) -> Event {
        let now = self.clock.now();
        Event {
            id: EventId::new(now, &self.random),
            tenant_id: self.tenant,
            event_type: "job.created".to_owned(),
            version: 1,
            environment: Environment::default(),
            created_at: now,
            source: "api".to_owned(),
            resource: None,
            context: None,
            metadata: None,
            data: Raw::parse(format!(r#"{{"text":"{}"}}"#, "x".repeat(300))).unwrap(),
            transition: None,
            traceparent: None,
            caused_at: now,
        }
    }

    async fn fan_out(&self, size: usize) -> Vec<Owed> {
        let mut owed = Vec::new();
        loop {
            let all = Turns {
                after: None,
                shards: Shard::all().collect(),
            };
            let room = Room {
                each: size,
                ..Room::default()
            };
            let done = self
                .store
                .fan_out(all, self.leases.clone(), room, &self.directory)
                .await
                .unwrap();
            owed.extend(done.owed);
            if done.full_at.is_none() {
                return owed;
            }
        }
    }

    async fn claim(&self, size: usize) -> Vec<Owed> {
        let mut owed = Vec::new();
        let mut claimed = 0;
        while claimed < size {
            let room = Room {
                each: size,
                ..Room::default()
            };
            let done = self
                .store
                .claim_due(self.leases.clone(), room, Vec::new(), &self.directory)
                .await
                .unwrap();
            claimed += done.owed.iter().map(|owed| owed.to.len()).sum::<usize>();
            owed.extend(done.owed);
        }
        owed
    }

    fn attempts(&self, owed: &[Owed], then: Then) -> Vec<Attempt> {
        let recipients = owed.iter().flat_map(|owed| &owed.to);
        recipients
            .map(|to| {
                let shard = Shard::of_subscription(to.subscription_id);
                Attempt {
                    id: AttemptId::new(self.clock.now(), &self.random),
                    delivery_id: to.delivery_id,
                    event_id: EventId::new(self.clock.now(), &self.random),
                    event_type: "job.created".to_owned(),
                    settings_of: self.clock.now(),
                    disable_after: None,
                    subscription_id: to.subscription_id,
                    lease: *self
                        .leases
                        .iter()
                        .find(|lease| lease.shard == shard)
                        .unwrap(),
                    number: to.attempts + 1,
                    budget_from: to.budget_from,
                    started_at: self.clock.now(),
                    duration_ms: 3,
                    status_code: Some(200),
                    error: None,
                    response_body: Some("ok".to_owned()),
                    detail: Detail::default(),
                    then,
                    cause: None,
                    disables: None,
                }
            })
            .collect()
    }

    async fn registered(&self, size: usize) -> Arc<Vec<Accepted>> {
        let callbacks: Vec<Accepted> = (0..size).map(|_| self.callback()).collect();
        let messages = callbacks.iter().map(|callback| {
            let Statement::Report(report) = &callback.statements[0] else {
                unreachable!()
            };
            self.store
                .register_message(self.tenant, self.registration(report))
        });
        join_all(messages)
            .await
            .into_iter()
            .for_each(|done| assert!(done.is_ok()));
        Arc::new(callbacks)
    }

    fn registration(&self, report: &Report) -> Registration {
        Registration {
            account_id: self.account,
            provider_account: "bench".parse().unwrap(),
            provider: "stub".to_owned(),
            provider_message_id: report.provider_message_id.clone(),
            client_reference: None,
            to: "+254700000001".to_owned(),
            from: None,
            notification_id: None,
            parts: 1,
            cost: None,
            metadata: None,
            environment: Environment::default(),
        }
    }

    fn callback(&self) -> Accepted {
        let report = Report {
            provider_message_id: Some(format!("{:032x}", u128::from_le_bytes(self.random.bytes()))),
            client_reference: None,
            recipient: Some("+254700000001".to_owned()),
            part: None,
            word: "DELIVRD".to_owned(),
            state: Some(domain::State::Delivered),
            is_temporary: false,
            provider_time: None,
            failure_reason: None,
            failure_class: None,
            network_code: None,
            cost: None,
            provider_response: None,
        };
        let statements = vec![Statement::Report(report)];
        Accepted {
            receipt_id: ReceiptId::new(self.clock.now(), &self.random),
            callback_id: domain::callback::id(self.account, Kind::Reports, &statements),
            tenant_id: self.tenant,
            account_id: self.account,
            provider_account: "bench".to_owned(),
            kind: Kind::Reports,
            source: Source::Callback,
            received_at: self.clock.now(),
            source_ip: "127.0.0.1".to_owned(),
            signature_checked: true,
            answer: "{}".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: vec![b'x'; 300],
            statements,
            traceparent: None,
            attempt: 1,
        }
    }
}
