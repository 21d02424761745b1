//! How long providers' reports take, learned from all that came.

use super::total;
use crate::Store;
use crate::connection::each;
use crate::error::Error;
use crate::schema::report_delays;
use diesel::prelude::*;
use domain::histogram::{Bucket, Histogram};
use domain::poll::FirstPoll;
use domain::tally::{NO_NETWORK, OTHER_NETWORK, day};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many days are looked at before today.
const DAYS: i32 = 7;
/// Fewer samples say nothing.
const FEWEST_SAMPLES: u64 = 100;

/// How long the reports of a provider take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportDelay {
    /// The provider.
    pub provider: String,
    /// The network; none for all of the provider's together.
    pub network: Option<String>,
    /// From how many reports that is known.
    pub samples: u64,
    /// In which time 95 of 100 came.
    pub p95: Duration,
}

impl Store {
    /// How long reports took in the last seven days, from the registration of a message until the callback
    /// that ended it: of each provider, and of each of its networks, of which at least 100 came.
    pub async fn report_delays(&self) -> Result<Vec<ReportDelay>, Error> {
        let since = day(self.clock.now()) - DAYS;
        self.read(move |connection| {
            let key = (
                report_delays::provider,
                report_delays::network,
                report_delays::bucket,
            );
            let rows: Vec<(String, String, String, i64)> =
                each!(connection, c => report_delays::table
                    .filter(report_delays::day.ge(since))
                    .group_by(key)
                    .select((
                        report_delays::provider,
                        report_delays::network,
                        report_delays::bucket,
                        total(),
                    ))
                    .load(c))?;
            let mut known: BTreeMap<(String, Option<String>), Histogram> = BTreeMap::new();
            for (provider, network, bucket, count) in rows {
                let Some(bucket) = Bucket::parse(&bucket) else {
                    continue;
                };
                let count = u64::try_from(count).unwrap_or(0);
                let of_all = known.entry((provider.clone(), None)).or_default();
                of_all.add(bucket, count);
                if network != NO_NETWORK && network != OTHER_NETWORK {
                    let of_network = known.entry((provider, Some(network))).or_default();
                    of_network.add(bucket, count);
                }
            }
            Ok(known.into_iter().filter_map(learnt).collect())
        })
        .await
    }

    /// The waits before first polls, with what was learned of providers and networks.
    pub async fn learn(&self, unlearned: FirstPoll) -> Result<FirstPoll, Error> {
        let delays = self.report_delays().await?.into_iter();
        Ok(unlearned.with(delays.map(|it| (it.provider, it.network, it.p95))))
    }
}

fn learnt(
    ((provider, network), histogram): ((String, Option<String>), Histogram),
) -> Option<ReportDelay> {
    let samples = histogram.count();
    let p95 = Duration::from_millis(histogram.quantile(950)?);
    (samples >= FEWEST_SAMPLES).then_some(ReportDelay {
        provider,
        network,
        samples,
        p95,
    })
}
