//! A store in a temporary directory, with what tests put into it.

use diesel::{Connection, RunQueryDsl, SqliteConnection};
use domain::access::Role;
use domain::account::Environment;
use domain::callback::{Kind, Statement};
use domain::event::Event;
use domain::id::{AccountId, CallbackId, EventId, ReceiptId, SubscriptionId, TenantId};
use domain::json::Raw;
use domain::message::Registration;
use domain::report::{Report, Source};
use domain::subscription::{Interest, Pattern, Settings};
use domain::{Clock, Random, Shard, State};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use tidings_store::Store;
use tidings_store::callback::Accepted;
use tidings_store::delivery::Room;
use tidings_store::directory::Directory;
use tidings_store::fan_out::{FannedOut, Turns};
use tidings_store::key::NewKey;
use tidings_store::shard::Holding;
use tidings_store::subscription::{Health, Subscription};
use tidings_store::tenant::{State as TenantState, Tenant};

pub const PHONE: &str = "+254700000001";

pub struct Scene {
    pub store: Store,
    pub clock: Clock,
    pub random: Random,
    pub tenant: TenantId,
    pub account: AccountId,
    engine: Engine,
    /// What each dispatcher holds, as far as it knows.
    held: Mutex<HashMap<String, Vec<Shard>>>,
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

#[derive(diesel::QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

enum Engine {
    /// The directory with the file.
    Sqlite(TempDir),
    /// A database of this scene's own.
    Postgres(Database),
}

impl Scene {
    pub async fn on_sqlite() -> Self {
        Self::on(Engine::Sqlite(tempfile::tempdir().unwrap())).await
    }

    /// None where no PostgreSQL is named.
    pub async fn on_postgres() -> Option<Self> {
        let database = new_database().await?;
        migrate(&database.url).await.unwrap();
        Some(Self::on(Engine::Postgres(database)).await)
    }

    async fn on(engine: Engine) -> Self {
        let (clock, random) = (Clock::movable(), Random::seeded(11));
        let store = engine.open(clock.clone(), random.clone());
        let now = clock.now();
        let tenant = TenantId::new(now, &random);
        let account = AccountId::new(now, &random);
        let scene = Self {
            store,
            clock,
            random,
            tenant,
            account,
            engine,
            held: Mutex::default(),
        };
        scene.make_tenant(tenant).await;
        scene
    }

    /// The same store, opened again as after a crash.
    pub fn reopen(&self) -> Store {
        self.engine.open(self.clock.clone(), self.random.clone())
    }

    /// The URL of the database, on PostgreSQL.
    pub fn url(&self) -> &str {
        match &self.engine {
            Engine::Postgres(database) => &database.url,
            Engine::Sqlite(_) => panic!("this story is told on PostgreSQL"),
        }
    }

    /// How SQLite goes about a query; none on PostgreSQL.
    pub fn explain(&self, query: &str) -> Option<String> {
        let Engine::Sqlite(directory) = &self.engine else {
            return None;
        };
        let path = directory.path().join("tidings.db");
        let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let explained = diesel::sql_query(format!("explain query plan {query}"));
        let steps: Vec<Step> = explained.load(&mut file).unwrap();
        Some(steps.into_iter().map(|step| step.detail + "; ").collect())
    }

    /// How many rows these tables have.
    pub async fn count(&self, tables: &[&str]) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in tables {
            let sql = format!("select count(*) as number from {table}");
            counts.push(match &self.engine {
                Engine::Postgres(Database { url }) => ask(url, &sql).await[0].parse().unwrap(),
                Engine::Sqlite(directory) => {
                    let path = directory.path().join("tidings.db");
                    let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                    let row: Number = diesel::sql_query(sql).get_result(&mut file).unwrap();
                    row.number
                }
            });
        }
        counts
    }

    /// Changes the database behind the store's back.
    pub async fn change(&self, sql: &str) {
        match &self.engine {
            Engine::Postgres(Database { url }) => drop(ask(url, sql).await),
            Engine::Sqlite(directory) => {
                let path = directory.path().join("tidings.db");
                let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                diesel::sql_query(sql).execute(&mut file).unwrap();
            }
        }
    }

