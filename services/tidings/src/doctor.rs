//! `tidings doctor`: what is wrong with this installation, and what to do.

use crate::exit::Failure;
use crate::key::Key;
use crate::{app, print, receiver};
use config::{Config, Mode, StoreUrl};
use domain::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use store::Store;

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
    match config.mode() {
        Mode::Embedded => findings.extend(embedded(config).await?),
        Mode::Distributed => findings.extend(distributed(config).await?),
    }
    tell(&findings)
}

/// One process: it answers for itself, or nothing runs and its files are looked at.
async fn embedded(config: &Config) -> Result<Vec<Finding>, Failure> {
    match app::open_alone(config).await {
        Ok((_data_dir, store)) => {
            let nobody = format!("no server runs in {}", config.data_dir.display());
            Ok(vec![
                Finding::Good(nobody),
                fits(),
                key(config, &store).await,
            ])
        }
        Err(Failure::Configuration(held)) => ask_server(config, &held).await,
        Err(Failure::Schema(reason) | Failure::Runtime(reason)) => Ok(vec![Finding::Bad(reason)]),
    }
}

/// The processes whose data directory this is answer for themselves; where none is, the servers are tried.
async fn distributed(config: &Config) -> Result<Vec<Finding>, Failure> {
    let addresses = app::addresses(&config.data_dir).unwrap_or_default();
    // A process tells one address under each of its roles.
    let mut running: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, address) in &addresses {
        if let (Some(role), Some(address)) = (name.strip_suffix(".admin"), address.as_str()) {
            running.entry(address).or_default().push(role);
        }
    }
    if running.is_empty() {
        return servers(config).await;
    }
    let mut findings = Vec::new();
    for (address, roles) in running {
        findings.extend(ask(&format!("process ({})", roles.join(", ")), address).await?);
    }
    Ok(findings)
}

async fn servers(config: &Config) -> Result<Vec<Finding>, Failure> {
    let nobody = format!("no process runs in {}", config.data_dir.display());
    let mut findings = vec![Finding::Good(nobody)];
    match app::open_alone(config).await {
        Ok((_, store)) => findings.extend([fits(), key(config, &store).await]),
        Err(error) => findings.push(Finding::Bad(error.to_string())),
    }
    findings.push(match app::reach_broker(config, WITHIN).await {
        Ok(()) => Finding::Good("the broker answers".to_owned()),
        Err(reason) => Finding::Bad(reason),
    });
    Ok(findings)
}

fn fits() -> Finding {
    Finding::Good("the store opens and its schema fits this release".to_owned())
}

async fn key(config: &Config, store: &Store) -> Finding {
    let key = match Key::read(config, &Random::system()) {
        Ok(key) => key,
        Err(failure) => return Finding::Bad(failure.to_string()),
    };
    match key.check(store).await {
        Ok(Ok(())) => Finding::Good(match key.change() {
            None => "the encryption key is the store's".to_owned(),
            Some(change) => format!("the encryption key is the store's; {change}"),
        }),
        Ok(Err(failure)) => Finding::Bad(failure.to_string()),
        Err(error) => Finding::Bad(error.to_string()),
    }
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
    ask("server", admin).await
}

/// Asks a process whether it is ready.
async fn ask(who: &str, admin: &str) -> Result<Vec<Finding>, Failure> {
    let client = receiver::local_client()?;
    let answer = client
        .get(format!("http://{admin}/readyz"))
        .timeout(WITHIN)
        .send()
        .await;
    let said: Value = match answer {
        Err(error) => {
            let reason = format!("the {who} does not answer at {admin}: {error}; its log says why");
            return Ok(vec![Finding::Bad(reason)]);
        }
        Ok(answer) => answer.json().await.map_err(Failure::runtime)?,
    };
    let mut findings = vec![Finding::Good(format!("a {who} runs here, at {admin}"))];
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
