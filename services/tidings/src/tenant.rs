//! `tidings tenant create`.

use crate::app;
use crate::exit::Failure;
use crate::print;
use config::Config;
use domain::{Clock, Random};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);

/// Makes a tenant: in the store, or over the API of the server that uses the store.
pub(crate) async fn create(
    config: &Config,
    name: String,
    plan: Option<String>,
) -> Result<(), Failure> {
    let made = match app::open_alone(config).await {
        Ok((_data_dir, store)) => {
            let (clock, random) = (Clock::system(), Random::system());
            let made = subscriptions::create_tenant(&store, &clock, &random, name, plan)
                .await
                .map_err(|problem| refused(problem.code().status().as_u16(), problem.detail()))?;
            serde_json::to_value(made).map_err(Failure::runtime)?
        }
        // Somebody has the lock: the server.
        Err(Failure::Configuration(held)) => over_api(config, &name, plan, &held).await?,
        Err(other) => return Err(other),
    };
    print::line(&serde_json::to_string_pretty(&made).map_err(Failure::runtime)?);
    Ok(())
}

async fn over_api(
    config: &Config,
    name: &str,
    plan: Option<String>,
    held: &str,
) -> Result<Value, Failure> {
    let addresses = app::addresses(&config.data_dir);
    let address = addresses
        .as_ref()
        .and_then(|all| all.get("subscriptions"))
        .and_then(Value::as_str);
    let Some(address) = address else {
        return Err(Failure::Configuration(held.to_owned()));
    };
    let Some(key) = &config.subscriptions.admin_key else {
        return Err(Failure::Configuration(
            "a server runs here, and subscriptions.admin_key is not set: set it to the server's key \
             (TIDINGS_SUBSCRIPTIONS__ADMIN_KEY), or stop the server first"
                .to_owned(),
        ));
    };
    let mut body = json!({ "name": name });
    if let Some(plan) = plan {
        body["plan"] = plan.into();
    }
    let client = crate::receiver::local_client()?;
    let answer = client
        .post(format!("http://{address}/v1/tenants"))
        .bearer_auth(key.reveal())
        .json(&body)
        .timeout(WITHIN)
        .send()
        .await
        .map_err(|error| {
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
        status => refused(status, detail),
    })
}

/// A request that is refused is the fault of who typed it; anything else is not.
fn refused(status: u16, detail: &str) -> Failure {
    if (400..500).contains(&status) {
        Failure::Configuration(detail.to_owned())
    } else {
        Failure::Runtime(format!("no tenant was made ({status}): {detail}"))
    }
}
