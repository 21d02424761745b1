//! Subscriptions that only fail: who is warned of them, when they are disabled, and what is told of deliveries
//! that are given up.

use crate::deliveries::{attempt, recipients};
use crate::proxy::Proxy;
use crate::recovery::recover;
use crate::scene::Scene;
use domain::Shard;
use domain::delivery::{Cause, State};
use domain::id::{SubscriptionId, TenantId};
use domain::replay::Selection;
use domain::subscription::{DisabledReason, Pattern, Settings};
use serde_json::Value;
use std::time::Duration;
use tidings_store::Store;
use tidings_store::delivery::{Attempt, Recipient, Recorded, Then};
use tidings_store::directory::Directory;
use tidings_store::event::Filter;
use tidings_store::page::Window;
use tidings_store::replay::Demand;
use tidings_store::shard::Holding;
use tidings_store::subscription::{Change, EndpointSecret, Subscription};

const LIMIT: Duration = Duration::from_hours(100);
const HOUR: Duration = Duration::from_hours(1);

/// A subscription with a delivery that is attempted again and again.
struct Patient {
    id: SubscriptionId,
    holding: Holding,
    to: Recipient,
    /// Of which type its events are.
    event_type: &'static str,
}

impl Patient {
    async fn of(scene: &Scene, event_type: &'static str) -> Self {
        let holding = scene.hold_all("a").await;
        let id = scene.subscribe(&[event_type]).await;
        scene.publish(event_type).await;
        let done = scene.fan_out(&holding, &Directory::default()).await;
        let mut to = recipients(&done.owed).into_iter();
        let to = to.find(|to| to.subscription_id == id).unwrap();
        Self {
            id,
            holding,
            to,
            event_type,
        }
    }

    async fn found(&self, scene: &Scene) -> Subscription {
        let found = scene.store.find_subscription(scene.tenant, self.id).await;
        found.unwrap().unwrap()
    }

    /// The next attempt, with the settings of now.
    async fn attempt(&mut self, scene: &Scene, then: Then) -> Attempt {
        let settings_of = self.found(scene).await.updated_at;
        let attempt = Attempt {
            event_type: self.event_type.to_owned(),
            settings_of,
            disable_after: Some(LIMIT),
            ..attempt(scene, &self.holding, self.to, then)
        };
        self.to.attempts += 1;
        attempt
    }

    /// The next attempt fails, and is recorded twice, as after a crash between record and reply.
    async fn fail(&mut self, scene: &Scene) -> Recorded {
        let then = Then::RetryAt(scene.clock.now().plus(HOUR));
        let failed = self.attempt(scene, then).await;
        let recorded = record(scene, vec![failed.clone()]).await;
        let again = record(scene, vec![failed]).await;
        assert_eq!(again, Recorded::default(), "it is known");
        recorded
    }

    async fn fail_for(&mut self, scene: &Scene, hours: u32) {
        for _ in 0..hours {
            scene.clock.advance(HOUR);
            self.fail(scene).await;
        }
    }

    async fn succeed(&mut self, scene: &Scene) {
        let then = Then::End(State::Delivered);
        let succeeded = self.attempt(scene, then).await;
        record(scene, vec![succeeded]).await;
    }

    async fn set(&self, scene: &Scene, url: &str, is_enabled: bool) {
        scene.clock.advance(Duration::from_secs(1));
        let change = Change {
            url: url.to_owned(),
            patterns: vec![Pattern::All],
            secret: None,
            name: Some("Ward".to_owned()),
            description: None,
            environment: domain::account::Environment::default(),
            settings: Settings::default(),
            headers: None,
            endpoint_secret: EndpointSecret::Stays,
            is_enabled,
            updated_at: scene.clock.now(),
        };
        let updated = scene
            .store
            .update_subscription(scene.tenant, self.id, change);
        updated.await.unwrap().unwrap();
    }
}

async fn record(scene: &Scene, batch: Vec<Attempt>) -> Recorded {
    scene.store.record_attempts(batch.into()).await.unwrap()
}

/// What was told to a tenant of subscriptions, oldest first: the type, and the data.
async fn told(scene: &Scene, tenant: TenantId) -> Vec<(String, Value)> {
    let window = Window {
        before: None,
        limit: 1_000,
    };
    let page = scene
        .store
        .list_events(tenant, Filter::default(), window)
        .await
        .unwrap();
    let events = page.items.into_iter().rev().map(|kept| kept.event);
    let news = events.filter(|event| domain::news::is_news(&event.event_type));
    news.filter(|event| event.source == "tidings")
        .map(|event| {
            let data = serde_json::from_str(event.data.as_str()).unwrap();
            (event.event_type, data)
        })
        .collect()
}

