//! Publishing over RabbitMQ: the same event, judged the same, under the same keys as over HTTP.
//!
//! A message is acknowledged once its event is committed, or once it is a dead letter that says why it was
//! refused. A broker's user may be anybody's: whose an event is says the API key that the message carries.

use super::{KEYS, Origin, PATH, PublishEvent, accepted, is_key, judge_alone, mismatch, scoped};
use crate::access::Keys;
use crate::caller::suspended;
use crate::event_type::Strangers;
use crate::house::is_admitted;
use crate::{Context, input, plan};
use broker::{Consume, Disposition, Handler, Received, Reply};
use domain::Shard;
use domain::access::Scope;
use futures_util::future::join_all;
use runtime::http::{Code, Problem};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::bearer::Bearer;
use store::event::{Batch, Publication, Published};
use store::idempotency::Claim;
use store::news::Told;
use store::tenant::State;
use telemetry::TraceContext;
use telemetry::trace::Kind;
use wire::{Envelope, Hint, Job, PublishJob, Queue};

/// How many messages are one commit, and how long one of them may be under way.
const CONSUME: Consume = Consume {
    batch: 64,
    lease: Duration::from_mins(1),
    max_attempts: 5,
};
/// How soon one is tried again that the store failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Starts consuming until the process drains, where the broker lets others publish.
pub(crate) fn start(keys: &Arc<Keys>, context: &Context) {
    if !context.broker.has_entrance() {
        return;
    }
    let (keys, ours) = (keys.clone(), context.clone());
    context.tasks.supervise("subscriptions.amqp", move || {
        let (keys, context) = (keys.clone(), ours.clone());
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            let handler = Publisher {
                keys,
                context: context.clone(),
            };
            let shutdown = context.shutdown.clone();
            context
                .broker
                .consume(Queue::Publish, CONSUME, handler, async move {
                    shutdown.draining().await;
                })
                .await?;
            Ok(())
        }
    });
}

struct Publisher {
    keys: Arc<Keys>,
    context: Context,
}

/// A message that was read.
struct Message {
    job: PublishJob,
    traceparent: Option<String>,
}

/// What is done about a message.
enum Verdict {
    /// It is published, now or before.
    Accepted { answer: String, is_new: bool },
    /// It never can be, for this reason.
    Refused(Problem),
    /// It cannot be now.
    Later(Disposition),
}

impl Handler for Publisher {
    async fn handle(&self, jobs: &[Received]) -> Vec<Disposition> {
        let read: Vec<Result<Message, String>> = jobs.iter().map(read).collect();
        let messages: Vec<&Message> = read.iter().flatten().collect();
        let mut verdicts = self.publish(&messages).await.into_iter();
        let mut dispositions = Vec::with_capacity(jobs.len());
        for message in &read {
            dispositions.push(match message {
                Err(reason) => Disposition::DeadLetter {
                    reason: reason.clone(),
                },
                Ok(message) => match verdicts.next() {
                    Some(verdict) => self.settle(message, verdict).await,
                    None => later("nothing was decided about it"),
                },
            });
        }
        dispositions
    }
}

impl Publisher {
    /// What is done about each, in one commit.
    async fn publish(&self, messages: &[&Message]) -> Vec<Verdict> {
        let hashes: BTreeSet<[u8; 32]> = messages.iter().filter_map(|m| m.job.key_hash()).collect();
        let bearers = self
            .context
            .store
            .find_bearers_of_keys(hashes.into_iter().collect());
        let bearers = match bearers.await {
            Ok(bearers) => bearers,
            Err(error) => {
                let failed = messages.iter().map(|_| Verdict::Later(postponed(&error)));
                return failed.collect();
            }
        };
        let read: Vec<_> = messages
            .iter()
            .map(|message| self.read(message, &bearers))
            .collect();
        let types = read.iter().flatten();
        let types = types.map(|(of, wanted)| (of.tenant_id, wanted.event_type.clone()));
        let strangers = match Strangers::among(&self.context, types.collect()).await {
            Ok(strangers) => strangers,
            Err(error) => {
                let failed = messages.iter().map(|_| Verdict::Later(postponed(&error)));
                return failed.collect();
            }
        };
        let mut judged = Vec::with_capacity(messages.len());
        for (message, read) in messages.iter().zip(read) {
            judged.push(match read {
                Ok((of, wanted)) => self.judge(message, of, wanted, &strangers).await,
                Err(problem) => Err(problem),
            });
        }
        let good: Vec<Publication> = judged.iter().flatten().cloned().collect();
        let (done, told) = self.write(&good).await;
        self.tell(&good);
        plan::note(&self.context, done.iter().flatten(), &told);
        let mut done = done.into_iter();
        judged
            .into_iter()
            .map(|judged| match judged {
                Err(problem) if problem.is_ours() => Verdict::Later(not_now(&problem)),
                Err(problem) => Verdict::Refused(problem),
                Ok(publication) => match done.next() {
                    Some(Ok(Published::New)) => Verdict::Accepted {
                        answer: accepted(publication.event.id).body,
                        is_new: true,
                    },
                    Some(Ok(Published::Replayed(answer))) => Verdict::Accepted {
                        answer: answer.body,
                        is_new: false,
                    },
                    Some(Ok(Published::Mismatch)) => Verdict::Refused(mismatch()),
                    Some(Ok(Published::Refused(used))) => {
                        Verdict::Refused(plan::used_up(&used, self.context.clock.now()))
                    }
                    Some(Err(error)) => Verdict::Later(postponed(&error)),
                    None => Verdict::Later(later("it was not written")),
                },
            })
            .collect()
    }

