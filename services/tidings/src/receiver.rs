//! A small receiver of webhooks, for the demo and for `tidings listen`.

use crate::exit::Failure;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use runtime::http::{Connections, Cors, Listener, Serving};
use runtime::{Shutdown, Step};
use serde_json::Value;
use signing::{WebhookSecret, webhook};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// How old a webhook may be, as receivers usually have it.
const TOLERANCE_SECONDS: u64 = 300;
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A webhook as it arrived.
pub(crate) struct Arrived {
    pub id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

impl Arrived {
    /// Whether it was signed with this secret, lately.
    pub(crate) fn verify(&self, secret: &WebhookSecret, now: Timestamp) -> Result<(), String> {
        let secrets = std::slice::from_ref(secret);
        let now = now.as_seconds();
        let (timestamp, signature) = (&self.timestamp, &self.signature);
        webhook::verify(
            secrets,
            &self.id,
            timestamp,
            signature,
            &self.body,
            now,
            TOLERANCE_SECONDS,
        )
        .map_err(|error| error.to_string())
    }

    /// What it says, exactly.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// What it says.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Listens on 127.0.0.1 and hands over what arrives, answering 200 to all of it.
pub(crate) fn listen(
    port: u16,
    shutdown: &Shutdown,
    arrived: mpsc::UnboundedSender<Arrived>,
) -> Result<Serving, Failure> {
    let listener = Listener {
        name: "receiver",
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        workers: 1,
        connections: Connections::up_to(256),
        closes_at: Step::Draining,
        tells_path: true,
        aliases: &[],
        cors: Cors::default(),
    };
    let serving = runtime::http::serve(listener, shutdown, move |routes| {
        let arrived = arrived.clone();
        let take = move |request: HttpRequest, body: Bytes| {
            let header = |name: &str| {
                let value = request
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            let _ = arrived.send(Arrived {
                id: header(webhook::ID_HEADER),
                timestamp: header(webhook::TIMESTAMP_HEADER),
                signature: header(webhook::SIGNATURE_HEADER),
                body: body.to_vec(),
            });
            async { HttpResponse::Ok().finish() }
        };
        routes
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .route("/{any:.*}", web::post().to(take));
    })?;
    Ok(serving)
}

/// A client for servers of ours on this machine: no proxy, no redirects.
#[expect(
    clippy::disallowed_methods,
    reason = "it only reaches addresses that this program bound"
)]
pub(crate) fn local_client() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(Failure::runtime)
}
