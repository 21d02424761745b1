//! Migrations: of what is there already, and by several at once.

use crate::scene::{ask, migrate, new_database};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use domain::id::{CallbackId, TenantId};
use domain::{Clock, Random};
use tidings_store::callback::Filter;
use tidings_store::page::Window;
use tidings_store::{Error, Store};

fn open(url: &str) -> Store {
    Store::open_postgres(url, Clock::system(), Random::system()).unwrap()
}

#[tokio::test]
async fn a_database_that_was_not_migrated_is_refused_by_name_until_it_is() {
    let Some(database) = new_database().await else {
        return;
    };
    let store = open(&database.url);
    for told in [store.check().await, store.ping().await] {
        assert!(
            matches!(&told, Err(Error::SchemaTooOld(name)) if name.contains("create_tidings")),
            "{told:?}"
        );
    }
    assert_eq!(
        migrate(&database.url).await.unwrap(),
        versions(&names("postgres"))
    );
    let begun = std::time::Instant::now();
    while let Err(error) = store.ping().await {
        assert!(matches!(error, Error::SchemaTooOld(_)), "{error}");
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(30),
            "it does not heal"
        );
    }
    store.check().await.unwrap();
}

#[tokio::test]
async fn of_two_migrations_at_once_the_second_finds_nothing_to_do() {
    let Some(database) = new_database().await else {
        return;
    };
    let (one, two) = tokio::join!(migrate(&database.url), migrate(&database.url));
    let mut applied = [one.unwrap().len(), two.unwrap().len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, names("postgres").len()]);
}

#[tokio::test]
async fn a_migration_that_fails_holds_nobody_up() {
    let Some(database) = new_database().await else {
        return;
    };
    migrate(&database.url).await.unwrap();
    ask(
        &database.url,
        "insert into __diesel_schema_migrations (version) values ('99990101000000')",
    )
    .await;
    for _ in 0..2 {
        let error = migrate(&database.url).await.unwrap_err();
        assert!(
            matches!(&error, Error::SchemaTooNew(name) if name == "99990101000000"),
            "{error}"
        );
    }
    let error = open(&database.url).check().await.unwrap_err();
    assert!(matches!(error, Error::SchemaTooNew(_)), "{error}");
}

fn folder(engine: &str) -> String {
    format!("{}/../../migrations/{engine}", env!("CARGO_MANIFEST_DIR"))
}

/// The migrations of these names, as an engine knows them.
fn versions(names: &[String]) -> Vec<String> {
    let digits = |name: &String| name.chars().filter(char::is_ascii_digit).collect();
    names.iter().map(digits).collect()
}

