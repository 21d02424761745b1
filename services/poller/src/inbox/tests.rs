//! An inbox of a provider of our own, read through everything but the round.

use super::*;
use crate::account::Api;
use crate::held::Held;
use crate::memory::Memory;
use crate::scene::Scene;
use domain::callback::Statement;
use domain::inbound::Inbound;
use providers::ask::{Access, Fetched, Field, Reply, Request, Unanswered};
use std::time::Instant;

/// `{base_url}/inbox?after=…`, answered with the numbers of texts, the last of which is the cursor; a `+` at the
/// end says that there is more.
struct Numbers;

impl InboxApi for Numbers {
    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn request(&self, access: &Access, after: Option<&str>) -> Request {
        Request {
            method: "GET",
            url: format!("{}/inbox?after={}", access.base_url, after.unwrap_or("")),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn read(&self, _access: &Access, reply: Reply<'_>) -> Result<Fetched, Unanswered> {
        if reply.status != 200 {
            return Err(Unanswered::Unavailable(reply.status.to_string()));
        }
        let text = String::from_utf8_lossy(reply.body).into_owned();
        let numbers: Vec<&str> = text.trim_end_matches('+').split_whitespace().collect();
        Ok(Fetched {
            statements: numbers.iter().copied().map(inbound).collect(),
            cursor: numbers.last().map(|last| (*last).to_owned()),
            has_more: text.ends_with('+'),
        })
    }
}

fn inbound(number: &str) -> Statement {
    Statement::Inbound(Inbound {
        provider_message_id: Some(number.to_owned()),
        from: "+254700000001".to_owned(),
        to: "4455".to_owned(),
        text: "LEKA".to_owned(),
        provider_time: None,
        ids_repeat: false,
    })
}

struct Post {
    scene: Scene,
    held: Held,
    api: Api,
    lease: Lease,
    memory: Memory,
}

impl Post {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let held = Held::default();
        held.take(scene.account_id, Instant::now());
        Self {
            api: scene.api(None, Some(&Numbers)),
            lease: scene.lease().await,
            held,
            memory: Memory::default(),
            scene,
        }
    }

    fn has(&self, answers: &[&str]) {
        let replies = answers
            .iter()
            .map(|text| testkit::Reply::with(200, &[], *text));
        self.scene
            .endpoint
            .answer_at("/inbox", replies.collect::<Vec<_>>());
    }

    async fn read(&mut self) -> Result<bool, Failed> {
        let mut asker = Asker {
            context: &self.scene.context,
            held: &self.held,
            account_id: self.lease.account_id,
            api: &self.api,
            memory: &mut self.memory,
        };
        super::read(&mut asker, &Numbers, &self.scene.names(), &self.lease).await
    }

    async fn cursor(&self) -> Option<String> {
        let store = &self.scene.context.store;
        let found = store.find_inbox(self.lease.account_id).await;
        found.unwrap().and_then(|inbox| inbox.cursor)
    }
}

#[tokio::test]
async fn what_is_new_is_published_once_and_the_next_reading_goes_on_behind_it() {
    let mut post = Post::new().await;
    post.has(&["1 2+", "3", ""]);
    assert!(post.read().await.is_ok());
    assert_eq!(post.scene.asked(), ["/inbox?after=", "/inbox?after=2"]);
    assert_eq!(
        (post.cursor().await.as_deref(), post.scene.jobs().await),
        (Some("3"), 2)
    );
    // Within the minute it is not read again, and after it from there.
    assert!(matches!(post.read().await, Ok(false)));
    assert_eq!(post.scene.asked(), [""; 0]);
    post.scene.context.clock.advance(READ_EVERY);
    assert!(post.read().await.is_ok());
    assert_eq!(post.scene.asked(), ["/inbox?after=3"]);
    assert_eq!(
        (post.cursor().await.as_deref(), post.scene.jobs().await),
        (Some("3"), 2)
    );
}

#[tokio::test]
async fn an_endless_inbox_is_read_twenty_times_in_a_row() {
    let mut post = Post::new().await;
    post.has(&["9+"]);
    assert!(post.read().await.is_ok());
    assert_eq!(post.scene.asked().len(), MOST_FETCHES);
}

#[tokio::test]
async fn without_its_lease_nothing_is_fetched_or_written() {
    let mut post = Post::new().await;
    post.has(&["1"]);
    post.held.leave(post.lease.account_id);
    let stopped = post.read().await;
    assert!(matches!(stopped, Err(Failed::Stop(Stop::Lost))));
    assert_eq!(post.scene.asked(), [""; 0]);
    // Held here, and somebody else's in the store.
    post.held.take(post.lease.account_id, Instant::now());
    post.lease.fence -= 1;
    let stopped = post.read().await;
    assert!(matches!(stopped, Err(Failed::Stop(Stop::Lost))));
    assert_eq!(post.cursor().await, None);
}
