//! Evidence of what was lost, while the system that lost it still runs.

use crate::http::{Connection, Request};
use crate::id;
use crate::load::Load;
use crate::tally::{Missing, Tally};
use crate::tenant::Tenant;
use std::collections::BTreeMap;

/// How many of the lost ones the system is asked about.
const ASKED: usize = 3;

/// Says where they are missing, when they were due, and what the system knows of some of them.
pub async fn explain(tenant: &Tenant, load: &Load, tally: &Tally, say: fn(&str)) {
    let mut by_endpoint: BTreeMap<usize, Vec<&Missing>> = BTreeMap::new();
    for missing in &tally.missing {
        by_endpoint
            .entry(missing.endpoint)
            .or_default()
            .push(missing);
    }
    for (endpoint, missing) in by_endpoint {
        let due = |missing: &&Missing| missing.due.saturating_duration_since(load.began);
        let first = missing.iter().map(due).min().unwrap_or_default();
        let last = missing.iter().map(due).max().unwrap_or_default();
        let count = missing.len();
        say(&format!(
            "  {count} lost at endpoint {endpoint}, due {first:.3?} to {last:.3?} after the beginning"
        ));
        for missing in missing.iter().take(ASKED) {
            let known = ask(tenant, missing.key).await;
            say(&format!(
                "  {}",
                known.unwrap_or_else(|error| error.to_string())
            ));
        }
    }
}

async fn ask(tenant: &Tenant, key: u128) -> std::io::Result<String> {
    let mut request = Vec::new();
    let path = id::path(key);
    Request::get(&path)
        .header("authorization", &format!("Bearer {}", tenant.key))
        .write(b"", &mut request);
    let mut connection = Connection::open(tenant.api).await?;
    let answer = connection.exchange(&request).await?;
    let body = String::from_utf8_lossy(answer.body);
    Ok(format!("GET {path}: {} {body}", answer.status))
}
