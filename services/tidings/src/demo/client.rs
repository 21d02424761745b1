//! The platform's and the providers' side of the demo: plain HTTP.

use crate::exit::Failure;
use crate::receiver;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

pub(super) struct Client {
    http: reqwest::Client,
    api: String,
}

impl Client {
    pub(super) fn new(api: String) -> Result<Self, Failure> {
        Ok(Self {
            http: receiver::local_client()?,
            api,
        })
    }

    pub(super) async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Value, Failure> {
        let request = self
            .http
            .post(format!("{}{path}", self.api))
            .bearer_auth(key)
            .json(body);
        answer(request).await
    }

    pub(super) async fn get(&self, path: &str, key: &str) -> Result<Value, Failure> {
        answer(
            self.http
                .get(format!("{}{path}", self.api))
                .bearer_auth(key),
        )
        .await
    }

    /// Sends a callback; the id it was accepted under.
    pub(super) async fn callback(
        &self,
        url: &str,
        content_type: &str,
        body: &str,
    ) -> Result<String, Failure> {
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, content_type)
            .body(body.to_owned());
        let accepted = answer(request).await?;
        Ok(accepted["callback_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await.map_err(Failure::runtime)?;
    let status = answer.status();
    let text = answer.text().await.map_err(Failure::runtime)?;
    if !status.is_success() {
        return Err(Failure::Runtime(format!("{status}: {text}")));
    }
    serde_json::from_str(&text).map_err(Failure::runtime)
}
