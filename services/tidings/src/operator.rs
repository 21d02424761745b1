//! What the operator asks of a running server, over its API.

use crate::app;
use crate::exit::Failure;
use config::Config;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// The API of a server, with the admin key.
pub(crate) struct Operator {
    address: String,
    key: String,
    client: reqwest::Client,
    patience: Duration,
}

impl Operator {
    /// The server of this configuration, where it says that it is; none where it says nothing.
    ///
    /// Fails without an admin key, and says what can be done `instead`.
    pub(crate) fn find(
        config: &Config,
        patience: Duration,
        instead: &str,
    ) -> Result<Option<Self>, Failure> {
        let addresses = app::addresses(&config.data_dir);
        let address = addresses
            .as_ref()
            .and_then(|all| all.get("subscriptions"))
            .and_then(Value::as_str);
        address
            .map(|address| Self::at(address.to_owned(), config, patience, instead))
            .transpose()
    }

    /// The server at this address. See [`Self::find`].
    pub(crate) fn at(
        address: String,
        config: &Config,
        patience: Duration,
        instead: &str,
    ) -> Result<Self, Failure> {
        let Some(key) = &config.subscriptions.admin_key else {
            return Err(Failure::Configuration(format!(
                "a server runs here, and subscriptions.admin_key is not set: set it to the server's key \
                 (TIDINGS_SUBSCRIPTIONS__ADMIN_KEY){instead}"
            )));
        };
        Ok(Self {
            address,
            key: key.reveal().to_owned(),
            client: crate::receiver::local_client()?,
            patience,
        })
    }

    /// What the server answers. A request that is refused is the fault of who typed it; anything else is
    /// not.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let address = &self.address;
        let url = format!("http://{address}{path}");
        let url = reqwest::Url::parse_with_params(&url, query).map_err(Failure::configuration)?;
        let mut request = self
            .client
            .request(method, url)
            .bearer_auth(&self.key)
            .timeout(self.patience);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| {
            Failure::Runtime(format!("the server at {address} does not answer: {error}"))
        })?;
        let status = answer.status();
        let said: Value = answer.json().await.map_err(Failure::runtime)?;
        if status.is_success() {
            return Ok(said);
        }
        let detail = said["detail"].as_str().unwrap_or("no reason given");
        Err(match status.as_u16() {
            401 | 403 => Failure::Configuration(format!(
                "subscriptions.admin_key is not the server's ({status}): set it to the server's key"
            )),
            400..500 => Failure::Configuration(detail.to_owned()),
            status => Failure::Runtime(format!("the server did not do it ({status}): {detail}")),
        })
    }
}
