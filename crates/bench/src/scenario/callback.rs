//! Callbacks of a provider that signs.

use super::{Stage, fixed, tenant_with_endpoints};
use crate::load::{self, Accepted, Load, Side, rate};
use crate::receiver::Manner;
use crate::report::{Account, Row};
use crate::script::{Ask, Register, Report};
use crate::tally::Tally;
use crate::tenant::{SECRET, Tenant};
use anyhow::ensure;
use std::time::{Duration, Instant};

/// How many callbacks come in a second on their way to a tenant.
const PER_SECOND: u32 = 500;
/// How many come in a second while the API is asked for what each did.
const ASKED_PER_SECOND: u32 = 100;
/// The counter of the reports that changed what a message stands on.
const APPLIED: &str = r#"tidings_reports_total{outcome="applied"}"#;

/// As many callbacks as are taken, each of a message of its own. Every message must end delivered.
pub async fn accepted(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let scenario = "callbacks, 64 connections";
    stage.begin(scenario).await?;
    let account = "bench-accepted";
    let tenant = Tenant::create(stage.system.api).await?;
    tenant.open_account(account).await?;
    let register = Register::new(&tenant.key, account);
    // It takes longer to register one than to report on it.
    let time = stage.time * 3 / 2;
    let registered = load::closed(register, tenant.api, 0..u64::MAX, time).await;
    let count = only_accepted(&registered)?;

    let report = Report::new(account, SECRET);
    let before = stage.system.counter(APPLIED).await?;
    let load = load::closed(report, stage.system.ingress, 0..count, stage.time).await;
    let reported = u64::try_from(load.accepted.len())?;
    let last = wait_for(stage, before + reported).await?;
    let applied = settle(&tenant, &load).await;

    stage.report.accounts.push(Account {
        scenario: scenario.to_owned(),
        accepted: load.accepted.len(),
        endpoints: 1,
        told: applied.told,
        lost: applied.lost,
        refused: load.refused,
        broken: load.broken,
        ..Account::default()
    });
    let (ceilings, targets) = (stage.ceilings, stage.targets);
    stage.row(Row::new(
        "messages registered, 64 connections",
        registered.rate(),
        "/s",
    ));
    let accepted = Row::new("callbacks accepted, 64 connections", load.rate(), "/s");
    stage.row(
        accepted
            .below("broker", ceilings.broker)
            .should(targets.callbacks),
    );
    let applied = rate(load.accepted.len(), last - load.began);
    let applied = Row::new("reports applied, until the last", applied, "/s");
    stage.row(applied.below("store", ceilings.store));
    let answers = load.answers.quantiles();
    stage.row(Row::new(
        "callback under saturation, p50",
        answers.p50_ms,
        "ms",
    ));
    stage.row(Row::new(
        "callback under saturation, p99",
        answers.p99_ms,
        "ms",
    ));
    Ok(())
}

/// Callbacks on a timetable, each of which raises an event that a tenant is told.
pub async fn to_tenant(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let scenario = "500 callbacks/s to a tenant";
    stage.begin(scenario).await?;
    let account = "bench-to-tenant";
    let (tenant, endpoints) = tenant_with_endpoints(stage, 1, Manner::KnowsMessages).await?;
    tenant.open_account(account).await?;
    let count = fixed::count(stage.time, PER_SECOND);
    let register = Register::new(&tenant.key, account);
    let registered = load::closed(register, tenant.api, 0..count, super::DRAIN).await;
    only_accepted(&registered)?;

    let report = Report::new(account, SECRET);
    let load = load::open(report, stage.system.ingress, count, PER_SECOND).await;
    let tally = stage.settle(scenario, &tenant, &load, &endpoints).await;

    let told = tally.latencies.quantiles();
    let [p50, p99] = stage.targets.callback_to_tenant;
    stage.row(Row::new("callback → tenant at 500/s, p50", told.p50_ms, "ms").should(p50));
    stage.row(Row::new("callback → tenant at 500/s, p99", told.p99_ms, "ms").should(p99));
    Ok(())
}

/// Callbacks on a timetable, each of which is asked for until the API shows what it did.
pub async fn to_state(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let scenario = "100 callbacks/s to a state";
    stage.begin(scenario).await?;
    let account = "bench-to-state";
    let tenant = Tenant::create(stage.system.api).await?;
    tenant.open_account(account).await?;
    let count = fixed::count(stage.time, ASKED_PER_SECOND);
    let register = Register::new(&tenant.key, account);
    let registered = load::closed(register, tenant.api, 0..count, super::DRAIN).await;
    only_accepted(&registered)?;

    let cause = Side {
        script: Report::new(account, SECRET),
        address: stage.system.ingress,
    };
    let effect = Side {
        script: Ask::new(&tenant.key, (0..count).collect()),
        address: tenant.api,
    };
    let load = load::until(cause, effect, count, ASKED_PER_SECOND).await;
    stage.report.accounts.push(Account {
        scenario: scenario.to_owned(),
        accepted: load.accepted.len() + usize::try_from(load.broken)?,
        endpoints: 1,
        told: load.accepted.len(),
        lost: usize::try_from(load.broken)?,
        refused: load.refused,
        ..Account::default()
    });
    let seen = load.answers.quantiles();
    stage.row(Row::new(
        "callback → state at 100/s, p50",
        seen.p50_ms,
        "ms",
    ));
    stage.row(Row::new(
        "callback → state at 100/s, p99",
        seen.p99_ms,
        "ms",
    ));
    Ok(())
}

/// Waits until so many reports are applied, or the time is over; when that was.
async fn wait_for(stage: &Stage<'_>, applied: u64) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + super::DRAIN;
    loop {
        let now = Instant::now();
        if now > deadline || stage.system.counter(APPLIED).await? >= applied {
            return Ok(now);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many there are, when all that were asked for were accepted.
fn only_accepted(registered: &Load) -> anyhow::Result<u64> {
    ensure!(
        registered.refused == 0 && registered.broken == 0,
        "of the messages {} were refused and {} broken",
        registered.refused,
        registered.broken
    );
    Ok(u64::try_from(registered.accepted.len())?)
}

/// Asks for every message until all are delivered, or the time is over.
async fn settle(tenant: &Tenant, load: &Load) -> Tally {
    let deadline = Instant::now() + super::DRAIN;
    let mut open = numbers(&load.accepted);
    while !open.is_empty() && Instant::now() < deadline {
        let ask = Ask::new(&tenant.key, open.clone());
        let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
        let asked = load::closed(ask, tenant.api, 0..count, super::DRAIN).await;
        let mut delivered = numbers(&asked.accepted);
        delivered.sort_unstable();
        open.retain(|number| delivered.binary_search(number).is_err());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Tally {
        accepted: load.accepted.len(),
        told: load.accepted.len() - open.len(),
        lost: open.len(),
        ..Tally::default()
    }
}

fn numbers(accepted: &[Accepted]) -> Vec<u64> {
    let number = |accepted: &Accepted| u64::try_from(accepted.key).ok();
    accepted.iter().filter_map(number).collect()
}
