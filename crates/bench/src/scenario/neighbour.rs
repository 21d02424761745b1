//! A good endpoint beside one that hangs.

use super::{Stage, fixed, tenant_with_endpoints};
use crate::load;
use crate::receiver::{Endpoint, Manner};
use crate::report::Row;
use crate::script::Publish;
use crate::tenant::Tenant;

const PER_SECOND: u32 = 100;

/// A good endpoint alone, then beside one that takes every request and answers none.
pub async fn hangs(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (tenant, good) = tenant_with_endpoints(stage, 1, Manner::KnowsEvents).await?;
    let alone = median_ms(stage, "a good endpoint alone", &tenant, &good).await?;
    let hanging = Endpoint::start(Manner::Hangs).await?;
    tenant.subscribe(&hanging, "*").await?;
    let beside = median_ms(
        stage,
        "a good endpoint beside a hanging one",
        &tenant,
        &good,
    )
    .await?;

    stage.row(Row::new("good endpoint alone at 100/s, p50", alone, "ms"));
    stage.row(Row::new("beside a hanging one, p50", beside, "ms"));
    let slower = 100.0 * (beside / alone.max(0.001) - 1.0);
    let row = Row::new("slower by the hanging one", slower, "%");
    stage.row(row.should(stage.targets.neighbour_percent));
    Ok(())
}

/// How long events take to the good endpoint.
async fn median_ms(
    stage: &mut Stage<'_>,
    scenario: &str,
    tenant: &Tenant,
    good: &[Endpoint],
) -> anyhow::Result<f64> {
    stage.begin(scenario).await?;
    good.iter().for_each(Endpoint::clear);
    let script = Publish::new(&tenant.key);
    let count = fixed::count(stage.time, PER_SECOND);
    let load = load::open(script, tenant.api, count, PER_SECOND).await;
    let tally = stage.settle(scenario, tenant, &load, good).await;
    Ok(tally.latencies.quantiles().p50_ms)
}
