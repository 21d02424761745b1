//! Turns at a provider that wants a token.

use super::*;
use crate::scene::Scene;
use domain::poll::FirstPoll;
use providers::ask::{Access, Answered, Field, Reply, Request, Token};
use std::time::Instant;
use testkit::Reply as Answer;

/// `POST {base_url}/token`, then `GET {base_url}/status/{id}` with the token, one message at a time.
struct Guarded;

impl StatusApi for Guarded {
    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn batch(&self) -> usize {
        1
    }

    fn can_ask(&self, asked: &Asked) -> bool {
        asked.provider_message_id.is_some()
    }

    fn token_request(&self, access: &Access) -> Option<Request> {
        Some(Request {
            method: "POST",
            url: format!("{}/token", access.base_url),
            headers: Vec::new(),
            body: "grant_type=client_credentials".to_owned(),
        })
    }

    fn request(
        &self,
        access: &Access,
        token: Option<&Token>,
        asked: &[Asked],
        _page: Option<&str>,
    ) -> Request {
        let token = token.map_or("", |token| &token.value);
        let id = asked[0].provider_message_id.as_deref().unwrap_or_default();
        Request {
            method: "GET",
            url: format!("{}/status?ids={id}&with={token}", access.base_url),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn read(
        &self,
        _access: &Access,
        _asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered> {
        match reply.status {
            200 => Ok(Answered::default()),
            401 => Err(Unanswered::CredentialsRefused("401".to_owned())),
            _ => Err(Unanswered::SlowDown { retry_after: None }),
        }
    }
}

/// A turn, and what is remembered from one to the next.
struct Guard {
    scene: Scene,
    turn: Turn,
    memory: Memory,
}

impl Guard {
    async fn new(statuses: &[u16]) -> Self {
        let scene = Scene::new().await;
        let token = |value: &str| {
            let body = format!(r#"{{"access_token":"{value}","expires_in":3600}}"#);
            Answer::with(200, &[], body)
        };
        scene
            .endpoint
            .answer_at("/token", [token("t1"), token("t2"), token("t3")]);
        scene.endpoint.answer_at("/status", statuses.to_vec());
        let lease = scene.lease().await;
        let rules = Rules {
            max_age: Duration::from_hours(24),
            first_poll: Duration::from_mins(5),
            first_poll_floor: Duration::from_secs(30),
            first_poll_ceiling: Duration::from_hours(1),
        };
        let shared = Shared {
            context: scene.context.clone(),
            rules,
            waits: Waits::new(rules),
            held: Held::default(),
            memories: Memories::default(),
            is_free: tokio::sync::Notify::new(),
        };
        shared.held.take(scene.account_id, Instant::now());
        let turn = Turn {
            failures: 0,
            shared: Arc::new(shared),
            lease,
            begun: Instant::now(),
            has_asked: false,
        };
        Self {
            scene,
            turn,
            memory: Memory::default(),
        }
    }

    async fn run(&mut self) -> Option<Rest> {
        let account = self.scene.account(self.scene.api(Some(&Guarded), None));
        let served = self.turn.ask_about_due(&account, &mut self.memory).await;
        served.unwrap()
    }
}

#[tokio::test]
async fn a_message_to_a_network_known_to_be_slow_is_asked_about_when_it_is_overdue_there() {
    let guard = Guard::new(&[200]).await;
    let store = &guard.scene.context.store;
    let slow = (
        "numbers".to_owned(),
        Some("64503".to_owned()),
        Duration::from_mins(20),
    );
    let learned = FirstPoll::new(
        Duration::from_mins(5),
        Duration::ZERO,
        Duration::from_hours(1),
    );
    guard.turn.shared.waits.learn(learned.with([slow]));
    for id in ["fast", "slow", "unknown"] {
        guard.scene.message(id).await;
    }
    let mut page = store.list_due(guard.scene.account_id).await.unwrap();
    assert_eq!(page.len(), 3);
    for message in &mut page {
        message.network_code = match message.provider_message_id.as_deref() {
            Some("slow") => Some("64503".to_owned()),
            Some("fast") => Some("64501".to_owned()),
            _ => None,
        };
    }
    let names = |page: &[DueMessage]| -> Vec<String> {
        let names = page.iter().filter_map(|it| it.provider_message_id.clone());
        names.collect()
    };
    let overdue = guard.turn.postpone(page).await.unwrap();
    assert_eq!(names(&overdue), ["fast", "unknown"]);
    let due = async || names(&store.list_due(guard.scene.account_id).await.unwrap());
    assert_eq!(due().await, ["fast", "unknown"], "it is due later");
    guard.scene.context.clock.advance(Duration::from_mins(20));
    assert_eq!(due().await, ["fast", "unknown", "slow"]);
}

#[tokio::test]
async fn one_token_serves_until_shortly_before_its_end() {
    let mut guard = Guard::new(&[200]).await;
    for id in ["a", "b"] {
        guard.scene.message(id).await;
    }
    assert_eq!(guard.run().await, None);
    let both = ["/token", "/status?ids=a&with=t1", "/status?ids=b&with=t1"];
    assert_eq!(guard.scene.asked(), both);
    guard
        .scene
        .context
        .clock
        .advance(Duration::from_secs(3_545 - 331));
    guard.scene.message("c").await;
    guard.run().await;
    let asked = guard.scene.asked();
    assert_eq!(asked[0], "/token", "a minute before the end it is replaced");
    assert!(asked[1..].iter().all(|path| path.ends_with("with=t2")));
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced_once() {
    let mut guard = Guard::new(&[200, 401, 200]).await;
    for id in ["a", "b"] {
        guard.scene.message(id).await;
    }
    assert_eq!(guard.run().await, None);
    assert_eq!(
        guard.scene.asked(),
        [
            "/token",
            "/status?ids=a&with=t1",
            "/status?ids=b&with=t1",
            "/token",
            "/status?ids=b&with=t2",
        ]
    );
}

#[tokio::test]
async fn credentials_that_are_refused_with_a_new_token_are_refused() {
    let mut guard = Guard::new(&[401]).await;
    guard.scene.message("a").await;
    let rest = guard.run().await;
    assert_eq!(rest.map(|rest| rest.reason), Some(RestReason::Refused));
    let asked = guard.scene.asked();
    assert_eq!(asked, ["/token", "/status?ids=a&with=t1"]);
    assert_eq!(guard.scene.jobs().await, 0);
}

#[tokio::test]
async fn a_wait_is_read_as_seconds_or_as_a_date() {
    let mut guard = Guard::new(&[200]).await;
    let date = Answer::with(429, &[("retry-after", "Mon, 21 Oct 2115 07:28:00 GMT")], "");
    guard.scene.endpoint.answer_at("/status", date);
    guard.scene.message("a").await;
    let rest = guard.run().await.unwrap();
    assert_eq!(rest.reason, RestReason::Slowed);
    assert_eq!(rest.length, Duration::from_hours(1), "and is bounded");
}

#[tokio::test]
async fn a_turn_without_its_lease_asks_nobody() {
    let mut guard = Guard::new(&[200]).await;
    guard.scene.message("a").await;
    guard.turn.shared.held.leave(guard.scene.account_id);
    let account = guard.scene.account(guard.scene.api(Some(&Guarded), None));
    let served = guard.turn.ask_about_due(&account, &mut guard.memory).await;
    assert!(matches!(served, Err(Stop::Lost)));
    assert_eq!(guard.scene.asked(), [""; 0]);
}

#[tokio::test]
async fn nobody_is_asked_about_a_number_that_was_erased() {
    let mut guard = Guard::new(&[200]).await;
    guard.scene.message("a").await;
    let number = domain::erasure::Number::parse("+254700000001").unwrap();
    let tenant = domain::id::TenantId::PLATFORM;
    let erased = guard.scene.context.store.erase(tenant, number).await;
    assert_eq!(erased.unwrap().messages, 1);
    assert_eq!(guard.run().await, None);
    assert_eq!(guard.scene.asked(), [""; 0]);
    // It is given up in its time all the same.
    guard.scene.context.clock.advance(Duration::from_hours(24));
    guard.run().await;
    assert_eq!(guard.scene.jobs().await, 1);
}