async fn types(scene: &Scene, tenant: TenantId) -> Vec<String> {
    let told = told(scene, tenant).await;
    told.into_iter().map(|(event_type, _)| event_type).collect()
}

on_each_engine!(
    a_subscription_that_only_fails_is_warned_of_three_times_and_disabled_each_told_once
);
async fn a_subscription_that_only_fails_is_warned_of_three_times_and_disabled_each_told_once(
    scene: Scene,
) {
    let mut patient = Patient::of(&scene, "job.created").await;
    let first = patient.fail(&scene).await;
    assert_eq!(first, Recorded::default());
    let since = patient.found(&scene).await.health.failing_since.unwrap();
    patient.fail_for(&scene, 99).await;
    assert_eq!(types(&scene, scene.tenant).await, ["webhook.failing"; 3]);
    assert!(patient.found(&scene).await.is_enabled);
    scene.clock.advance(HOUR);
    let last = patient.fail(&scene).await;
    assert_eq!(last.disabled, [(patient.id, DisabledReason::Failing)]);
    assert_eq!(last.told.events, 2);
    let shards = [scene.tenant, TenantId::PLATFORM].map(Shard::of_tenant);
    assert_eq!(last.told.shards, shards.into());
    let disabled = patient.found(&scene).await;
    assert!(!disabled.is_enabled);
    assert_eq!(disabled.disabled_reason, Some(DisabledReason::Failing));
    // Nobody asked for it: the audit log says who did it.
    let window = tidings_store::page::Window {
        before: None,
        limit: 10,
    };
    let filter = tidings_store::audit::Filter::default();
    let audited = scene.store.list_audit(scene.tenant, filter, window).await;
    let audited = audited.unwrap().items;
    assert_eq!(audited.len(), 1);
    let entry = &audited[0].entry;
    assert_eq!(
        (entry.actor_type.as_str(), entry.action.as_str()),
        ("tidings", "webhook.disabled")
    );
    assert_eq!(entry.target_id, Some(patient.id.to_string()));

    let told_to_tenant = told(&scene, scene.tenant).await;
    let percents: Vec<_> = told_to_tenant
        .iter()
        .map(|(_, data)| data["percent"].as_i64())
        .collect();
    assert_eq!(percents, [Some(50), Some(70), Some(90), None]);
    let time = |time| serde_json::to_value(time).unwrap();
    for (_, data) in &told_to_tenant {
        assert_eq!(data["webhook_id"], patient.id.to_string());
        assert_eq!(data["tenant_id"], scene.tenant.to_string());
        assert_eq!(data["host"], "example.org");
        assert_eq!(data["failing_since"], time(since));
        assert_eq!(data["last_error"], "status_5xx");
        assert_eq!(data["last_status_code"], 500);
    }
    assert_eq!(told_to_tenant[0].1["disable_at"], time(since.plus(LIMIT)));
    assert_eq!(told_to_tenant[3].1["reason"], "failing");
    assert_eq!(told(&scene, TenantId::PLATFORM).await, told_to_tenant);

    // What was under way when it was disabled changes nothing any more.
    scene.clock.advance(HOUR);
    assert_eq!(patient.fail(&scene).await, Recorded::default());
}

on_each_engine!(one_success_starts_the_count_anew_and_is_told_where_a_warning_was);
async fn one_success_starts_the_count_anew_and_is_told_where_a_warning_was(scene: Scene) {
    let mut patient = Patient::of(&scene, "job.created").await;
    patient.fail_for(&scene, 49).await;
    assert!(patient.found(&scene).await.health.failing_since.is_some());
    patient.succeed(&scene).await;
    assert_eq!(patient.found(&scene).await.health.failing_since, None);
    assert!(types(&scene, scene.tenant).await.is_empty());
    patient.fail_for(&scene, 51).await;
    assert_eq!(types(&scene, scene.tenant).await, ["webhook.failing"]);
    let counts = scene.store.count_subscriptions().await.unwrap();
    assert!(
        counts
            .iter()
            .any(|count| count.is_failing && count.is_enabled)
    );
    // Both are of one batch; what ended first counts first.
    scene.clock.advance(HOUR);
    let failed = patient
        .attempt(&scene, Then::RetryAt(scene.clock.now()))
        .await;
    scene.clock.advance(HOUR);
    let succeeded = patient.attempt(&scene, Then::End(State::Delivered)).await;
    record(&scene, vec![succeeded, failed]).await;
    let told = told(&scene, scene.tenant).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].0, "webhook.recovered");
    assert_eq!(told[1].1["failing_since"], told[0].1["failing_since"]);
    assert_eq!(patient.found(&scene).await.health.failing_since, None);
    patient.succeed(&scene).await;
    assert_eq!(types(&scene, scene.tenant).await.len(), 2, "once");
}