    /// Whether the digits are anywhere in the database.
    pub async fn holds(&self, digits: &str) -> bool {
        match &self.engine {
            Engine::Sqlite(directory) => {
                let path = |name: &str| directory.path().join(name).display().to_string();
                let copy = path("copy.db");
                let _ = std::fs::remove_file(&copy);
                let mut file = SqliteConnection::establish(&path("tidings.db")).unwrap();
                let vacuum = format!("vacuum into '{copy}'");
                diesel::sql_query(vacuum).execute(&mut file).unwrap();
                let bytes = std::fs::read(&copy).unwrap();
                bytes
                    .windows(digits.len())
                    .any(|part| part == digits.as_bytes())
            }
            Engine::Postgres(Database { url }) => {
                let tables = "select relname from pg_class where relkind in ('r', 'p') \
                              and relnamespace = 'public'::regnamespace and not relispartition";
                // The byte of a digit is 0x30 and the digit.
                let hex: String = digits.chars().flat_map(|digit| ['3', digit]).collect();
                for table in ask(url, tables).await {
                    let rows = ask(url, &format!("select t::text from {table} t")).await;
                    let has = |row: &String| row.contains(digits) || row.contains(&hex);
                    if rows.iter().any(has) {
                        return true;
                    }
                }
                false
            }
        }
    }

    pub async fn make_tenant(&self, id: TenantId) {
        let tenant = Tenant {
            id,
            name: "clinic".to_owned(),
            plan: "standard".to_owned(),
            state: TenantState::Active,
            state_at: None,
            created_at: self.clock.now(),
        };
        let key = self.key(Role::Owner);
        self.store.create_tenant(tenant, key).await.unwrap();
    }

    /// A key that nobody has yet.
    pub fn key(&self, role: Role) -> NewKey {
        NewKey {
            id: domain::id::KeyId::new(self.clock.now(), &self.random),
            hash: self.random.bytes(),
            prefix: "tk_live_abcd".to_owned(),
            name: "a key".to_owned(),
            role,
            scopes: None,
            expires_at: None,
        }
    }

    pub fn registration(&self, id: &str, to: &str) -> Registration {
        Registration {
            account_id: self.account,
            provider_account: "clinic".parse().unwrap(),
            provider: "stub".to_owned(),
            provider_message_id: Some(id.to_owned()),
            client_reference: None,
            to: to.to_owned(),
            from: None,
            notification_id: None,
            parts: 1,
            cost: None,
            metadata: None,
            environment: Environment::default(),
        }
    }

    pub fn report(id: &str, state: State) -> Report {
        Report {
            provider_message_id: Some(id.to_owned()),
            client_reference: None,
            recipient: Some(PHONE.to_owned()),
            part: None,
            word: state.as_str().to_uppercase(),
            state: Some(state),
            is_temporary: false,
            provider_time: None,
            failure_reason: None,
            failure_class: None,
            network_code: None,
            cost: None,
            provider_response: None,
        }
    }

    pub fn callback(&self, reports: Vec<Report>) -> Accepted {
        let statements: Vec<_> = reports.into_iter().map(Statement::Report).collect();
        let callback_id: CallbackId =
            domain::callback::id(self.account, Kind::Reports, &statements);
        Accepted {
            receipt_id: ReceiptId::new(self.clock.now(), &self.random),
            callback_id,
            tenant_id: self.tenant,
            account_id: self.account,
            provider_account: "clinic".to_owned(),
            kind: Kind::Reports,
            source: Source::Callback,
            received_at: self.clock.now(),
            source_ip: "127.0.0.1".to_owned(),
            signature_checked: false,
            answer: "{}".to_owned(),
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: vec![0, 159, 255],
            statements,
            traceparent: None,
            attempt: 1,
        }
    }

    /// Records and applies, as the tracker does.
    pub async fn track(&self, batch: Vec<Accepted>) -> tidings_store::callback::Applied {
        let batch = Arc::new(batch);
        self.store.record_callbacks(batch.clone()).await.unwrap();
        self.store.apply_callbacks(batch).await.unwrap()
    }

