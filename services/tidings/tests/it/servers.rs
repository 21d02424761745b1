//! What an app is on: files of its own, or a database and queues of its own in servers that are given.

use crate::raised;
use domain::Random;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use store::Store;
use tokio::sync::OnceCell;

const MODE: &str = "TIDINGS_TEST_MODE";
pub const POSTGRES: &str = "TIDINGS_TEST_POSTGRES_URL";
pub const AMQP: &str = "TIDINGS_TEST_AMQP_URL";
/// 32 bytes.
pub const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A migrated database that the others are copies of.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();
/// Queues that nobody uses any more. A quorum queue costs RabbitMQ memory: the next app removes them.
static LEFT_QUEUES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Databases that nobody uses any more, each 11 MB of the disk: all those of a run are more than some machines have.
/// They are removed some at a time, for the server looks through all its memory for each.
static LEFT_DATABASES: Mutex<Vec<String>> = Mutex::new(Vec::new());
const AT_ONCE: usize = 24;

pub enum Backing {
    Files,
    Servers(Servers),
}

/// A database and a namespace of queues, of one's own.
pub struct Servers {
    pub database: String,
    pub amqp: String,
    pub namespace: String,
    /// The encryption key, and the one before it while it is being changed.
    pub key: String,
    pub previous: Option<String>,
}

impl Backing {
    pub async fn new() -> Self {
        match variable(MODE).as_deref() {
            None | Some("embedded") => Self::Files,
            Some("distributed") => {
                let (Some(postgres), Some(amqp)) = (variable(POSTGRES), variable(AMQP)) else {
                    panic!("{MODE} is distributed, and {POSTGRES} or {AMQP} is not set");
                };
                Self::Servers(Servers::new(&postgres, amqp).await)
            }
            Some(other) => panic!("{MODE} is {other:?}: it may be embedded or distributed"),
        }
    }

    pub fn settings(&self) -> Vec<(String, String)> {
        match self {
            Self::Files => Vec::new(),
            Self::Servers(servers) => servers.settings(),
        }
    }

    pub async fn change_store(&self, file: &Path, sql: &str) -> u64 {
        match self {
            Self::Files => {
                let connection = rusqlite::Connection::open(file).unwrap();
                let changed = connection.execute(sql, []).unwrap();
                u64::try_from(changed).unwrap()
            }
            Self::Servers(servers) => execute(&servers.database, sql).await,
        }
    }

    /// Whether these digits are anywhere in the store: in the rows, not in what they have left behind.
    pub async fn store_holds(&self, file: &Path, digits: &str) -> bool {
        match self {
            Self::Files => {
                let copy = file.with_extension("copy");
                let _ = std::fs::remove_file(&copy);
                let connection = rusqlite::Connection::open(file).unwrap();
                let vacuum = format!("vacuum into '{}'", copy.display());
                connection.execute(&vacuum, []).unwrap();
                let bytes = std::fs::read(&copy).unwrap();
                let mut parts = bytes.windows(digits.len());
                parts.any(|part| part == digits.as_bytes())
            }
            Self::Servers(servers) => {
                // The byte of a digit is 0x30 and the digit.
                let bytes: String = digits.chars().flat_map(|digit| ['3', digit]).collect();
                let sql = HOLDING.replace("DIGITS", digits).replace("BYTES", &bytes);
                execute(&servers.database, &sql).await > 0
            }
        }
    }
}

/// Each table's rows that have these digits, as text or as bytes.
const HOLDING: &str = "select 1 from (select query_to_xml(format('select t::text from %I t', relname), \
                       true, false, '')::text as rows from pg_class where relkind in ('r', 'p') \
                       and relnamespace = 'public'::regnamespace and not relispartition) as each \
                       where rows like '%DIGITS%' or rows like '%BYTES%'";