on_each_engine!(who_enables_a_subscription_or_sends_it_elsewhere_starts_afresh);
async fn who_enables_a_subscription_or_sends_it_elsewhere_starts_afresh(scene: Scene) {
    let mut patient = Patient::of(&scene, "job.created").await;
    patient.fail_for(&scene, 101).await;
    assert!(!patient.found(&scene).await.is_enabled);
    patient.set(&scene, "https://example.org/hook", true).await;
    assert_eq!(patient.found(&scene).await.health.failing_since, None);
    patient.fail_for(&scene, 49).await;
    assert_eq!(types(&scene, scene.tenant).await.len(), 4);
    patient.set(&scene, "https://example.org/other", true).await;
    patient.fail_for(&scene, 49).await;
    assert_eq!(types(&scene, scene.tenant).await.len(), 4);
    // What else is changed is not the endpoint.
    patient.set(&scene, "https://example.org/other", true).await;
    patient.fail_for(&scene, 3).await;
    assert_eq!(types(&scene, scene.tenant).await.len(), 5);
    // The recovery that was owed all the time is told once.
    patient.succeed(&scene).await;
    let types = types(&scene, scene.tenant).await;
    assert_eq!(types[4..], ["webhook.failing", "webhook.recovered"]);
}

on_each_engine!(a_warning_of_a_lost_lease_is_told_by_the_next_owner_alone);
async fn a_warning_of_a_lost_lease_is_told_by_the_next_owner_alone(scene: Scene) {
    let mut patient = Patient::of(&scene, "job.created").await;
    patient.fail_for(&scene, 50).await;
    scene.clock.advance(HOUR);
    let late = patient
        .attempt(&scene, Then::RetryAt(scene.clock.now()))
        .await;
    patient.holding = scene.hold_all("b").await;
    patient.to.attempts -= 1;
    let recorded = record(&scene, vec![late]).await;
    assert_eq!(recorded.lost, [Shard::of_subscription(patient.id)]);
    assert_eq!(recorded.told.events, 0);
    assert_eq!(patient.fail(&scene).await.told.events, 2);
    assert_eq!(types(&scene, scene.tenant).await, ["webhook.failing"]);
}

on_each_engine!(what_fails_to_be_told_of_a_failure_tells_of_no_failure);
async fn what_fails_to_be_told_of_a_failure_tells_of_no_failure(scene: Scene) {
    let mut patient = Patient::of(&scene, "webhook.failing").await;
    patient.fail_for(&scene, 99).await;
    let then = Then::End(State::Failed);
    let exhausted = Attempt {
        cause: Some(Cause::Exhausted),
        ..patient.attempt(&scene, then).await
    };
    assert_eq!(record(&scene, vec![exhausted]).await, Recorded::default());
    assert!(types(&scene, scene.tenant).await.is_empty());
    // That it is disabled is told: it happens once.
    patient.fail_for(&scene, 2).await;
    assert!(!patient.found(&scene).await.is_enabled);
    assert_eq!(types(&scene, scene.tenant).await, ["webhook.disabled"]);
}

on_each_engine!(news_of_a_subscription_is_told_to_the_others_and_never_to_itself);
async fn news_of_a_subscription_is_told_to_the_others_and_never_to_itself(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let [ill, well] = [scene.subscribe(&["*"]).await, scene.subscribe(&["*"]).await];
    scene.publish("job.created").await;
    let directory = Directory::default();
    let owed = scene.fan_out(&holding, &directory).await.owed;
    let to = recipients(&owed);
    let to = to.iter().find(|to| to.subscription_id == ill).unwrap();
    let exhausted = Attempt {
        cause: Some(Cause::Exhausted),
        ..attempt(&scene, &holding, *to, Then::End(State::Failed))
    };
    assert_eq!(record(&scene, vec![exhausted]).await.told.events, 2);
    let receivers = |owed: &[Recipient]| {
        let ids = owed.iter().map(|to| to.subscription_id);
        ids.collect::<Vec<_>>()
    };
    let owed = scene.fan_out(&holding, &directory).await.owed;
    assert_eq!(receivers(&recipients(&owed)), [well]);

    // Told again, to all and to itself alone, it is told to the same.
    let now = scene.clock.now();
    for (only, deliveries) in [(None, 1), (Some(ill), 0)] {
        let demand = Demand {
            tenant_id: scene.tenant,
            subscription_id: only,
            selection: Selection::Range {
                from: now.minus(HOUR),
                to: now.plus(HOUR),
                types: Some(vec!["delivery.exhausted".to_owned()]),
            },
            per_second: None,
            since: now.minus(24 * HOUR),
        };
        let replay = scene.store.begin_replay(demand).await.unwrap();
        while recover(&scene, &holding, &directory).await.more {}
        let found = scene.store.find_replay(scene.tenant, replay.id).await;
        let found = found.unwrap().unwrap();
        assert_eq!((found.done, found.deliveries), (1, deliveries));
    }
}

