//! The feed: events in the order in which they are told, for who reads on where he was, and waits.
//!
//! Whoever waits has no connection of the store. What wakes him is a hint that events of his shard were
//! stamped; a lost one costs at most a second, in which one query asks for all who wait.

use super::log::refuse;
use super::view;
use crate::caller::Caller;
use crate::house::is_admitted;
use crate::list::{PageView, Query};
use crate::{Context, Desk, failure};
use actix_web::HttpResponse;
use domain::Shard;
use domain::id::TenantId;
use runtime::http::{Code, Problem};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::event::{FeedPage, Filter, Since};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use wire::Topic;

/// How long an answer may be waited for, in seconds.
pub(super) const MAX_WAIT_SECONDS: u64 = 30;
/// How many of a tenant's readers wait at once, and how many of all, in this process.
const MOST_OF_TENANT: usize = 16;
const MOST: usize = 1_000;
/// When to come again, in seconds, where too many wait.
const AGAIN_AFTER: u64 = 1;
/// How often the store is asked, while somebody waits, whether a hint was lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a reader is left asleep whom a hint woke in vain, because the news was another tenant's:
/// twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// How many of those who were woken look at once: others read in the API too.
const LOOKING: usize = 2;

/// Who waits for events in this process.
pub(crate) struct Feeds {
    /// In the order of the shards' numbers. What it says is nothing; that it says it again is the news.
    news: Vec<watch::Sender<()>>,
    waiting: Mutex<HashMap<TenantId, usize>>,
    looking: Semaphore,
}

/// One who waits.
struct Reader<'a> {
    feeds: &'a Feeds,
    context: &'a Context,
    tenant: TenantId,
    news: watch::Receiver<()>,
}

impl Default for Feeds {
    fn default() -> Self {
        Self {
            news: Shard::all().map(|_| watch::Sender::new(())).collect(),
            waiting: Mutex::default(),
            looking: Semaphore::new(LOOKING),
        }
    }
}

