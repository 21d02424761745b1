//! Sends callbacks when they are due.

use super::Simulator;
use super::imitation::{Callback, Signing, Told};
use crate::print;
use domain::{Random, State};
use egress::{Destination, Request};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use runtime::{Shutdown, Tasks};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// How many callbacks are on their way at once.
const AT_ONCE: usize = 64;
/// How long one may take.
const WITHIN: Duration = Duration::from_secs(10);
/// With how many waiting no more messages are taken.
const MAX_DUE: usize = 1_000_000;
/// How many are taken from the queue at once.
const PAGE: usize = 1_000;
/// The longest that nothing is looked for: the queue tells of what is due before.
const IDLE: Duration = Duration::from_mins(1);

/// A callback that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub place: usize,
    pub state: State,
    pub part: Option<u32>,
}

/// What is due, by time.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    due: BTreeMap<(Instant, u64), Due>,
    /// How many were ever added: it tells those of one time apart.
    added: u64,
}

impl Queue {
    pub(super) fn add(&self, at: Instant, due: Due) {
        let mut waiting = self.lock();
        waiting.added += 1;
        let number = waiting.added;
        waiting.due.insert((at, number), due);
        drop(waiting);
        self.changed.notify_one();
    }

    /// Whether it takes no more messages.
    pub(super) fn is_full(&self) -> bool {
        self.lock().due.len() >= MAX_DUE
    }

    pub(super) fn clear(&self) {
        self.lock().due.clear();
    }

    /// What is due now, and when to look again.
    fn take(&self, now: Instant) -> (Vec<Due>, Instant) {
        let mut waiting = self.lock();
        let mut taken = Vec::new();
        while let Some(first) = waiting.due.first_entry() {
            let at = first.key().0;
            if at > now || taken.len() >= PAGE {
                return (taken, at);
            }
            taken.push(first.remove());
        }
        (taken, now + IDLE)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulator {
    /// Sends what is due until the process ends. What a receiver does not take is not sent again.
    pub(super) async fn post(self: Arc<Self>, tasks: Tasks, shutdown: Shutdown) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let (due, next) = self.queue.take(Instant::now());
            for batch in due.chunks(self.imitation.batch()) {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                    return;
                };
                let (simulator, batch) = (Arc::clone(&self), batch.to_vec());
                tasks.spawn("callback", async move {
                    simulator.send(&batch).await;
                    drop(permit);
                });
            }
            tokio::select! {
                () = self.queue.changed.notified() => {}
                () = tokio::time::sleep_until(next) => {}
                () = shutdown.draining() => return,
            }
        }
    }

    async fn send(&self, batch: &[Due]) {
        let Some((url, callback)) = self.written(batch) else {
            return;
        };
        let attempted = self.client.send(request(&url, &callback), WITHIN).await;
        let trouble = match attempted.result {
            Ok(response) if (200..300).contains(&response.status) => None,
            Ok(response) => Some(format!("it answered {}", response.status)),
            Err(failure) => Some(failure.to_string()),
        };
        let mut world = self.world();
        for due in batch {
            world.count(due.place, |callbacks| match trouble {
                None => callbacks.accepted += 1,
                Some(_) => callbacks.refused += 1,
            });
        }
        drop(world);
        self.say(trouble);
    }

    /// The callback that says these things, and where it goes; none where none are sent.
    fn written(&self, batch: &[Due]) -> Option<(String, Callback)> {
        let world = self.world();
        let url = world.settings.callback_url.clone()?;
        let secret = world.settings.callback_secret.clone();
        let told = |due: &Due| {
            let message = world.at(due.place)?.clone();
            Some(Told {
                at: message.since(due.state),
                state: due.state,
                part: due.part,
                message,
            })
        };
        let told: Vec<_> = batch.iter().filter_map(told).collect();
        drop(world);
        if told.is_empty() {
            return None;
        }
        let mut callback = self.imitation.callback(&told);
        let url = callback.url(&url);
        if let Some(secret) = &secret {
            let by = Signing {
                secret,
                url: &url,
                now: self.clock.now(),
                nonce: hex::encode(Random::system().bytes::<16>()),
            };
            self.imitation.sign(&mut callback, &by);
        }
        Some((url, callback))
    }

    /// Says why callbacks are not taken, once for as long as the reason is the same.
    fn say(&self, trouble: Option<String>) {
        let trouble = trouble.unwrap_or_default();
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == trouble {
            return;
        }
        if trouble.is_empty() {
            print::line("callbacks are taken again");
        } else {
            print::line(&format!("a callback was not taken: {trouble}"));
        }
        *last = trouble;
    }
}

fn request(url: &str, callback: &Callback) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in &callback.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    if callback.method != "GET" {
        let content_type = HeaderValue::from_static(callback.content_type());
        headers.insert(CONTENT_TYPE, content_type);
    }
    Request {
        method: if callback.method == "GET" {
            Method::GET
        } else {
            Method::POST
        },
        destination: Destination::Url(url.to_owned()),
        headers,
        body: callback.body().into(),
    }
}
