//! A turn: one account's due messages, under its lease. List, ask, publish what is new, record.

use crate::account::{Account, Api};
use crate::answer::{Batch, unmoved};
use crate::ask::{Asker, Failed, Stop, reply};
use crate::held::Held;
use crate::memory::{Memories, Memory};
use crate::publish::{Received, publish};
use crate::wait::Waits;
use crate::{Context, Rules, breaker, inbox, silence};
use domain::State;
use domain::callback::Kind;
use domain::poll::Outcome;
use providers::ask::{Asked, StatusApi, Unanswered};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::poll::{DueMessage, Given, Lease, Polled, Recorded, Rest, RestReason};
use telemetry::Span;
use telemetry::trace::Kind as SpanKind;

/// How long an account has its turn before others have theirs.
const LENGTH: Duration = Duration::from_secs(10);
/// How many pages an answer has at the most.
const MOST_PAGES: usize = 20;
/// What is left of a lease at the least when a page of due messages is begun.
const RECORDED: Duration = Duration::from_secs(5);
/// How long it is waited before anybody is asked again, when what was answered could not be kept.
const AFTER_OURS: Duration = Duration::from_secs(5);

/// What the turns of a poller share.
pub(crate) struct Shared {
    pub(crate) context: Context,
    pub(crate) rules: Rules,
    pub(crate) held: Held,
    pub(crate) memories: Memories,
    pub(crate) waits: Waits,
    /// Told whenever a place is free again.
    pub(crate) is_free: tokio::sync::Notify,
}

/// One account's turn.
pub(crate) struct Turn {
    shared: Arc<Shared>,
    lease: Lease,
    begun: Instant,
    failures: u32,
    /// Whether the provider was asked anything.
    has_asked: bool,
}

/// Has an account's due messages asked about, and gives its lease back.
pub(crate) async fn run(shared: Arc<Shared>, lease: Lease) {
    let _place = Place(shared.clone(), lease.clone());
    let mut turn = Turn {
        failures: lease.failures,
        shared: shared.clone(),
        lease: lease.clone(),
        begun: Instant::now(),
        has_asked: false,
    };
    let rest = match turn.serve().await {
        Ok(rest) => rest,
        Err(Stop::Draining) => None,
        Err(Stop::Lost) => return,
        Err(Stop::Ours(error)) => {
            tracing::warn!(account.id = %lease.account_id, error, "messages could not be asked about");
            tokio::select! {
                () = tokio::time::sleep(AFTER_OURS) => {}
                () = shared.context.shutdown.draining() => {}
            }
            None
        }
    };
    let given = Given {
        failures: turn.failures,
        rest,
    };
    if let Err(error) = shared.context.store.give_back(&lease, given).await {
        tracing::warn!(account.id = %lease.account_id, %error, "a lease runs out: it could not be given back");
    }
}

/// Frees the place of a turn, however it ends.
struct Place(Arc<Shared>, Lease);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.held.leave(self.1.account_id);
        self.0.is_free.notify_one();
    }
}

impl Turn {
    /// Until nothing is due, or the turn is over; how long the provider is to be left alone then.
    async fn serve(&mut self) -> Result<Option<Rest>, Stop> {
        let id = self.lease.account_id;
        let (shared, context) = (self.shared.clone(), self.shared.context.clone());
        let account = match context.store.find_account_by_id(id).await? {
            None => Account::gone(),
            Some(found) => match Account::open(found, &context.vault) {
                Ok(account) => account,
                Err(error) => {
                    tracing::error!(account.id = %id, %error, "an account's provider cannot be asked");
                    return Ok(Some(breaker::refused()));
                }
            },
        };
        let mut memory = shared.memories.take(id, account.updated_at);
        let served = self.ask_about_due(&account, &mut memory).await;
        let served = match served {
            Ok(None) => self.read_inbox(&account, &mut memory).await,
            served => served,
        };
        if let Ok(rest) = &served {
            self.tell(&account, &mut memory, *rest);
        }
        shared.memories.keep(id, memory);
        served
    }

    async fn ask_about_due(
        &mut self,
        account: &Account,
        memory: &mut Memory,
    ) -> Result<Option<Rest>, Stop> {
        loop {
            if self.is_over() {
                return Ok(None);
            }
            if !self.shared.held.holds_for(self.lease.account_id, RECORDED) {
                return Err(Stop::Lost);
            }
            let page = self.context().store.list_due(self.lease.account_id).await?;
            if page.is_empty() {
                return Ok(None);
            }
            let page = self.postpone(page).await?;
            let asks = |message: &DueMessage| account.asks(message).is_some();
            let (askable, others): (Vec<_>, Vec<_>) = page.into_iter().partition(asks);
            self.give_up(account, &others).await?;
            let Some((api, status)) = account
                .api
                .as_ref()
                .and_then(|api| Some((api, api.status?)))
            else {
                continue;
            };
            for batch in askable.chunks(status.batch().max(1)) {
                if self.is_over() {
                    return Ok(None);
                }
                let rest = self.ask(account, api, status, memory, batch).await?;
                if rest.is_some() {
                    return Ok(rest);
                }
            }
        }
    }

