//! Everything in this process, on a clock that a test can move: in a temporary directory or, where
//! `TIDINGS_TEST_MODE` is `distributed`, on a PostgreSQL and a RabbitMQ.

use crate::raised;
use crate::servers::Backing;
use config::Config;
use domain::Clock;
use serde_json::{Value, json};
use std::path::Path;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use testkit::{ADMIN_KEY, Api, Endpoint, Ingress, RawConnection};
use tidings::app::{App, Reach};
use tidings::role::Role;

/// Far longer than anything takes.
pub const SOON: Duration = Duration::from_secs(10);

/// For a test that asks for many things at once, and is not about whose turn it is.
pub const MANY_AT_ONCE: (&str, &str) = ("TIDINGS_SUBSCRIPTIONS__RATE_LIMIT__AT_ONCE", "1000");

/// A running Tidings.
pub struct TestApp {
    pub clock: Clock,
    /// The API, for the operator.
    pub operator: Api,
    pub ingress: Ingress,
    pub admin: Api,
    settings: Vec<(String, String)>,
    backing: Backing,
    directory: TempDir,
    reach: Reach,
    app: Option<App>,
}

/// A tenant with its API.
pub struct Tenant {
    pub id: String,
    pub key: String,
    pub api: Api,
}

/// A subscription.
pub struct Webhook {
    pub id: String,
    pub secret: String,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings beyond the free ports and the loopback network.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_reaching(settings, Reach::system().unwrap()).await
    }

    /// The same with name servers and root certificates of the test's own.
    pub async fn start_reaching(settings: &[(&str, &str)], reach: Reach) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::movable();
        let backing = Backing::new().await;
        let given = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = backing.settings().into_iter().chain(given).collect();
        let app = compose(directory.path(), &settings, &clock, &reach).await;
        let nowhere = "http://127.0.0.1:9";
        let mut test_app = Self {
            clock,
            operator: Api::new(nowhere, ADMIN_KEY),
            ingress: Ingress::new(nowhere),
            admin: Api::anonymous(nowhere),
            settings,
            backing,
            directory,
            reach,
            app: None,
        };
        test_app.adopt(app);
        test_app
    }

    /// Ends politely and starts again on the same data, at other ports.
    pub async fn restart(&mut self) {
        if let Some(app) = self.app.take() {
            assert_eq!(
                app.end().await,
                Vec::<String>::new(),
                "everything ends in time"
            );
        }
        let directory = self.directory.path();
        let app = compose(directory, &self.settings, &self.clock, &self.reach).await;
        self.adopt(app);
    }

    /// Has a setting be another from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// The same with other settings, which replace those that are there.
    pub async fn restart_with(&mut self, settings: &[(&str, &str)]) {
        let is_replaced = |name: &str| settings.iter().any(|(other, _)| *other == name);
        self.settings.retain(|(name, _)| !is_replaced(name));
        let given = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.settings.extend(given);
        self.restart().await;
    }

    /// Where others publish over RabbitMQ, and the namespace; none where there is no RabbitMQ.
    pub fn amqp(&self) -> Option<(&str, &str)> {
        match &self.backing {
            Backing::Files => None,
            Backing::Servers(servers) => Some((&servers.amqp, &servers.namespace)),
        }
    }

    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Changes the store behind everybody's back; how many rows.
    pub async fn change_store(&self, sql: &str) -> u64 {
        let file = self.data_dir().join("data/tidings.db");
        self.backing.change_store(&file, sql).await
    }

    /// Whether these digits are anywhere in the store.
    pub async fn store_holds(&self, digits: &str) -> bool {
        let file = self.data_dir().join("data/tidings.db");
        self.backing.store_holds(&file, digits).await
    }

    pub async fn tenant(&self, name: &str) -> Tenant {
        let made = self
            .operator
            .post("/v1/tenants", json!({ "name": name }))
            .await
            .expect(201);
        let key = made["api_key"].as_str().unwrap().to_owned();
        Tenant {
            id: made["id"].as_str().unwrap().to_owned(),
            api: Api::new(self.operator.base_url(), &key),
            key,
        }
    }

    /// The same tenant, after a restart.
    pub fn again(&self, tenant: &Tenant) -> Tenant {
        Tenant {
            id: tenant.id.clone(),
            key: tenant.key.clone(),
            api: Api::new(self.operator.base_url(), &tenant.key),
        }
    }

    fn adopt(&mut self, app: App) {
        self.operator = Api::new(&app.url("subscriptions").unwrap(), ADMIN_KEY);
        self.ingress = Ingress::new(&app.url("ingress").unwrap());
        self.admin = Api::anonymous(&app.url("admin").unwrap());
        self.app = Some(app);
    }
}

