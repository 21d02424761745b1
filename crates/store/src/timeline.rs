//! The timeline of a message: everything that is known of it, in order of time.

mod read;

use crate::Store;
use crate::callback::Receipt;
use crate::connection::Connection;
use crate::error::Error;
use crate::message::Entry;
use domain::Timestamp;
use domain::delivery::State as DeliveryState;
use domain::id::{AttemptId, DeliveryId, EventId, MessageId, SubscriptionId, TenantId};
use domain::message::Message;
use domain::poll::Outcome;
use domain::report::Source;
use domain::send_attempt::SendAttempt;

/// How many lines a timeline has at the most; the newest are kept.
pub const MOST: usize = 500;

/// Everything that is known of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// What happened, oldest first.
    pub lines: Vec<Line>,
    /// Whether older lines were left out.
    pub is_truncated: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened. In this order where several things happened at one moment: a cause before its effect.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The platform registered the message.
    Registered(Box<Message>),
    /// The platform sent it again.
    SendAttempt(SendAttempt),
    /// Its provider was asked about it.
    Poll(Poll),
    /// A callback that spoke of it was received.
    Callback(Receipt),
    /// A provider said something of it.
    Report(Entry),
    /// A person said something of it.
    Ruling(Entry),
    /// It was told.
    Event(Told),
    /// An event became owed to a subscription.
    Delivery(Owed),
    /// A delivery was tried.
    Attempt(Tried),
}

/// That a provider was asked about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// About which try to send it.
    pub send_attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The provider's word, or why there is none.
    pub detail: Option<String>,
}

/// An event about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// Its place among the tenant's events, once it has one.
    pub sequence: Option<i64>,
}

/// A delivery of an event about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Its id.
    pub delivery_id: DeliveryId,
    /// Which event.
    pub event_id: EventId,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is tried next, while it is pending.
    pub next_attempt_at: Option<Timestamp>,
}

/// An attempt at a delivery of an event about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its id.
    pub attempt_id: AttemptId,
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// Its number, from 1.
    pub number: u32,
    /// How long it took.
    pub duration_ms: i64,
    /// What the endpoint answered.
    pub status_code: Option<u16>,
    /// The stable name of the error; none for success.
    pub error: Option<String>,
}

impl What {
    const fn rank(&self) -> u8 {
        match self {
            Self::Registered(_) => 0,
            Self::SendAttempt(_) => 1,
            Self::Callback(_) | Self::Poll(_) => 2,
            Self::Report(_) | Self::Ruling(_) => 3,
            Self::Event(_) => 4,
            Self::Delivery(_) => 5,
            Self::Attempt(_) => 6,
        }
    }
}

impl Store {
    /// Everything that is known of a tenant's message, in order of time: the newest [`MOST`] lines.
    pub async fn timeline(
        &self,
        tenant: TenantId,
        id: MessageId,
    ) -> Result<Option<Timeline>, Error> {
        self.read(move |connection| {
            let Some(message) = read::message(connection, tenant, id)? else {
                return Ok(None);
            };
            let lines = lines(connection, message)?;
            Ok(Some(newest(lines)))
        })
        .await
    }
}

/// What is known, in no order; of each kind at most one more than is shown.
fn lines(connection: &mut Connection, message: Message) -> Result<Vec<Line>, Error> {
    let (tenant, id) = (message.tenant_id, message.id);
    let entries = read::history(connection, id)?;
    let mut lines = read::receipts(connection, &message, &entries)?;
    lines.extend(message.sent_again.iter().map(|attempt| Line {
        at: attempt.created_at,
        what: What::SendAttempt(attempt.clone()),
    }));
    lines.push(Line {
        at: message.created_at,
        what: What::Registered(Box::new(message)),
    });
    lines.extend(entries.into_iter().map(entry_line));
    lines.extend(read::polls(connection, id)?);
    let told = read::events(connection, tenant, id)?;
    let owed = read::deliveries(connection, tenant, &told)?;
    lines.extend(read::attempts(connection, &owed)?);
    lines.extend(owed);
    lines.extend(told);
    Ok(lines)
}

fn entry_line(entry: Entry) -> Line {
    Line {
        at: entry.received_at,
        what: match entry.source {
            Source::Manual => What::Ruling(entry),
            Source::Callback | Source::Poll => What::Report(entry),
        },
    }
}

/// In order; what was in an order before, such as a history, stays in it.
fn newest(mut lines: Vec<Line>) -> Timeline {
    lines.sort_by_key(|line| (line.at, line.what.rank()));
    let beyond = lines.len().saturating_sub(MOST);
    Timeline {
        lines: lines.split_off(beyond),
        is_truncated: beyond > 0,
    }
}
