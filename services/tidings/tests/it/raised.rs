//! Whatever Tidings told of by itself while a test ran is as the catalog says. Looked at when an app in
//! files, or a database, is let go.

use catalog::built_in;
use domain::json::Raw;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;

/// Its type, and its data.
pub const RAISED: &str = "select event_type, data from events where source = 'tidings'";
/// A server that a test has stopped tells nothing.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Fails where an event in this database is not as the catalog says. On a thread of its own: a runtime is not to be waited for.
pub fn look_in_database(url: &str) {
    if thread::panicking() {
        return;
    }
    let url = url.to_owned();
    let asked = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ask(&url))
    });
    look_at(asked.join().unwrap());
}

/// Nothing where there is no server any more, or nobody has migrated the database.
async fn ask(url: &str) -> Vec<(String, String)> {
    let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
    let Ok(Ok((client, driver))) = tokio::time::timeout(CONNECT_WITHIN, connecting).await else {
        return Vec::new();
    };
    tokio::select! {
        raised = read(&client) => raised,
        ended = driver => panic!("the connection ended: {ended:?}"),
    }
}

async fn read(client: &tokio_postgres::Client) -> Vec<(String, String)> {
    let migrated = client.query_one("select to_regclass('events') is not null", &[]);
    if !migrated.await.unwrap().get::<_, bool>(0) {
        return Vec::new();
    }
    let rows = client.query(RAISED, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Fails where one of these is not as the catalog says.
pub fn look_at(raised: impl IntoIterator<Item = (String, String)>) {
    let raised = raised.into_iter();
    let faults: Vec<_> = raised
        .filter_map(|(event_type, data)| fault(&event_type, data))
        .collect();
    assert_eq!(
        faults,
        Vec::<String>::new(),
        "raised, and not as the catalog says"
    );
}

fn fault(event_type: &str, data: String) -> Option<String> {
    let Some(known) = built_in::find(event_type) else {
        return Some(format!("{event_type} is not in the catalog"));
    };
    let schema = known.compiled().unwrap();
    let faults = schema.check(&Raw::parse(data.clone()).unwrap()).err()?;
    Some(format!("{event_type} {data}: {faults:?}"))
}

#[test]
fn an_event_that_is_not_as_the_catalog_says_is_noticed() {
    let found = |event_type, data: &str| fault(event_type, data.to_owned());
    let example = built_in::find("webhook.disabled").unwrap().example.as_str();
    assert_eq!(found("webhook.disabled", example), None);
    let bare = found("webhook.disabled", "{}").unwrap();
    assert!(bare.contains("webhook.disabled {}: "), "{bare}");
    let unknown = found("webhook.vanished", example).unwrap();
    assert_eq!(unknown, "webhook.vanished is not in the catalog");
}
