use crate::scene::{Scene, ask};
use domain::Shard;
use domain::id::TenantId;
use futures_util::future::join_all;
use std::time::Duration;
use tidings_store::directory::Directory;
use tidings_store::event::{Filter, Published};
use tidings_store::idempotency::{Answer, Claim, REMEMBERED};
use tidings_store::page::Window;

fn claim(scene: &Scene, key: u8, body: u8) -> Claim {
    Claim {
        tenant_id: scene.tenant,
        key: [key; 32],
        body_hash: [body; 32],
        answer: Answer {
            status: 202,
            body: format!("answer {key} {body}"),
        },
        at: scene.clock.now(),
    }
}

on_each_engine!(the_same_key_and_body_publish_once_and_answer_the_same);
async fn the_same_key_and_body_publish_once_and_answer_the_same(scene: Scene) {
    let publish = async |key, body| {
        let event = scene.event("job.created");
        scene
            .store
            .publish_event(event, Some(claim(&scene, key, body)))
            .await
            .unwrap()
    };
    assert_eq!(publish(1, 1).await, Published::New);
    let answer = Answer {
        status: 202,
        body: "answer 1 1".to_owned(),
    };
    assert_eq!(publish(1, 1).await, Published::Replayed(answer));
    assert_eq!(publish(1, 2).await, Published::Mismatch);
    assert_eq!(publish(2, 1).await, Published::New);
    scene
        .clock
        .advance(REMEMBERED + std::time::Duration::from_secs(1));
    assert_eq!(publish(1, 2).await, Published::New);
    assert_eq!(scene.store.forget_idempotency_keys().await.unwrap(), 1);
    assert_eq!(scene.store.forget_idempotency_keys().await.unwrap(), 0);
}

on_each_engine!(events_are_stamped_in_the_order_in_which_they_were_written_and_once);
async fn events_are_stamped_in_the_order_in_which_they_were_written_and_once(scene: Scene) {
    let holding = scene.hold_all("a").await;
    let directory = Directory::default();
    let mut ids = Vec::new();
    for round in 0..3 {
        for _ in 0..4 {
            ids.push(scene.publish("job.created").await);
        }
        let done = scene.fan_out(&holding, &directory).await;
        assert_eq!(done.stamped.len(), 4, "round {round}");
    }
    assert!(scene.fan_out(&holding, &directory).await.stamped.is_empty());
    let mut last = 0;
    for id in ids {
        let sequence = scene
            .store
            .find_event(scene.tenant, id)
            .await
            .unwrap()
            .unwrap()
            .sequence;
        assert!(sequence.unwrap() > last);
        last = sequence.unwrap();
    }
}

on_each_engine!(an_event_is_nowhere_for_another_tenant);
async fn an_event_is_nowhere_for_another_tenant(scene: Scene) {
    let id = scene.publish("job.created").await;
    assert!(
        scene
            .store
            .find_event(TenantId::PLATFORM, id)
            .await
            .unwrap()
            .is_none()
    );
}

on_each_engine!(of_many_published_at_once_under_one_key_one_is_written_and_the_others_hear_of_it);
async fn of_many_published_at_once_under_one_key_one_is_written_and_the_others_hear_of_it(
    scene: Scene,
) {
    let claim = |number: u8| Claim {
        tenant_id: scene.tenant,
        key: [7; 32],
        body_hash: [number % 2; 32],
        answer: Answer {
            status: 202,
            body: format!("answer {number}"),
        },
        at: scene.clock.now(),
    };
    let publishes = (0..40).map(|number| {
        let event = scene.event("job.created");
        scene.store.publish_event(event, Some(claim(number)))
    });
    let done = join_all(publishes).await;
    let done: Vec<Published> = done.into_iter().map(Result::unwrap).collect();
    let won = done.iter().position(|one| *one == Published::New).unwrap();
    let answer = claim(u8::try_from(won).unwrap()).answer;
    for (number, one) in done.into_iter().enumerate() {
        if number == won {
            continue;
        }
        let expected = if number % 2 == won % 2 {
            Published::Replayed(answer.clone())
        } else {
            Published::Mismatch
        };
        assert_eq!(one, expected, "{number}");
    }
    let window = Window {
        before: None,
        limit: 100,
    };
    let page = scene
        .store
        .list_events(scene.tenant, Filter::default(), window)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
}

// On a file, what has come goes into one transaction anyway.
on_postgres!(what_is_published_while_others_are_written_is_written_together);
async fn what_is_published_while_others_are_written_is_written_together(scene: Scene) {
    let (url, shard) = (scene.url(), Shard::of_tenant(scene.tenant).number());
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let publishes = (0..12_u64).map(|number| {
        let (store, event) = (scene.store.clone(), scene.event("job.created"));
        // The first two wait for the lock, each by itself.
        let at = Duration::from_millis(300 * number.min(2));
        async move {
            tokio::time::sleep(at).await;
            store.publish_event(event, None).await
        }
    });
    let story = async {
        let hold = format!("begin; select pg_advisory_xact_lock(2, {shard})");
        client.batch_execute(&hold).await.unwrap();
        let release = async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            client.batch_execute("commit").await.unwrap();
        };
        let (done, ()) = tokio::join!(join_all(publishes), release);
        for published in done {
            assert_eq!(published.unwrap(), Published::New);
        }
    };
    tokio::select! {
        () = story => {}
        ended = driver => panic!("the connection ended: {ended:?}"),
    }
    let transactions = "select count(distinct xmin::text) from events";
    assert_eq!(ask(url, transactions).await, ["3"]);
}