/// All migrations, oldest first.
fn names(engine: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder(engine)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// The first migration of a release that is in the field, as its file says it.
fn first(engine: &str) -> String {
    let folder = folder(engine);
    std::fs::read_to_string(format!("{folder}/2026-11-23-220000_create_tidings/up.sql")).unwrap()
}

/// Two receipts of a callback and one of another, as that release wrote them. `ID` stands for how the
/// engine writes an id, `AT` for a time, `BYTES` for no bytes.
const RECEIPTS: &str = "insert into callbacks (receipt_id, callback_id, is_first, tenant_id, \
        account_id, provider_account, kind, received_at, source_ip, signature_checked, answer, \
        headers, body, status, attempts) values \
    (ID1, ID8, true, ID5, ID5, 'clinic', 0, AT, '', false, '{}', '[]', BYTES, 1, 1), \
    (ID2, ID8, false, ID5, ID5, 'clinic', 0, AT, '', false, '{}', '[]', BYTES, 1, 1), \
    (ID3, ID9, true, ID5, ID5, 'clinic', 0, AT, '', false, '{}', '[]', BYTES, 1, 1)";
const OTHERS: &str = "\
    insert into messages (id, tenant_id, account_id, provider_account, provider, identity_key, \
        recipient, notification_id, parts, environment, created_at, updated_at, state, \
        override_number, standing_attempt, transition, send_attempt, decided_seen, history_length) \
        values (ID1, ID5, ID5, 'clinic', 'stub', BYTES, '+254700000001', 'n-1', 1, 'production', \
        AT, AT, 2, 0, 1, 1, 1, 0, 1); \
    insert into message_history (message_id, ordinal, received_at, send_attempt, word, is_applied, \
        source) values (ID1, 1, AT, 1, 'SENT', true, 0); \
    insert into attempts (delivery_id, number, id, started_at, duration_ms) \
        values (ID1, 1, ID2, AT, 3); \
    insert into events (id, tenant_id, shard, event_type, version, environment, created_at, source, \
        data, caused_at) values (ID1, ID5, 1, 'job.created', 1, 'production', AT, 'api', '{}', AT)";

fn written(script: &str, id: impl Fn(u8) -> String, at: &str, bytes: &str) -> String {
    let script = script.replace("AT", at).replace("BYTES", bytes);
    (1..=9).fold(script, |script, number| {
        script.replace(&format!("ID{number}"), &id(number))
    })
}

async fn counts_the_messages(store: &Store) {
    let tenant = TenantId(uuid::Uuid::from_u128(5));
    let found = store.find_notification(tenant, "n-1".to_owned()).await;
    let counts = found.unwrap().unwrap().counts;
    assert_eq!((counts.delivered, counts.total()), (1, 1));
}

async fn shows_both_callbacks(store: &Store) {
    let tenant = TenantId(uuid::Uuid::from_u128(5));
    let window = Window {
        before: None,
        limit: 9,
    };
    let page = store
        .list_callbacks(tenant, Filter::default(), window)
        .await;
    let receipts: Vec<u32> = page
        .unwrap()
        .items
        .iter()
        .map(|kept| kept.receipts)
        .collect();
    assert_eq!(receipts, [1, 2], "newest first");
    let id = CallbackId(uuid::Uuid::from_u128(8));
    let found = store.find_callback(tenant, id).await.unwrap().unwrap();
    assert_eq!(found.receipt_id.0.as_u128(), 1);
}

#[tokio::test]
async fn a_database_of_the_first_release_keeps_its_rows() {
    let Some(database) = new_database().await else {
        return;
    };
    let id = |number: u8| format!("'00000000-0000-0000-0000-00000000000{number}'");
    let rows = written(
        &format!("{RECEIPTS}; {OTHERS}"),
        id,
        "to_timestamp(9)",
        "''",
    );
    let marked = "create table __diesel_schema_migrations (version varchar(50) primary key not null, \
                  run_on timestamp not null default current_timestamp); \
                  insert into __diesel_schema_migrations (version) values ('20261123220000')";
    ask(
        &database.url,
        &format!("{}; {marked}; {rows}", first("postgres")),
    )
    .await;
    assert_eq!(
        migrate(&database.url).await.unwrap(),
        versions(&names("postgres")[1..])
    );
    for table in ["message_history", "attempts", "events"] {
        let sql = format!("select tableoid::regclass from {table}");
        assert_eq!(ask(&database.url, &sql).await, [format!("{table}_default")]);
    }
    let next = "select nextval('events_position') - max(position) from events";
    assert_eq!(ask(&database.url, next).await, ["1"]);
    shows_both_callbacks(&open(&database.url)).await;
    counts_the_messages(&open(&database.url)).await;
}

#[tokio::test]
async fn a_file_of_the_first_release_keeps_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let id = |number: u8| format!("x'0000000000000000000000000000000{number}'");
    let rows = written(&format!("{RECEIPTS}; {OTHERS}"), id, "9000", "x''");
    let marked = "create table __diesel_schema_migrations (version varchar(50) primary key not null, \
                  run_on timestamp not null default current_timestamp); \
                  insert into __diesel_schema_migrations (version) values ('20261123220000')";
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute(&format!("{}; {marked}; {rows}", first("sqlite")))
        .unwrap();
    drop(connection);
    let store = Store::open_sqlite(&path, Clock::system(), Random::system()).unwrap();
    shows_both_callbacks(&store).await;
    counts_the_messages(&store).await;
}

#[tokio::test]
async fn what_was_migrated_can_be_taken_back_and_migrated_again() {
    let Some(database) = new_database().await else {
        return;
    };
    migrate(&database.url).await.unwrap();
    let id = |number: u8| format!("'00000000-0000-0000-0000-00000000000{number}'");
    ask(&database.url, &written(OTHERS, id, "to_timestamp(9)", "''")).await;
    let folder = folder("postgres");
    let all = names("postgres");
    for name in all[1..].iter().rev() {
        let down = std::fs::read_to_string(format!("{folder}/{name}/down.sql")).unwrap();
        let version = &versions(std::slice::from_ref(name))[0];
        let unmarked =
            format!("delete from __diesel_schema_migrations where version = '{version}'");
        ask(&database.url, &format!("{down}; {unmarked}")).await;
    }
    let tables =
        "select count(*) from pg_class where relkind in ('r', 'p') and relname ~ '_2\\d{7}$'";
    assert_eq!(ask(&database.url, tables).await, ["0"]);
    assert_eq!(migrate(&database.url).await.unwrap(), versions(&all[1..]));
    for table in ["message_history", "attempts", "events"] {
        assert_eq!(
            ask(&database.url, &format!("select count(*) from {table}")).await,
            ["1"]
        );
    }
}