    pub fn event(&self, event_type: &str) -> Event {
        let now = self.clock.now();
        Event {
            id: EventId::new(now, &self.random),
            tenant_id: self.tenant,
            event_type: event_type.to_owned(),
            version: 1,
            environment: Environment::default(),
            created_at: now,
            source: "api".to_owned(),
            resource: None,
            context: None,
            metadata: None,
            data: Raw::parse(r#"{"b":1.00,"a":2}"#.to_owned()).unwrap(),
            transition: None,
            traceparent: None,
            caused_at: now,
        }
    }

    pub async fn publish(&self, event_type: &str) -> EventId {
        let event = self.event(event_type);
        let id = event.id;
        self.store.publish_event(event, None).await.unwrap();
        id
    }

    pub async fn subscribe(&self, patterns: &[&str]) -> SubscriptionId {
        let texts: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
        let now = self.clock.now();
        let id = SubscriptionId::new(now, &self.random);
        let subscription = Subscription {
            interest: Interest {
                subscription_id: id,
                tenant_id: self.tenant,
                environment: Environment::default(),
                patterns: Pattern::read_list(&texts).unwrap(),
                since_position: 0,
            },
            url: "https://example.org/hook".to_owned(),
            secret: vec![1, 2, 3],
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
        id
    }

    /// A renewal of a dispatcher, which remembers what it holds.
    pub async fn hold_all(&self, owner: &str) -> Holding {
        let known = || self.held.lock().unwrap();
        let used = known().get(owner).cloned().unwrap_or_default();
        let holding = self
            .store
            .lease_shards(owner.to_owned(), used)
            .await
            .unwrap();
        let held = holding.shards.iter().map(|lease| lease.shard).collect();
        known().insert(owner.to_owned(), held);
        holding
    }

    pub async fn fan_out(&self, holding: &Holding, directory: &Directory) -> FannedOut {
        self.fan_out_with_room(holding, directory, 100).await
    }

    pub async fn fan_out_with_room(
        &self,
        holding: &Holding,
        directory: &Directory,
        each: usize,
    ) -> FannedOut {
        let all = Turns {
            after: None,
            shards: holding.shards.iter().map(|lease| lease.shard).collect(),
        };
        let room = Room {
            each,
            ..Room::default()
        };
        self.store
            .fan_out(all, holding.shards.clone(), room, directory)
            .await
            .unwrap()
    }
}

impl Engine {
    fn open(&self, clock: Clock, random: Random) -> Store {
        match self {
            Self::Sqlite(directory) => {
                let path = directory.path().join("tidings.db");
                Store::open_sqlite(&path, clock, random).unwrap()
            }
            Self::Postgres(Database { url }) => Store::open_postgres(url, clock, random).unwrap(),
        }
    }
}

/// A database of a test's own. It takes 11 MB of the disk, so it is removed once some are left behind.
pub struct Database {
    pub url: String,
}

/// The URLs of those that nobody uses any more.
static LEFT_BEHIND: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// So many of them are removed at once: the server looks through all its memory for each.
const AT_ONCE: usize = 24;

impl Drop for Database {
    fn drop(&mut self) {
        let mut left = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
        left.push(std::mem::take(&mut self.url));
    }
}

/// A database that nobody has used yet; none where no PostgreSQL is named.
#[expect(clippy::print_stderr, reason = "says what was not run")]
pub async fn new_database() -> Option<Database> {
    let Some(url) = variable("TIDINGS_TEST_POSTGRES_URL") else {
        eprintln!("not run on PostgreSQL: TIDINGS_TEST_POSTGRES_URL is not set");
        return None;
    };
    remove_left_behind(&url).await;
    let name = format!("t{:032x}", u128::from_le_bytes(Random::system().bytes()));
    ask(&url, &format!("create database {name}")).await;
    let (server, _) = url.rsplit_once('/').unwrap();
    Some(Database {
        url: format!("{server}/{name}"),
    })
}

async fn remove_left_behind(url: &str) {
    let left: Vec<_> = {
        let mut left = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() < AT_ONCE {
            return;
        }
        left.drain(..).collect()
    };
    for (_, name) in left.iter().filter_map(|left| left.rsplit_once('/')) {
        ask(url, &format!("drop database {name} with (force)")).await;
    }
}

/// What the machine says about the servers of tests.
pub fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where a test's server is, the machine says"
    )]
    std::env::var(name).ok()
}

pub async fn migrate(url: &str) -> Result<Vec<String>, tidings_store::Error> {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || Store::migrate_postgres(&url))
        .await
        .unwrap()
}

/// Asks a PostgreSQL on a connection of its own; the first column of each row, as text.
pub async fn ask(url: &str, sql: &str) -> Vec<String> {
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::select! {
        answer = client.simple_query(sql) => answer
            .unwrap()
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect(),
        ended = driver => panic!("the connection ended: {ended:?}"),
    }
}
