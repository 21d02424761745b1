//! A listener that runs, and a client for it.

use actix_web::web::ServiceConfig;
use std::net::SocketAddr;
use std::time::Duration;
use tidings_runtime::http::{Connections, Cors, Listener, Serving, serve};
use tidings_runtime::{Shutdown, Step, Tasks};

pub struct Server {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    pub tasks: Tasks,
    pub client: reqwest::Client,
}

impl Server {
    /// With these routes, telling paths.
    pub fn start(configure: impl Fn(&mut ServiceConfig) + Send + Clone + 'static) -> Self {
        Self::start_as(true, configure)
    }

    pub fn start_as(
        tells_path: bool,
        configure: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
    ) -> Self {
        let listener = Listener {
            name: "test",
            address: any_port(),
            workers: 1,
            connections: Connections::up_to(64),
            closes_at: Step::Draining,
            tells_path,
            aliases: &[],
            cors: Cors::default(),
        };
        let shutdown = Shutdown::new();
        let serving = serve(listener, &shutdown, configure).unwrap();
        Self::run(serving, shutdown)
    }

    pub fn run(serving: Serving, shutdown: Shutdown) -> Self {
        let Serving { address, run } = serving;
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("test listener", async move { run.await.unwrap() });
        Self {
            address,
            shutdown,
            tasks,
            client: client(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub async fn joined_within(&self, deadline: Duration) -> bool {
        self.tasks.join(deadline).await.is_empty()
    }
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[expect(
    clippy::disallowed_methods,
    reason = "it only calls servers that the tests started"
)]
fn client() -> reqwest::Client {
    // Fails when another test was faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}
