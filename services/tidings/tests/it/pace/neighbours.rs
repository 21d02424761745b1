//! Endpoints that hang cost the others nothing.

use super::{A_MOMENT, webhook};
use crate::app::{SOON, TestApp};
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::{Endpoint, Reply};

const ENDPOINTS: usize = 100;
const EVENTS: usize = 20;
/// Longer than it all takes: nothing that hangs ends before.
const TIMEOUT: &str = "60s";

/// How many of those that do not hang were told, and how many such tellings there are to be.
struct Told {
    number: usize,
    of: usize,
    took: Duration,
}

/// Tells each of 100 endpoints of 20 events, of which so many hang, until all others know or the time is
/// over.
async fn tell(hanging: usize, within: Duration) -> Told {
    let settings = [
        ("TIDINGS_DISPATCHER__TIMEOUT", TIMEOUT),
        ("TIDINGS_EGRESS__MAX_PER_HOST", "2048"),
    ];
    let app = TestApp::start_with(&settings).await;
    let endpoint = Endpoint::start().await;
    let tenant = app.tenant("Clinic").await;
    for number in 0..ENDPOINTS {
        // Those that hang are among the others.
        let path = if number * hanging % ENDPOINTS < hanging {
            let path = format!("/hangs/{number}");
            endpoint.answer_at(&path, Reply::Hang);
            path
        } else {
            format!("/works/{number}")
        };
        let few = json!({ "max_in_flight": 4, "timeout_seconds": 30 });
        webhook(&tenant, &endpoint.url(&path), few).await;
    }
    let begun = Instant::now();
    for number in 0..EVENTS {
        tenant.publish("job.created", json!({ "n": number })).await;
    }
    let of = (ENDPOINTS - hanging) * EVENTS;
    loop {
        let hits = endpoint.hits();
        let works = hits.iter().filter(|hit| hit.path.starts_with("/works/"));
        let told = Told {
            number: works.count(),
            of,
            took: begun.elapsed(),
        };
        if told.number >= of || told.took > within {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_hundred_endpoints_that_hangs_and_half_of_them_cost_the_others_nothing() {
    let alone = tell(0, Duration::from_mins(1)).await;
    assert_eq!(alone.number, alone.of);
    // What they complete without it in this time is everything, also where the machine is busy.
    let within = (alone.took * 2).max(Duration::from_secs(8));
    assert!(
        within < Duration::from_secs(25),
        "{within:?}: what hangs would end"
    );
    for (hanging, percent) in [(1, 95), (50, 90)] {
        let told = tell(hanging, within).await;
        assert!(
            told.number * 100 >= told.of * percent,
            "{hanging} hang: {} of {} within {within:?}",
            told.number,
            told.of
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_webhooks_that_may_have_much_under_way_and_hang_leave_room_for_others() {
    let settings = [
        ("TIDINGS_DISPATCHER__TIMEOUT", TIMEOUT),
        ("TIDINGS_EGRESS__MAX_PER_HOST", "2048"),
    ];
    let app = TestApp::start_with(&settings).await;
    let (greedy, modest) = (app.tenant("Greedy").await, app.tenant("Modest").await);
    let [hanging, endpoint] = [Endpoint::start().await, Endpoint::start().await];
    hanging.answer_with(Reply::Hang);
    // Together they may have as many as the dispatcher has in all.
    for _ in 0..8 {
        let much = json!({ "max_in_flight": 256, "timeout_seconds": 30 });
        webhook(&greedy, &hanging.url("/hangs"), much).await;
    }
    for number in 0..256 {
        greedy.publish("job.created", json!({ "n": number })).await;
    }
    hanging.wait_for(1_024, SOON).await;
    tokio::time::sleep(A_MOMENT).await;
    let hang = hanging.hits().len();
    assert!(hang < 1_200, "{hang} hang");
    webhook(&modest, &endpoint.url("/works"), json!({})).await;
    for number in 0..20 {
        modest.publish("job.created", json!({ "n": number })).await;
    }
    endpoint.wait_for(20, SOON).await;
}