    /// Writes all of them at once. Where that fails, and not because the store is away, each by itself, so
    /// that what one of them does to the store is done to none of the others.
    async fn write(&self, good: &[Publication]) -> (Vec<Result<Published, store::Error>>, Told) {
        if good.is_empty() {
            return (Vec::new(), Told::default());
        }
        let store = &self.context.store;
        let together = store.publish_batch(good.to_vec(), None, |_| String::new());
        match together.await {
            Ok(Batch::New(done, told)) => (done.into_iter().map(Ok).collect(), told),
            Err(error) if error.is_outage() => {
                let away = good.iter().map(|_| Err(error.again())).collect();
                (away, Told::default())
            }
            Ok(Batch::Replayed(_) | Batch::Mismatch) | Err(_) => {
                let each = good.iter().map(|one| alone(store, one.clone()));
                let mut all = Told::default();
                let done = join_all(each).await.into_iter().map(|done| {
                    let (published, told) = done?;
                    all.add(told);
                    Ok(published)
                });
                (done.collect(), all)
            }
        }
    }

    fn tell(&self, good: &[Publication]) {
        let tenants = good.iter().map(|one| one.event.tenant_id);
        let shards: BTreeSet<Shard> = tenants.map(Shard::of_tenant).collect();
        for shard in shards {
            self.context.broker.hint(Hint::Events(shard));
        }
    }

    /// Whose event a message is, and what it says.
    fn read(
        &self,
        message: &Message,
        bearers: &HashMap<[u8; 32], Bearer>,
    ) -> Result<(Bearer, PublishEvent), Problem> {
        let job = &message.job;
        let bearer = self.authenticate(job, bearers)?;
        self.refuse_unusual(job)?;
        Ok((bearer, input::understand(job.body.as_bytes())?))
    }

    async fn judge(
        &self,
        message: &Message,
        of: Bearer,
        wanted: PublishEvent,
        strangers: &Strangers,
    ) -> Result<Publication, Problem> {
        let context = &self.context;
        let (job, tenant) = (&message.job, of.tenant_id);
        let judged = judge_alone(context, tenant, &wanted, strangers).await?;
        let parent = message.traceparent.as_deref().and_then(TraceContext::parse);
        let span = context
            .tracer
            .start("publish event", Kind::Consumer, parent.as_ref());
        let now = context.clock.now();
        let origin = Origin {
            tenant,
            source: "amqp",
            traceparent: Some(span.context().to_string()),
            now,
        };
        let event = origin.event(wanted, &judged, &context.random);
        let claim = job.message_id.as_ref().map(|key| Claim {
            tenant_id: tenant,
            key: scoped(tenant, PATH, key),
            body_hash: Sha256::digest(&job.body).into(),
            answer: accepted(event.id),
            at: now,
        });
        Ok(Publication {
            event,
            claim,
            counts: of.counts_events,
        })
    }