/// Wakes readers until the process drains.
pub(crate) fn start(feeds: &Arc<Feeds>, context: &Context) {
    let (feeds, ours) = (feeds.clone(), context.clone());
    context.tasks.supervise("subscriptions.feed", move || {
        let (feeds, context) = (feeds.clone(), ours.clone());
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            let mut hints = context.broker.hints(Topic::Feed);
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut seen = HashMap::new();
            loop {
                tokio::select! {
                    hints = hints.recv() => hints.stamped().for_each(|shard| feeds.tell(shard)),
                    _ = ticks.tick() => feeds.look(&context, &mut seen).await?,
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

impl Feeds {
    fn tell(&self, shard: Shard) {
        if let Some(news) = self.news.get(usize::from(shard.number())) {
            news.send_replace(());
        }
    }

    /// Wakes those whose shards have more than was seen.
    async fn look(
        &self,
        context: &Context,
        seen: &mut HashMap<Shard, i64>,
    ) -> Result<(), store::Error> {
        let shards: BTreeSet<Shard> = self.lock().keys().copied().map(Shard::of_tenant).collect();
        if shards.is_empty() {
            return Ok(());
        }
        let asked = shards.into_iter().collect();
        for (shard, newest) in context.store.newest_sequences(asked).await? {
            if seen.insert(shard, newest) != Some(newest) {
                self.tell(shard);
            }
        }
        Ok(())
    }

    fn enter<'a>(&'a self, tenant: TenantId, context: &'a Context) -> Result<Reader<'a>, Problem> {
        let shard = Shard::of_tenant(tenant);
        let news = self.news.get(usize::from(shard.number()));
        let news = news.ok_or_else(failure::broken)?.subscribe();
        let mut waiting = self.lock();
        if waiting.values().sum::<usize>() >= MOST {
            let detail = "too many readers of feeds wait here: come again, or ask without wait";
            return Err(Problem::new(Code::Unavailable, detail).retry_after(AGAIN_AFTER));
        }
        let of_tenant = waiting.entry(tenant).or_default();
        if *of_tenant >= MOST_OF_TENANT {
            let detail = format!(
                "{MOST_OF_TENANT} readers of your feed wait already: come again, or ask without wait"
            );
            return Err(Problem::new(Code::RateLimited, detail).retry_after(AGAIN_AFTER));
        }
        *of_tenant += 1;
        count(context, &waiting);
        drop(waiting);
        Ok(Reader {
            feeds: self,
            context,
            tenant,
            news,
        })
    }

    fn leave(&self, tenant: TenantId, context: &Context) {
        let mut waiting = self.lock();
        if let Some(of_tenant) = waiting.get_mut(&tenant) {
            *of_tenant -= 1;
            if *of_tenant == 0 {
                waiting.remove(&tenant);
            }
        }
        count(context, &waiting);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(context: &Context, waiting: &HashMap<TenantId, usize>) {
    let number = waiting.values().sum::<usize>();
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    context.metrics.set_feed_readers(number);
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.feeds.leave(self.tenant, self.context);
    }
}

/// Answers with what there is after a place; where that is nothing, waits for it.
pub(super) async fn read(
    query: &Query,
    place: &str,
    filter: Filter,
    desk: &Desk,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let why = "the feed goes on with after=<next_cursor>; a list has after=<time>";
    refuse(query, &["before", "cursor"], why)?;
    let since = since(query, place, caller.tenant)?;
    let wait = query.parsed("wait", parse_wait, "whole seconds from 0 to 30")?;
    let wait = wait.unwrap_or_default();
    let asked = Asked {
        tenant: caller.tenant,
        filter,
        limit: query.limit()?,
    };
    let mut page = asked.look(&desk.context, since).await?;
    if page.items.is_empty() && page.is_end && !wait.is_zero() {
        let reader = desk.feeds.enter(caller.tenant, &desk.context)?;
        page = reader.wait(&asked, page, Instant::now() + wait).await?;
    }
    let next_cursor = Some(query.cursor_at(page.next, caller.tenant));
    let data: Vec<_> = page
        .items
        .into_iter()
        .map(|kept| view(kept, None))
        .collect();
    Ok(HttpResponse::Ok().json(PageView { data, next_cursor }))
}

/// What a reader wants.
struct Asked {
    tenant: TenantId,
    filter: Filter,
    limit: u32,
}

impl Asked {
    async fn look(&self, context: &Context, since: Since) -> Result<FeedPage, Problem> {
        let page = context
            .store
            .feed_events(self.tenant, self.filter.clone(), since, self.limit)
            .await;
        page.map_err(failure::of_store)
    }
}

impl Reader<'_> {
    /// Waits until there is something, or further to read on, or the time is over, or the process drains.
    async fn wait(
        mut self,
        asked: &Asked,
        mut page: FeedPage,
        until: Instant,
    ) -> Result<FeedPage, Problem> {
        let mut pause = Duration::ZERO;
        loop {
            // What was stamped before it began to hear is seen now.
            page = self.look(asked, page.next).await?;
            if !page.items.is_empty() || !page.is_end {
                return Ok(page);
            }
            let news = &mut self.news;
            let woken = async {
                sleep(pause).await;
                // It fails only when the sender is gone, which its feeds hold.
                let _ = news.changed().await;
            };
            tokio::select! {
                () = woken => {}
                () = sleep_until(until) => return Ok(page),
                () = self.context.shutdown.draining() => return Ok(page),
            }
            pause = (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        }
    }

    async fn look(&self, asked: &Asked, place: i64) -> Result<FeedPage, Problem> {
        let turn = self.feeds.looking.acquire().await;
        let _turn = turn.map_err(|_| failure::away())?;
        asked.look(self.context, Since::Sequence(place)).await
    }
}

fn since(query: &Query, place: &str, tenant: TenantId) -> Result<Since, Problem> {
    let detail = "after is start, now, a next_cursor of this feed with these filters, or, for the \
                  list, a time in RFC 3339";
    match place {
        "start" => Ok(Since::Start),
        "now" => Ok(Since::Now),
        cursor => {
            let place = query.place(cursor, tenant).map(Since::Sequence);
            place.ok_or_else(|| Problem::new(Code::InvalidCursor, detail))
        }
    }
}

fn parse_wait(text: &str) -> Option<Duration> {
    let seconds: u64 = text.parse().ok()?;
    (seconds <= MAX_WAIT_SECONDS).then(|| Duration::from_secs(seconds))
}
