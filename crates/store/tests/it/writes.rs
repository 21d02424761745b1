use crate::scene::Scene;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use domain::{Clock, Random};
use tidings_store::Store;

on_each_engine!(what_was_written_is_there_after_the_store_is_opened_again);
async fn what_was_written_is_there_after_the_store_is_opened_again(scene: Scene) {
    let id = scene.publish("job.created").await;
    let again = scene.reopen();
    let found = again.find_event(scene.tenant, id).await.unwrap().unwrap();
    assert_eq!(found.event.data.as_str(), r#"{"b":1.00,"a":2}"#);
}

on_each_engine!(a_store_that_is_there_and_fits_says_so);
async fn a_store_that_is_there_and_fits_says_so(scene: Scene) {
    scene.store.check().await.unwrap();
    scene.store.ping().await.unwrap();
}

on_each_engine!(a_write_that_fails_hurts_nobody_who_was_committed_with_it);
async fn a_write_that_fails_hurts_nobody_who_was_committed_with_it(scene: Scene) {
    let twice = scene.event("job.created");
    let writes = (0..50).map(|number| {
        let event = if number % 10 == 3 {
            twice.clone()
        } else {
            scene.event("job.created")
        };
        scene.store.publish_event(event, None)
    });
    let done = futures(writes).await;
    let failed = done.iter().filter(|result| result.is_err()).count();
    assert_eq!(failed, 4, "one of the five that write the same event wins");
    let window = tidings_store::page::Window {
        before: None,
        limit: 100,
    };
    let page = scene
        .store
        .list_events(
            scene.tenant,
            tidings_store::event::Filter::default(),
            window,
        )
        .await
        .unwrap();
    assert_eq!(page.items.len(), 46);
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let open = || Store::open_sqlite(&path, Clock::system(), Random::system());
    drop(open().unwrap());
    let newer = "insert into __diesel_schema_migrations (version, run_on) values ('99990101000000', current_timestamp)";
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    // The store that was just dropped may still be closing the file.
    diesel::sql_query("pragma busy_timeout = 5000")
        .execute(&mut connection)
        .unwrap();
    diesel::sql_query(newer).execute(&mut connection).unwrap();
    let Err(error) = open() else {
        panic!("it was opened")
    };
    assert!(error.to_string().contains("99990101000000"), "{error}");
    assert!(error.to_string().contains("newer"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let Err(error) = Store::open_sqlite(&path, Clock::system(), Random::system()) else {
        panic!("it was opened")
    };
    assert!(error.to_string().contains("tidings.db"), "{error}");
}

/// Polls all at once, so that they are committed in groups.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}
