//! A hundred endpoints of a tenant, of which some hang.

use super::{Stage, fixed};
use crate::latencies::Quantiles;
use crate::load;
use crate::receiver::{Endpoint, Manner};
use crate::report::Row;
use crate::script::Publish;
use crate::tenant::Tenant;

/// How many endpoints are told every event.
const ENDPOINTS: usize = 100;
/// Events in a second: a hundred times as many deliveries.
const PER_SECOND: u32 = 20;

/// All of them answer, then one does not, then half of them do not.
pub async fn hangs(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let none = told(stage, "100 endpoints, none hangs", 0).await?;
    let what = format!("publish → each of 100 endpoints at {PER_SECOND}/s");
    stage.row(Row::new(format!("{what}, p50"), none.p50_ms, "ms"));
    stage.row(Row::new(format!("{what}, p99"), none.p99_ms, "ms"));
    for (hanging, what) in [(1, "while 1 of 100 hangs"), (50, "while 50 of 100 hang")] {
        let scenario = format!("100 endpoints, {hanging} of them hanging");
        let some = told(stage, &scenario, hanging).await?;
        for (name, beside, alone) in [
            ("p50", some.p50_ms, none.p50_ms),
            ("p99", some.p99_ms, none.p99_ms),
        ] {
            stage.row(Row::new(format!("{what}, {name}"), beside, "ms"));
            let times = beside / alone.max(0.001);
            let row = Row::new(format!("{what}, {name} against none"), times, "×");
            stage.row(row);
        }
    }
    Ok(())
}

/// How long events take to those that answer. Each time it is a tenant of its own, and half of a
/// scenario's time.
async fn told(stage: &mut Stage<'_>, scenario: &str, hanging: usize) -> anyhow::Result<Quantiles> {
    stage.begin(scenario).await?;
    let tenant = Tenant::create(stage.system.api).await?;
    let (mut good, mut others) = (Vec::new(), Vec::new());
    for number in 0..ENDPOINTS {
        // Those that hang are among the others.
        let hangs = number * hanging % ENDPOINTS < hanging;
        let manner = if hangs {
            Manner::Hangs
        } else {
            Manner::KnowsEvents
        };
        let endpoint = Endpoint::start(manner).await?;
        tenant.subscribe(&endpoint, "*").await?;
        if hangs { &mut others } else { &mut good }.push(endpoint);
    }
    let script = Publish::new(&tenant.key);
    let count = fixed::count(stage.time / 2, PER_SECOND);
    let load = load::open(script, tenant.api, count, PER_SECOND).await;
    let tally = stage.settle(scenario, &tenant, &load, &good).await;
    Ok(tally.latencies.quantiles())
}
