//! RabbitMQ: the suite, and what only a server can do.

use crate::conformance::Backend;
use crate::handlers::{
    OPTIONS, QUEUE, Scripted, consume_until, counts, dead, depth, is_empty, not_done, publish,
};
use domain::{Clock, Random, Shard};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::Proxy;
use tidings_broker::{Broker, Disposition, Error, HintSet, RabbitOptions, Received};
use tokio::time::{sleep, timeout};
use wire::{Hint, Topic};

crate::conformance!(Rabbit);

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

struct Rabbit {
    /// Between us and the server, so that it can be cut.
    proxy: Proxy,
    server: String,
    options: RabbitOptions,
    clock: Clock,
    random: Random,
}

impl Backend for Rabbit {
    async fn new() -> Option<Self> {
        let server = variable("TIDINGS_TEST_AMQP_URL")?;
        let mut url = url::Url::parse(&server).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5672));
        let proxy = Proxy::start(&target).await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(proxy.address().port())).unwrap();
        let random = Random::system();
        let name = format!("test.{:032x}", u128::from_le_bytes(random.bytes()));
        Some(Self {
            proxy,
            server,
            options: RabbitOptions {
                // Short, so that a moved clock is noticed soon.
                waits: vec![Duration::from_millis(50)],
                ..RabbitOptions::new(url, name)
            },
            clock: Clock::movable(),
            random,
        })
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn open(&self) -> Broker {
        let broker = self.open_unready();
        ready(&broker).await;
        broker
    }

    /// What is on its way to a consumer as it ends comes again as an attempted job.
    fn attempts_of_returned(&self) -> RangeInclusive<u32> {
        1..=2
    }

    /// Cuts it off at this moment: RabbitMQ sees its connections end, as when a process dies.
    async fn crash(&mut self, broker: Broker) -> Broker {
        let before = not_done(&depth(&broker).await);
        self.proxy.cut();
        drop(broker);
        self.proxy.heal().await;
        let broker = self.open().await;
        // RabbitMQ takes a moment to notice.
        crate::handlers::until(&broker, |depth| depth.ready + depth.delayed == before).await;
        broker
    }
}

impl Rabbit {
    fn open_unready(&self) -> Broker {
        Broker::open_rabbit(&self.options, self.clock.clone(), self.random.clone()).unwrap()
    }

    /// The queue's name in the server.
    fn queue(&self) -> String {
        format!("{}.{}", self.options.namespace, QUEUE.as_str())
    }

    /// Somebody else at the same server.
    async fn somebody_else(&self) -> (Connection, Channel) {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&self.server, properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }
}

#[expect(clippy::print_stderr, reason = "says what was not run")]
fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where a test's server is, the machine says"
    )]
    let value = std::env::var(name).ok();
    if value.is_none() {
        eprintln!("not run on RabbitMQ: {name} is not set");
    }
    value
}

async fn ready(broker: &Broker) {
    becomes(broker, Result::is_ok).await;
}

