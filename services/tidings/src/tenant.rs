//! `tidings tenant create`.

use crate::app;
use crate::exit::Failure;
use crate::operator::Operator;
use crate::print;
use config::Config;
use domain::{Clock, Random};
use reqwest::Method;
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
    let operator = Operator::find(config, WITHIN, ", or stop the server first")?
        .ok_or_else(|| Failure::Configuration(held.to_owned()))?;
    let mut body = json!({ "name": name });
    if let Some(plan) = plan {
        body["plan"] = plan.into();
    }
    operator
        .ask(Method::POST, "/v1/tenants", &[], Some(body))
        .await
}

/// A request that is refused is the fault of who typed it; anything else is not.
fn refused(status: u16, detail: &str) -> Failure {
    if (400..500).contains(&status) {
        Failure::Configuration(detail.to_owned())
    } else {
        Failure::Runtime(format!("no tenant was made ({status}): {detail}"))
    }
}
