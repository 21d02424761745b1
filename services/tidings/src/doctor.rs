//! `tidings doctor`: what is wrong with this installation, and what to do.

use crate::exit::Failure;
use crate::{app, key, print, receiver};
use config::{Config, StoreUrl};
use domain::Random;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(5);

/// One finding.
enum Finding {
    Good(String),
    Bad(String),
}

/// Looks, prints what it finds, and fails when something is wrong.
pub(crate) async fn doctor(config: &Config) -> Result<(), Failure> {
    let mut findings = vec![Finding::Good("the configuration is valid".to_owned())];
    if config.subscriptions.admin_key.is_none() {
        let note = "subscriptions.admin_key is not set: tenants can only be made with `tidings tenant create`";
        findings.push(Finding::Good(note.to_owned()));
    }
    if let StoreUrl::Sqlite(path) = &config.store.url
        && !path.exists()
    {
        findings.push(nothing_yet(&config.data_dir, path));
        return tell(&findings);
    }
    match app::open_alone(config).await {
        Ok((_data_dir, store)) => {
            findings.push(Finding::Good(format!(
                "no server runs in {}",
                config.data_dir.display()
            )));
            findings.push(Finding::Good(
                "the store opens and its schema fits this release".to_owned(),
            ));
            findings.push(match key::unlock(config, &store, &Random::system()).await {
                Ok(_) => Finding::Good("the encryption key is the store's".to_owned()),
                Err(error) => Finding::Bad(error.to_string()),
            });
        }
        Err(Failure::Configuration(held)) => findings.extend(ask_server(config, &held).await?),
        Err(Failure::Schema(reason) | Failure::Runtime(reason)) => {
            findings.push(Finding::Bad(reason));
        }
    }
    tell(&findings)
}

/// What to say before the first start. Looking makes nothing.
fn nothing_yet(data_dir: &Path, store: &Path) -> Finding {
    if data_dir.exists() && !data_dir.is_dir() {
        let path = data_dir.display();
        return Finding::Bad(format!("data_dir: {path} is not a directory"));
    }
    let path = store.display();
    Finding::Good(format!(
        "there is no store at {path} yet: the first `tidings run` makes it"
    ))
}

/// Asks the server that holds the data directory how it is.
async fn ask_server(config: &Config, held: &str) -> Result<Vec<Finding>, Failure> {
    let addresses = app::addresses(&config.data_dir);
    let admin = addresses
        .as_ref()
        .and_then(|all| all.get("admin"))
        .and_then(Value::as_str);
    let Some(admin) = admin else {
        return Ok(vec![Finding::Bad(held.to_owned())]);
    };
    let client = receiver::local_client()?;
    let answer = client
        .get(format!("http://{admin}/readyz"))
        .timeout(WITHIN)
        .send()
        .await;
    let said: Value = match answer {
        Err(error) => {
            let reason =
                format!("the server does not answer at {admin}: {error}; its log says why");
            return Ok(vec![Finding::Bad(reason)]);
        }
        Ok(answer) => answer.json().await.map_err(Failure::runtime)?,
    };
    let mut findings = vec![Finding::Good(format!("a server runs here, at {admin}"))];
    for (name, check) in said["checks"].as_object().into_iter().flatten() {
        let line = format!("{name}: {}", check["detail"].as_str().unwrap_or_default());
        let is_ok = check["ok"] == Value::Bool(true);
        findings.push(if is_ok {
            Finding::Good(line)
        } else {
            Finding::Bad(line)
        });
    }
    Ok(findings)
}

fn tell(findings: &[Finding]) -> Result<(), Failure> {
    let mut bad = 0;
    for finding in findings {
        match finding {
            Finding::Good(text) => print::line(&format!("ok       {text}")),
            Finding::Bad(text) => {
                bad += 1;
                print::line(&format!("problem  {text}"));
            }
        }
    }
    if bad > 0 {
        return Err(Failure::Runtime(format!(
            "{bad} of {} checks found a problem",
            findings.len()
        )));
    }
    Ok(())
}