    /// Puts off those that are not overdue for their network; the others.
    async fn postpone(&self, page: Vec<DueMessage>) -> Result<Vec<DueMessage>, Stop> {
        let now = self.context().clock.now();
        let (mut overdue, mut postponed) = (Vec::with_capacity(page.len()), Vec::new());
        for message in page {
            match self.shared.waits.postpone(&message, unmoved(&message, now)) {
                Some(later) if later.next > Some(now) => postponed.push(later),
                _ => overdue.push(message),
            }
        }
        if !postponed.is_empty() {
            self.record("", postponed).await?;
        }
        Ok(overdue)
    }

    /// Messages that nobody can be asked about: at their greatest age they are given up, and not before.
    async fn give_up(&self, account: &Account, messages: &[DueMessage]) -> Result<(), Stop> {
        if messages.is_empty() {
            return Ok(());
        }
        let now = self.context().clock.now();
        let mut silent = Vec::new();
        let mut polled = Vec::with_capacity(messages.len());
        for message in messages {
            let end = message.due.from.plus(self.max_age(account));
            let mut moved = unmoved(message, now);
            moved.next = (end > now).then_some(end);
            if moved.next.is_none() && message.state != State::Unknown {
                moved.outcome = Some(Outcome::Silence);
                silent.push(message);
            }
            polled.push(moved);
        }
        let span = self.span(messages);
        self.tell_silence(account, &silent, &span).await?;
        failpoint::reach!(PollerBeforeRecord if !silent.is_empty());
        self.record(
            messages.first().map_or("", |message| &message.provider),
            polled,
        )
        .await
    }

    /// One question: about these messages, with all pages of the answer. What is new is published, page by page,
    /// before it is recorded that it was asked: a death between them asks and publishes it again.
    async fn ask(
        &mut self,
        account: &Account,
        api: &Api,
        status: &'static dyn StatusApi,
        memory: &mut Memory,
        messages: &[DueMessage],
    ) -> Result<Option<Rest>, Stop> {
        if let Err(error) = self.context().broker.can_publish(wire::Queue::Callbacks) {
            return Err(Stop::Ours(error.to_string()));
        }
        let asked_at = self.context().clock.now();
        let mut span = self.span(messages);
        let mut batch = Batch::new(messages);
        let subjects: Vec<Asked> = messages.iter().filter_map(|it| account.asks(it)).collect();
        let shared = self.shared.clone();
        let mut asker = Asker {
            context: &shared.context,
            held: &shared.held,
            account_id: self.lease.account_id,
            api,
            memory,
        };
        let answered = self
            .read_pages(account, status, &mut asker, &subjects, &mut batch, &span)
            .await;
        let failed = match answered {
            Ok(()) => None,
            Err(Failed::Unanswered(unanswered)) => Some(unanswered),
            Err(Failed::Stop(stop)) => return Err(stop),
        };
        if let Some(failed) = &failed {
            span.fail(&failed.to_string());
        }
        let (now, random) = (self.context().clock.now(), self.context().random.clone());
        let max_age = self.max_age(account);
        let mut follows = batch.conclude(failed.as_ref(), now, max_age, || random.fraction());
        for polled in &mut follows.polled {
            polled.at = asked_at;
        }
        self.tell_silence(account, &follows.silent, &span).await?;
        failpoint::reach!(PollerBeforeRecord);
        let provider = messages.first().map_or("", |message| &message.provider);
        self.record(provider, follows.polled).await?;
        Ok(self.judge(failed.as_ref()))
    }

    async fn read_pages(
        &self,
        account: &Account,
        status: &'static dyn StatusApi,
        asker: &mut Asker<'_>,
        subjects: &[Asked],
        batch: &mut Batch<'_>,
        span: &Span,
    ) -> Result<(), Failed> {
        let mut page: Option<String> = None;
        let mut token_is_new = asker.memory.token(asker.context.clock.now()).is_none();
        for _ in 0..MOST_PAGES {
            let token = asker.token().await?;
            let access = &asker.api.access;
            let request = status.request(access, token.as_ref(), subjects, page.as_deref());
            let response = asker.send(request).await?;
            let at = asker.context.clock.now();
            let answered = match status.read(&asker.api.access, subjects, reply(&response)) {
                // A token may be taken back before its time: once, another is tried.
                Err(Unanswered::CredentialsRefused(_)) if token.is_some() && !token_is_new => {
                    asker.memory.forget_token();
                    token_is_new = true;
                    continue;
                }
                answered => answered.map_err(|it| asker.with_wait(it, &response))?,
            };
            let news = batch.hear(answered.reports);
            let foreign = news.foreign + answered.foreign;
            if foreign > 0 {
                tracing::debug!(
                    account.id = %self.lease.account_id,
                    statements = foreign,
                    "a provider answered about what was not asked"
                );
            }
            if !news.statements.is_empty() {
                let names = account.names.as_ref().ok_or(Stop::Lost)?;
                let received = Received {
                    content_type: reply(&response).content_type.map(str::to_owned),
                    body: response.body.to_vec(),
                };
                let (kind, said) = (Kind::Reports, news.statements);
                publish(asker.context, names, kind, said, received, at, span)
                    .await
                    .map_err(Stop::Ours)?;
            }
            page = answered.next_page;
            if page.is_none() {
                return Ok(());
            }
        }
        let detail = format!("it has more than {MOST_PAGES} pages");
        Err(Unanswered::Unreadable(detail).into())
    }