impl Servers {
    /// In the servers that the variables name; none where they name none, which is said.
    #[expect(clippy::print_stderr, reason = "says what was not run")]
    pub async fn find() -> Option<Self> {
        let (Some(postgres), Some(amqp)) = (variable(POSTGRES), variable(AMQP)) else {
            eprintln!("not run: {POSTGRES} and {AMQP} are not both set");
            return None;
        };
        Some(Self::new(&postgres, amqp).await)
    }

    /// As [`Servers::find`], with a database that nobody has migrated.
    pub async fn find_bare() -> Option<Self> {
        Some(Self::with(&variable(POSTGRES)?, variable(AMQP)?, "").await)
    }

    async fn new(postgres: &str, amqp: String) -> Self {
        let template = TEMPLATE.get_or_init(|| make_template(postgres)).await;
        Self::with(postgres, amqp, &format!(" template {template}")).await
    }

    async fn with(postgres: &str, amqp: String, how: &str) -> Self {
        remove_queues(&amqp).await;
        remove_databases(postgres).await;
        let name = unique();
        execute(postgres, &format!("create database {name}{how}")).await;
        Self {
            database: at(postgres, &name),
            amqp,
            namespace: name,
            key: KEY.to_owned(),
            previous: None,
        }
    }

    pub fn settings(&self) -> Vec<(String, String)> {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut settings = vec![
            setting("TIDINGS_STORE__URL", &self.database),
            setting("TIDINGS_STORE__ENCRYPTION_KEY", &self.key),
            setting("TIDINGS_BROKER__URL", &self.amqp),
            setting("TIDINGS_BROKER__NAMESPACE", &self.namespace),
        ];
        if let Some(previous) = &self.previous {
            settings.push(setting("TIDINGS_STORE__PREVIOUS_ENCRYPTION_KEY", previous));
        }
        settings
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        raised::look_in_database(&self.database);
        for left in [&LEFT_QUEUES, &LEFT_DATABASES] {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            left.push(self.namespace.clone());
        }
    }
}

async fn make_template(postgres: &str) -> String {
    let name = unique();
    execute(postgres, &format!("create database {name}")).await;
    let url = at(postgres, &name);
    tokio::task::spawn_blocking(move || Store::migrate_postgres(&url))
        .await
        .unwrap()
        .unwrap();
    name
}

async fn remove_databases(postgres: &str) {
    let left: Vec<_> = {
        let mut left = LEFT_DATABASES
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if left.len() < AT_ONCE {
            return;
        }
        left.drain(..).collect()
    };
    for database in left {
        execute(postgres, &format!("drop database {database} with (force)")).await;
    }
}

async fn remove_queues(amqp: &str) {
    let left = std::mem::take(&mut *LEFT_QUEUES.lock().unwrap_or_else(PoisonError::into_inner));
    if left.is_empty() {
        return;
    }
    let connection = Connection::connect(amqp, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    for namespace in left {
        for queue in ["callbacks.v1", "security.v1", "publish.v1"] {
            for place in [
                "",
                ".alone",
                ".dead",
                ".wait-1000ms",
                ".wait-10000ms",
                ".wait-60000ms",
            ] {
                let queue = format!("{namespace}.{queue}{place}");
                let options = QueueDeleteOptions::default();
                channel.queue_delete(queue.into(), options).await.unwrap();
            }
        }
        let exchange = format!("{namespace}.publish");
        let options = ExchangeDeleteOptions::default();
        let deleted = channel.exchange_delete(exchange.into(), options).await;
        deleted.unwrap();
    }
}

pub async fn execute(url: &str, sql: &str) -> u64 {
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::select! {
        changed = client.execute(sql, &[]) => changed.unwrap(),
        ended = driver => panic!("the connection ended: {ended:?}"),
    }
}

/// The same server, another database.
fn at(postgres: &str, database: &str) -> String {
    let (server, _) = postgres.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

fn unique() -> String {
    format!("t{:032x}", u128::from_le_bytes(Random::system().bytes()))
}

pub fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where a test's server is, the machine says"
    )]
    std::env::var(name).ok()
}