impl Tenant {
    /// A provider account whose callbacks prove nothing but that they come from this machine. Its
    /// callback paths by kind.
    pub async fn account(&self, provider: &str, slug: &str) -> Value {
        let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
        self.account_with(provider, slug, auth).await
    }

    pub async fn account_with(&self, provider: &str, slug: &str, auth: Value) -> Value {
        let body = json!({ "provider": provider, "slug": slug, "auth": auth });
        self.api
            .post("/v1/provider-accounts", body)
            .await
            .expect(201)
    }

    pub async fn webhook(&self, endpoint: &Endpoint, events: &[&str]) -> Webhook {
        let body = json!({ "url": endpoint.url("/hook"), "events": events });
        let made = self.api.post("/v1/webhooks", body).await.expect(201);
        Webhook {
            id: made["id"].as_str().unwrap().to_owned(),
            secret: made["secret"].as_str().unwrap().to_owned(),
        }
    }

    /// Registers a message; its id.
    pub async fn message(&self, account: &str, id: &str, to: &str) -> String {
        let body = json!({ "provider_account": account, "provider_message_id": id, "to": to });
        let made = self.api.post("/v1/messages", body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// All of a list, page by page.
    pub async fn all(&self, list: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.api.get(&format!("{list}?limit=100{cursor}")).await;
            let page = page.expect(200);
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Asks with a POST, and leaves the answer to whoever has the connection.
    pub async fn begin(&self, path: &str, key: Option<&str>, body: &Value) -> RawConnection {
        let mut connection = RawConnection::open(self.api.base_url()).await;
        let key = key.map_or_else(String::new, |key| format!("idempotency-key: {key}\r\n"));
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: tidings\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n{key}content-length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        assert!(connection.send(request).await);
        connection
    }

    /// Publishes an event; its id.
    pub async fn publish(&self, event_type: &str, data: Value) -> String {
        let body = json!({ "type": event_type, "data": data });
        let made = self.api.post("/v1/events", body).await.expect(202);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a message is in a state.
    pub async fn wait_for_state(&self, message: &str, state: &str) -> Value {
        let path = format!("/v1/messages/{message}");
        self.api
            .get_until(&path, |found| found["state"] == state, SOON)
            .await
    }

    /// Waits until the newest delivery of a subscription was tried so often; all of them.
    pub async fn wait_for_attempts(&self, webhook: &Webhook, attempts: usize) -> Vec<Value> {
        let tried = |all: &[Value]| {
            let newest = all.first().and_then(|newest| newest["attempts"].as_array());
            newest.is_some_and(|tried| tried.len() == attempts)
        };
        self.wait_for_deliveries(webhook, tried).await
    }

    /// Waits until a subscription's deliveries are as wanted; all of them, newest first.
    pub async fn wait_for_deliveries(
        &self,
        webhook: &Webhook,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let path = format!("/v1/webhooks/{}/deliveries?limit=100", webhook.id);
        let list = |found: &Value| found["data"].as_array().cloned().unwrap_or_default();
        let found = self
            .api
            .get_until(&path, |found| wanted(&list(found)), SOON)
            .await;
        list(&found)
    }
}

async fn compose(
    directory: &Path,
    settings: &[(String, String)],
    clock: &Clock,
    reach: &Reach,
) -> App {
    // Tests share one TLS library.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = [
        (
            "TIDINGS_DATA_DIR",
            directory.join("data").display().to_string(),
        ),
        ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_SUBSCRIPTIONS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", ADMIN_KEY.to_owned()),
        ("TIDINGS_RUNTIME__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8".to_owned()),
        // What is tried again is tried soon.
        ("TIDINGS_DISPATCHER__RETRY", "quick".to_owned()),
    ];
    // A setting replaces the one that is usual.
    let is_replaced = |name| settings.iter().any(|(setting, _)| setting == name);
    let base = base
        .into_iter()
        .filter(|(name, _)| !is_replaced(*name))
        .map(|(name, value)| (name.to_owned(), value));
    let config = Config::load(None, base.chain(settings.iter().cloned())).unwrap();
    let app = App::start_reaching(config, &Role::ALL, clock.clone(), reach);
    let app = app.await.unwrap();
    wait_until_ready(&app).await;
    app
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let file = self.data_dir().join("data/tidings.db");
        if matches!(self.backing, Backing::Files) && !thread::panicking() {
            let connection = rusqlite::Connection::open(file).unwrap();
            let mut statement = connection.prepare(raised::RAISED).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
            raised::look_at(rows.unwrap().map(Result::unwrap));
        }
    }
}

/// A broker's server is connected to in the background.
async fn wait_until_ready(app: &App) {
    let admin = Api::anonymous(&app.url("admin").unwrap());
    let is_ready = |said: &Value| said["ready"] == true;
    admin.get_until("/readyz", is_ready, SOON).await;
}