    async fn read_inbox(
        &mut self,
        account: &Account,
        memory: &mut Memory,
    ) -> Result<Option<Rest>, Stop> {
        let (Some(api), Some(names)) = (&account.api, &account.names) else {
            return Ok(None);
        };
        let Some(inbox_api) = api.inbox else {
            return Ok(None);
        };
        let shared = self.shared.clone();
        let mut asker = Asker {
            context: &shared.context,
            held: &shared.held,
            account_id: self.lease.account_id,
            api,
            memory,
        };
        match inbox::read(&mut asker, inbox_api, names, &self.lease).await {
            Ok(true) => Ok(self.judge(None)),
            Ok(false) => Ok(None),
            Err(Failed::Unanswered(unanswered)) => {
                tracing::debug!(account.id = %self.lease.account_id, %unanswered, "an inbox could not be read");
                Ok(self.judge(Some(&unanswered)))
            }
            Err(Failed::Stop(stop)) => Err(stop),
        }
    }

    /// Counts a failure or forgets those before; how long the provider is to be left alone.
    fn judge(&mut self, failed: Option<&Unanswered>) -> Option<Rest> {
        self.has_asked = true;
        match failed {
            None | Some(Unanswered::NotFound) => {
                self.failures = 0;
                None
            }
            Some(Unanswered::CredentialsRefused(_)) => Some(breaker::refused()),
            Some(Unanswered::SlowDown { retry_after }) => Some(breaker::slowed(*retry_after)),
            Some(Unanswered::Unavailable(_) | Unanswered::Unreadable(_)) => {
                self.failures = self.failures.saturating_add(1);
                breaker::after(self.failures)
            }
        }
    }

    /// A change is said once, not every look at it.
    fn tell(&self, account: &Account, memory: &mut Memory, rest: Option<Rest>) {
        let reason = rest.map(|rest| rest.reason);
        // Between the failures that open the breaker nothing has changed yet.
        let is_unchanged = reason.is_none() && (self.failures > 0 || !self.has_asked);
        if memory.told == reason || is_unchanged {
            return;
        }
        let provider = account.names.as_ref().map_or("", |names| &names.provider);
        let id = self.lease.account_id;
        match reason {
            Some(RestReason::Open) => {
                tracing::warn!(account.id = %id, provider, "a provider fails: it is left alone for a while");
            }
            Some(RestReason::Refused) => {
                tracing::warn!(account.id = %id, provider, "a provider refuses the credentials of status_api: change the account");
            }
            Some(RestReason::Slowed) => {
                tracing::info!(account.id = %id, provider, "a provider asks us to slow down");
            }
            None => tracing::info!(account.id = %id, provider, "a provider answers again"),
        }
        memory.told = reason;
    }

    async fn tell_silence(
        &self,
        account: &Account,
        silent: &[&DueMessage],
        span: &Span,
    ) -> Result<(), Stop> {
        let (context, id) = (self.context(), self.lease.account_id);
        let now = context.clock.now();
        silence::tell(context, account, id, silent, now, span)
            .await
            .map_err(Stop::Ours)
    }

    async fn record(&self, provider: &str, polled: Vec<Polled>) -> Result<(), Stop> {
        let outcomes: Vec<Outcome> = polled.iter().filter_map(|it| it.outcome).collect();
        let context = self.context();
        match context.store.record_polls(&self.lease, polled).await? {
            Recorded::LeaseLost => Err(Stop::Lost),
            Recorded::Done(_) => {
                for outcome in outcomes {
                    context.metrics.poll(provider, outcome.as_str());
                }
                Ok(())
            }
        }
    }

    fn span(&self, messages: &[DueMessage]) -> Span {
        let mut span = self
            .context()
            .tracer
            .start("ask provider", SpanKind::Client, None);
        span.set("account.id", self.lease.account_id.to_string().as_str());
        span.set("messages", messages.len());
        span
    }

    fn max_age(&self, account: &Account) -> Duration {
        account.silence.after.unwrap_or(self.shared.rules.max_age)
    }

    fn is_over(&self) -> bool {
        self.context().shutdown.is_draining() || self.begun.elapsed() >= LENGTH
    }

    fn context(&self) -> &Context {
        &self.shared.context
    }
}

#[cfg(test)]
mod tests;
