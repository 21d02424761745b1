use crate::{AMPLE, SHORT};
use std::cell::Cell;
use tidings_testkit::eventually;

#[tokio::test]
async fn what_is_awaited_is_returned_when_it_is_there() {
    let looks = Cell::new(0);
    let found = eventually("there were three looks", AMPLE, async || {
        looks.set(looks.get() + 1);
        (looks.get() == 3).then_some("found")
    })
    .await;
    assert_eq!((found, looks.get()), ("found", 3));
}

#[tokio::test]
#[should_panic(expected = "in vain until the moon rises; last seen: clouds")]
async fn waiting_in_vain_shows_the_last_thing_seen() {
    eventually("the moon rises", SHORT, async || Err::<(), _>("clouds")).await;
}

#[tokio::test]
#[should_panic(expected = "tests/it/eventually.rs:")]
async fn waiting_in_vain_shows_who_waited() {
    eventually("the moon rises", SHORT, async || None::<()>).await;
}

#[tokio::test]
#[should_panic(expected = "last seen: no look came to an end")]
async fn a_look_that_hangs_is_bounded_too() {
    eventually("the moon rises", SHORT, async || {
        std::future::pending::<Option<()>>().await
    })
    .await;
}