on_each_engine!(each_delivery_that_is_given_up_is_told_once);
async fn each_delivery_that_is_given_up_is_told_once(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let id = scene.subscribe(&["*"]).await;
    for _ in 0..60 {
        scene.publish("job.created").await;
    }
    let done = scene.fan_out(&holding, &Directory::default()).await;
    let to = recipients(&done.owed);
    assert_eq!(to.len(), 60);
    let ended = |to: &Recipient, cause: Cause| Attempt {
        cause: Some(cause),
        ..attempt(&scene, &holding, *to, Then::End(State::Failed))
    };
    // One that was cancelled meanwhile stays so.
    let cancelled = scene.store.cancel_delivery(scene.tenant, to[0].delivery_id);
    cancelled.await.unwrap();
    let mut batch: Vec<_> = to[..50]
        .iter()
        .map(|to| ended(to, Cause::Exhausted))
        .collect();
    batch.push(ended(&to[50], Cause::Gone));
    batch.push(ended(&to[51], Cause::Aborted));
    let recorded = record(&scene, batch.clone()).await;
    assert_eq!(recorded.told.events, 100);
    assert_eq!(record(&scene, batch).await.told.events, 0);
    let told = told(&scene, scene.tenant).await;
    assert_eq!(told.len(), 50);
    let of: Vec<_> = to[1..51]
        .iter()
        .map(|to| to.delivery_id.to_string())
        .collect();
    for (event_type, data) in &told {
        assert_eq!(event_type, "delivery.exhausted");
        assert!(of.iter().any(|id| data["delivery_id"] == *id));
        assert_eq!(data["webhook_id"], id.to_string());
        assert_eq!(
            (&data["attempts"], &data["event_type"]),
            (&1.into(), &"job.created".into())
        );
    }
    let gone = told
        .iter()
        .filter(|(_, data)| data["cause"] == "gone")
        .count();
    assert_eq!(gone, 1);
}

on_each_engine!(what_was_held_for_too_long_is_told_of_each_delivery);
async fn what_was_held_for_too_long_is_told_of_each_delivery(scene: Scene) {
    let mut patient = Patient::of(&scene, "job.created").await;
    patient.set(&scene, "https://example.org/hook", true).await;
    scene.publish("webhook.test").await;
    let done = scene.fan_out(&patient.holding, &Directory::default()).await;
    let held = recipients(&done.owed)[0];
    let gone = Attempt {
        cause: Some(Cause::Aborted),
        disables: Some(DisabledReason::Asked),
        ..patient
            .attempt(&scene, Then::RetryAt(scene.clock.now()))
            .await
    };
    record(&scene, vec![gone]).await;
    let waiting = vec![patient.to.delivery_id, held.delivery_id];
    scene.store.set_aside(waiting, Vec::new()).await.unwrap();
    scene.clock.advance(HOUR);
    let given_up = scene.store.fail_held_deliveries(scene.clock.now()).await;
    let given_up = given_up.unwrap();
    assert_eq!((given_up.deliveries, given_up.told.events), (2, 2));
    let told = told(&scene, scene.tenant).await;
    assert_eq!(told[0].0, "webhook.disabled");
    assert_eq!(told[0].1["reason"], "asked");
    assert_eq!(told[1].0, "delivery.exhausted");
    assert_eq!(told[1].1["cause"], "held_too_long");
    assert_eq!(told[1].1["delivery_id"], patient.to.delivery_id.to_string());
}

on_postgres!(recording_what_fails_costs_a_further_round_trip_once_a_minute);
async fn recording_what_fails_costs_a_further_round_trip_once_a_minute(scene: Scene) {
    let mut patient = Patient::of(&scene, "job.created").await;
    let proxy = Proxy::before(scene.url()).await;
    let url = proxy.url(scene.url());
    let store = Store::open_postgres(&url, scene.clock.clone(), scene.random.clone()).unwrap();
    let mut least = [usize::MAX; 4];
    for _ in 0..12 {
        let (delivered, retry) = (
            Then::End(State::Delivered),
            Then::RetryAt(scene.clock.now()),
        );
        for (least, then) in least.iter_mut().zip([delivered, delivered, retry, retry]) {
            let attempt = patient.attempt(&scene, then).await;
            let before = proxy.round_trips();
            store.record_attempts([attempt].into()).await.unwrap();
            *least = proxy.round_trips().saturating_sub(before).min(*least);
        }
    }
    let [ends, succeeds, begins, goes_on] = least;
    assert_eq!(succeeds, goes_on);
    assert_eq!((ends, begins), (goes_on + 1, goes_on + 1));
}
