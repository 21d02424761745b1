//! What every backend must do. A backend says how it is opened and how it crashes, and calls
//! [`conformance!`].

mod depth;
mod ending;
mod failure;
mod hints;
mod offering;

pub use depth::*;
pub use ending::*;
pub use failure::*;
pub use hints::*;
pub use offering::*;

use crate::handlers::{Hanging, OPTIONS, QUEUE};
use domain::Clock;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tidings_broker::{Broker, Disposition, Handler, Received};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub trait Backend: Sized {
    /// Nothing in it yet. None where it cannot be run here, which it says.
    async fn new() -> Option<Self>;
    /// The clock its brokers have: a movable one.
    fn clock(&self) -> &Clock;
    /// A broker over what is in it, that can be used.
    async fn open(&self) -> Broker;
    /// Which attempt the next one is of a job that a polite end gave back.
    fn attempts_of_returned(&self) -> RangeInclusive<u32>;
    /// What a new process finds when the one with this broker dies at this moment.
    async fn crash(&mut self, broker: Broker) -> Broker;
}

/// Runs the suite for a backend.
#[macro_export]
macro_rules! conformance {
    ($backend:ty: $($test:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            if let Some(backend) = <$backend as $crate::conformance::Backend>::new().await {
                $crate::conformance::$test(backend).await;
            }
        }
    )*};
    ($backend:ty) => {
        $crate::conformance! { $backend:
            a_published_job_survives_a_reopen
            jobs_come_in_the_order_of_publishing_and_in_batches
            an_acknowledged_job_never_comes_again
            a_waiting_consumer_gets_a_job_as_it_is_published
            a_retried_job_waits_for_its_time_and_lets_others_pass
            a_job_becomes_a_dead_letter_with_the_last_reason_after_its_attempts
            a_deferred_job_costs_no_attempt
            dead_letters_stay_until_they_are_forgotten_and_come_oldest_first
            a_dead_letter_in_hand_when_the_process_dies_is_claimed_again
            what_is_published_again_is_offered_alone_and_begins_anew
            one_panicking_job_of_a_hundred_harms_no_other
            a_job_that_hangs_harms_no_other
            a_job_in_hand_when_the_process_dies_comes_again_as_another_attempt
            a_job_that_outlives_its_processes_becomes_a_dead_letter_unhandled
            a_wrong_number_of_dispositions_retries_them_all
            a_thousand_publishes_from_fifty_tasks_come_exactly_once
            two_consumers_never_get_the_same_job
            a_shutdown_finishes_the_batch_in_hand_and_leaves_the_rest
            a_shutdown_amid_isolation_gives_the_rest_back_uncounted
            a_consumer_that_is_dropped_gives_its_jobs_back
            hints_merge_and_reach_every_receiver_of_their_topic
            an_oversized_payload_is_refused
            the_depth_is_right_all_the_way
            a_closed_broker_refuses_and_says_so
        }
    };
}

fn ack(_: &Received) -> Disposition {
    Disposition::Ack
}

/// The process dies while a handler has all jobs.
async fn crash_in_hand(backend: &mut impl Backend, broker: Broker) -> Broker {
    let hanging = Hanging::default();
    let begun = Arc::clone(&hanging.0);
    let mut consumers = JoinSet::new();
    let consumer = broker.clone();
    consumers.spawn(async move {
        consumer
            .consume(QUEUE, OPTIONS, hanging, std::future::pending())
            .await
    });
    begun.notified().await;
    backend.crash(broker).await
}

/// Works until it is let go.
#[derive(Clone, Default)]
struct Gated {
    begun: Arc<Notify>,
    gate: Arc<Notify>,
}

impl Handler for Gated {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        self.begun.notify_one();
        self.gate.notified().await;
        jobs.iter().map(ack).collect()
    }
}