async fn becomes(broker: &Broker, wanted: impl Fn(&Result<(), String>) -> bool) {
    let is_so = async {
        while !wanted(&broker.health()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let health = || broker.health();
    assert!(timeout(LONG, is_so).await.is_ok(), "{:?}", health());
}

fn ack(_: &Received) -> Disposition {
    Disposition::Ack
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_said_at_once_and_used_as_soon_as_it_is_there() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    rabbit.proxy.cut();
    let broker = rabbit.open_unready();
    becomes(
        &broker,
        |health| matches!(health, Err(reason) if reason.contains("is away")),
    )
    .await;
    let asked = Instant::now();
    let error = broker.publish(QUEUE, b"a".to_vec()).await.unwrap_err();
    assert!(matches!(error, Error::Away { .. }), "{error}");
    assert!(error.is_transient());
    assert!(asked.elapsed() < Duration::from_secs(1));
    rabbit.proxy.heal().await;
    ready(&broker).await;
    publish(&broker, ["a"]).await;
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, is_empty).await;
    assert_eq!(handler.seen(), ["a#1"]);
}

/// What `publish` said `Ok` to comes, whatever happens to the connections meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_nothing_that_was_accepted() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let broker = rabbit.open().await;
    let done: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let seen = Arc::clone(&done);
    let handler = Scripted::new(move |job| {
        seen.lock().unwrap().insert(crate::handlers::text(job));
        Disposition::Ack
    });
    let mut accepted = BTreeSet::new();
    let load = async {
        for round in 0..6 {
            for number in 0..200 {
                let payload = format!("{round}-{number}");
                if broker
                    .publish(QUEUE, payload.clone().into_bytes())
                    .await
                    .is_ok()
                {
                    accepted.insert(payload);
                }
                if number == 100 {
                    rabbit.proxy.cut();
                    rabbit.proxy.heal().await;
                }
            }
            ready(&broker).await;
        }
        timeout(LONG, async {
            while !accepted.is_subset(&done.lock().unwrap()) {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
    };
    broker
        .consume(QUEUE, OPTIONS, &handler, load)
        .await
        .unwrap();
    assert!(accepted.len() >= 600, "{}", accepted.len());
    assert_eq!(counts(&broker).await.3, 0, "nothing is given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_reaches_the_other_processes_and_comes_back_to_nobody() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let (one, other) = (rabbit.open().await, rabbit.open().await);
    let (mut at_one, mut at_other) = (one.hints(Topic::Work), other.hints(Topic::Work));
    let shard = Hint::Events(Shard::new(7).unwrap());
    // Until both listen: a hint may be lost.
    let heard = async {
        loop {
            one.hint(shard);
            if let Ok(hints) = timeout(Duration::from_millis(100), at_other.recv()).await {
                return hints;
            }
        }
    };
    let expected = HintSet {
        events: 1 << 7,
        ..HintSet::default()
    };
    assert_eq!(timeout(LONG, heard).await.unwrap(), expected);
    // Its own it heard as it gave it, and not again.
    assert_eq!(at_one.recv().await, expected);
    let again = timeout(Duration::from_millis(300), at_one.recv()).await;
    assert!(again.is_err(), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stamped_is_heard_by_readers_of_feeds_in_other_processes_alone() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let (one, other) = (rabbit.open().await, rabbit.open().await);
    let (mut feed, mut work) = (other.hints(Topic::Feed), other.hints(Topic::Work));
    let stamped = Hint::Stamped(Shard::new(9).unwrap());
    // Until it listens: a hint may be lost.
    let heard = async {
        loop {
            one.hint(stamped);
            if let Ok(hints) = timeout(Duration::from_millis(100), feed.recv()).await {
                return hints;
            }
        }
    };
    let expected = HintSet {
        stamped: 1 << 9,
        ..HintSet::default()
    };
    assert_eq!(timeout(LONG, heard).await.unwrap(), expected);
    let others = timeout(Duration::from_millis(300), work.recv()).await;
    assert!(others.is_err(), "{others:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_other_arguments_stops_only_itself_and_is_used_once_it_is_gone() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let (_connection, channel) = rabbit.somebody_else().await;
    let name = rabbit.queue();
    let options = QueueDeclareOptions::durable();
    channel
        .queue_declare(name.as_str().into(), options, FieldTable::default())
        .await
        .unwrap();
    let broker = rabbit.open_unready();
    let other = |health: &Result<(), String>| matches!(health, Err(reason) if reason.contains("other arguments"));
    becomes(&broker, other).await;
    let error = broker.publish(QUEUE, b"a".to_vec()).await.unwrap_err();
    assert!(matches!(error, Error::OtherArguments { .. }), "{error}");
    assert!(error.to_string().contains(&name), "{error}");
    let consumed = broker
        .consume(QUEUE, OPTIONS, Scripted::new(ack), std::future::pending())
        .await;
    assert!(
        matches!(consumed, Err(Error::OtherArguments { .. })),
        "{consumed:?}"
    );
    // Its connections go on: hints are heard.
    let mut hints = broker.hints(Topic::Accounts);
    broker.hint(Hint::Accounts);
    assert!(hints.recv().await.accounts);

    channel
        .queue_delete(name.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    ready(&broker).await;
    publish(&broker, ["a"]).await;
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
}

/// RabbitMQ confirms what it could not put anywhere; that is no success.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_queue_is_gone_is_not_accepted_and_the_queue_comes_back() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let broker = rabbit.open().await;
    let (_connection, channel) = rabbit.somebody_else().await;
    channel
        .queue_delete(
            rabbit.queue().as_str().into(),
            QueueDeleteOptions::default(),
        )
        .await
        .unwrap();
    let error = broker.publish(QUEUE, b"a".to_vec()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let accepted = async {
        while broker.publish(QUEUE, b"b".to_vec()).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, accepted).await.unwrap();
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_bear_being_looked_at() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let broker = rabbit.open().await;
    publish(&broker, 0..100).await;
    let refusing = Scripted::new(|_| dead("unreadable"));
    consume_until(&broker, OPTIONS, &refusing, is_empty).await;
    for _ in 0..25 {
        let letters = broker.dead_letters(QUEUE, 3).await.unwrap();
        let payloads: Vec<&[u8]> = letters
            .iter()
            .map(|letter| letter.payload.as_slice())
            .collect();
        assert_eq!(payloads, [b"99", b"98", b"97"]);
    }
    assert_eq!(counts(&broker).await, (0, 0, 0, 100));
}

/// Whoever publishes by other means gets a job too; its handler judges the payload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_not_ours_is_a_job_like_any_other() {
    let Some(rabbit) = Rabbit::new().await else {
        return;
    };
    let broker = rabbit.open().await;
    let (_connection, channel) = rabbit.somebody_else().await;
    channel
        .basic_publish(
            "".into(),
            rabbit.queue().as_str().into(),
            lapin::options::BasicPublishOptions::default(),
            b"foreign",
            lapin::BasicProperties::default(),
        )
        .await
        .unwrap();
    let handler = Scripted::new(ack);
    consume_until(&broker, OPTIONS, &handler, |_| !handler.seen().is_empty()).await;
    assert_eq!(handler.seen(), ["foreign#1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_with_a_server_whose_certificate_is_known() {
    let (Some(rabbit), Some(url), Some(authority)) = (
        Rabbit::new().await,
        variable("TIDINGS_TEST_AMQPS_URL"),
        variable("TIDINGS_TEST_AMQP_CA"),
    ) else {
        return;
    };
    let open = |url: &str| {
        let options = RabbitOptions {
            url: url.to_owned(),
            ..rabbit.options.clone()
        };
        Broker::open_rabbit(&options, rabbit.clock.clone(), rabbit.random.clone()).unwrap()
    };
    let stranger = open(&url);
    becomes(
        &stranger,
        |health| matches!(health, Err(reason) if reason.contains("ertificate")),
    )
    .await;
    let broker = open(&format!("{url}?cacertfile={authority}"));
    ready(&broker).await;
    publish(&broker, ["a"]).await;
    assert_eq!(counts(&broker).await, (1, 0, 0, 0));
}
