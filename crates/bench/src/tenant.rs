//! Tenants of the system under test, made through its API.

use crate::http::{Connection, Request};
use crate::receiver::Endpoint;
use crate::script::SIGNATURE_HEADER;
use crate::system::ADMIN_KEY;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What the provider of every account signs with.
pub const SECRET: &str = "a secret of sixteen or more";

/// A tenant that nobody else uses.
pub struct Tenant {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Its API key.
    pub key: String,
}

impl Tenant {
    /// Makes one.
    pub async fn create(api: SocketAddr) -> anyhow::Result<Self> {
        let body = json!({ "name": "Bench" });
        let made = post(api, ADMIN_KEY, "/v1/tenants", &body).await?;
        let key = made["api_key"].as_str().context("a tenant without a key")?;
        Ok(Self {
            api,
            key: key.to_owned(),
        })
    }

    /// Has events of these types told to an endpoint.
    pub async fn subscribe(&self, endpoint: &Endpoint, events: &str) -> anyhow::Result<()> {
        let body = json!({ "url": endpoint.url(), "events": [events] });
        post(self.api, &self.key, "/v1/webhooks", &body).await?;
        Ok(())
    }

    /// Makes an account of this slug whose provider signs.
    pub async fn open_account(&self, slug: &str) -> anyhow::Result<()> {
        let check = json!({
            "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
            "header": SIGNATURE_HEADER,
        });
        let body = json!({ "provider": "stub", "slug": slug, "auth": [check] });
        post(self.api, &self.key, "/v1/provider-accounts", &body).await?;
        Ok(())
    }
}

async fn post(api: SocketAddr, key: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let request = Request::post(path).header("authorization", &format!("Bearer {key}"));
    let mut bytes = Vec::new();
    request.write(body.to_string().as_bytes(), &mut bytes);
    let mut connection = Connection::open(api).await?;
    let answer = connection.exchange(&bytes).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(
        answer.status == 201,
        "POST {path} was answered {}: {text}",
        answer.status
    );
    Ok(serde_json::from_slice(answer.body)?)
}