    /// Whose event it is: as over HTTP, but for the operator, whose key opens nothing here.
    fn authenticate(
        &self,
        job: &PublishJob,
        bearers: &HashMap<[u8; 32], Bearer>,
    ) -> Result<Bearer, Problem> {
        let bearer = job.key_hash().and_then(|hash| bearers.get(&hash));
        let bearer = bearer.ok_or_else(|| {
            let detail =
                "the message needs a valid key in its header authorization: Bearer tk_live_…";
            Problem::new(Code::Unauthorized, detail)
        })?;
        if let Some(key) = bearer.key_id {
            self.keys.note(key, self.context.clock.now());
        }
        if bearer.state == State::Suspended {
            return Err(suspended());
        }
        if !bearer.scopes.has(Scope::EventsPublish) {
            let lacking = Scope::EventsPublish.as_str();
            let detail = format!("the key lacks the scope {lacking}");
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(*bearer)
    }

    /// Refuses what is wrong about a message before it is read.
    fn refuse_unusual(&self, job: &PublishJob) -> Result<(), Problem> {
        let is_key = |key: &String| is_key(key.as_bytes());
        if job.message_id.as_ref().is_some_and(|key| !is_key(key)) {
            return Err(input::invalid("/message_id", KEYS));
        }
        let is_taken = |queue: &String| self.context.broker.takes_replies(queue);
        if job.reply_to.as_ref().is_some_and(|queue| !is_taken(queue)) {
            let detail = "answers go to amq.rabbitmq.reply-to, to a queue that RabbitMQ named, or to one \
                          whose name begins with the namespace and -reply.";
            return Err(input::invalid("/reply_to", detail));
        }
        let is_json = |text: &String| {
            let essence = text.split(';').next().unwrap_or(text).trim();
            essence.eq_ignore_ascii_case("application/json")
        };
        if job.content_encoding.is_some() || !job.content_type.as_ref().is_none_or(is_json) {
            let detail = "send application/json, as it is";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        if job.size_bytes > u64::try_from(input::MAX_BODY_BYTES).unwrap_or(u64::MAX) {
            let detail = format!("write at most {} bytes", input::MAX_BODY_BYTES);
            return Err(Problem::new(Code::PayloadTooLarge, detail));
        }
        if !job.is_whole {
            return Err(Problem::new(Code::MalformedJson, "the body is not UTF-8"));
        }
        Ok(())
    }

    /// Answers, where somebody wants an answer, and says what becomes of the message.
    async fn settle(&self, message: &Message, verdict: Verdict) -> Disposition {
        let metrics = &self.context.metrics;
        match verdict {
            Verdict::Later(disposition) => disposition,
            Verdict::Accepted { answer, is_new } => {
                if is_new {
                    metrics.event("amqp");
                }
                metrics.amqp_message(if is_new { "accepted" } else { "replayed" });
                self.answer(&message.job, 202, "application/json", answer)
                    .await;
                Disposition::Ack
            }
            Verdict::Refused(problem) => {
                metrics.amqp_message("refused");
                let told = problem.to_json();
                self.answer(
                    &message.job,
                    problem.status(),
                    "application/problem+json",
                    told,
                )
                .await;
                Disposition::DeadLetter {
                    reason: problem.to_string(),
                }
            }
        }
    }

    /// An answer that is lost is no event that is lost.
    async fn answer(
        &self,
        job: &PublishJob,
        status: u16,
        content_type: &'static str,
        body: String,
    ) {
        let broker = &self.context.broker;
        let Some(to) = job.reply_to.clone().filter(|to| broker.takes_replies(to)) else {
            return;
        };
        let reply = Reply {
            to,
            correlation_id: job
                .correlation_id
                .clone()
                .or_else(|| job.message_id.clone()),
            status,
            content_type,
            body,
        };
        if let Err(error) = broker.reply(&reply).await {
            tracing::debug!(%error, "an answer to a publisher is lost");
        }
    }
}

/// Writes one by itself. What is wrong with it is told as it is, and not as an outage.
async fn alone(store: &Store, one: Publication) -> Result<(Published, Told), store::Error> {
    let written = store.publish_batch(vec![one], None, |_| String::new());
    match written.await? {
        Batch::New(done, told) => {
            let published = done.into_iter().next().ok_or(store::Error::Closed)?;
            Ok((published, told))
        }
        Batch::Replayed(_) | Batch::Mismatch => Err(store::Error::Closed),
    }
}

fn read(job: &Received) -> Result<Message, String> {
    let envelope = Envelope::from_bytes(&job.payload).map_err(|error| error.to_string())?;
    let Job::Publish(published) = envelope.job else {
        return Err("not a job of this queue".to_owned());
    };
    Ok(Message {
        job: published,
        traceparent: envelope.traceparent,
    })
}

/// While the store is away no try counts.
fn postponed(error: &store::Error) -> Disposition {
    if error.is_outage() {
        return Disposition::Defer {
            after: AGAIN_AFTER,
            reason: error.to_string(),
        };
    }
    tracing::error!(%error, "an event from the broker could not be published");
    later(&error.to_string())
}

/// What is wrong on our side, which the log has. While something is only away no try counts.
fn not_now(problem: &Problem) -> Disposition {
    if problem.code() == Code::Unavailable {
        return Disposition::Defer {
            after: AGAIN_AFTER,
            reason: problem.detail().to_owned(),
        };
    }
    later(problem.detail())
}

fn later(reason: &str) -> Disposition {
    Disposition::Retry {
        after: AGAIN_AFTER,
        reason: reason.to_owned(),
    }
}
