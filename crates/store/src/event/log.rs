//! The log: a tenant's events by what they are, newest first.

use super::{EventRow, Kept, LOOKED_AT, MESSAGE, message_of};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::page::{Page, Window};
use crate::schema::events;
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
use domain::Timestamp;
use domain::account::Environment;
use domain::event::Resource;
use domain::id::{MessageId, TenantId};
use std::time::Duration;

/// How far the order in which events were written may be off from the order of their times: a process
/// takes the time before it writes, and clocks differ.
const DISORDER: Duration = Duration::from_mins(10);

/// Which of a tenant's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this type.
    pub event_type: Option<String>,
    /// Of types that begin with each of these.
    pub beginnings: Vec<String>,
    /// About this.
    pub about: Option<About>,
    /// Of this environment.
    pub environment: Option<Environment>,
    /// At or after this; a feed has no such bounds.
    pub after: Option<Timestamp>,
    /// Before this.
    pub before: Option<Timestamp>,
}

/// What events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A message.
    Message(MessageId),
    /// Anything else, by its kind and id.
    Other {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
    },
    /// Anything of a kind.
    Kind(String),
}

impl About {
    /// What is called so: a kind, or one of that kind.
    pub fn new(kind: String, id: Option<String>) -> Self {
        let Some(id) = id else {
            return Self::Kind(kind);
        };
        let resource = Resource {
            kind,
            id,
            data: None,
        };
        match message_of(&resource) {
            Some(message) => Self::Message(message),
            None => Self::Other {
                kind: resource.kind,
                id: resource.id,
            },
        }
    }
}

impl Filter {
    /// Whether it leaves events out that no index leaves out.
    fn is_narrow(&self) -> bool {
        let by_resource = matches!(self.about, Some(About::Message(_) | About::Other { .. }));
        matches!(self.about, Some(About::Kind(_)))
            || (by_resource && self.event_type.is_some())
            || !self.beginnings.is_empty()
            || self.environment.is_some()
            || self.after.is_some()
            || self.before.is_some()
    }

    /// Whether it leaves any event out.
    pub(super) const fn is_any(&self) -> bool {
        self.event_type.is_some()
            || self.about.is_some()
            || !self.beginnings.is_empty()
            || self.environment.is_some()
    }
}

/// What all that begin with a text are like. Types have no other sign that means something there.
pub(super) fn like(beginning: &str) -> String {
    beginning
        .replace('\\', "\\\\")
        .replace('_', "\\_")
        .replace('%', "\\%")
        + "%"
}

/// Narrows a boxed query to the events that are asked for, whatever their times. As no index could: whoever
/// asks has chosen his way already, and of an index that leaves more out all would be read and sorted.
macro_rules! narrow {
    ($query:ident, $filter:expr) => {
        if let Some(event_type) = &$filter.event_type {
            $query = $query.filter(events::event_type.concat("").eq(event_type.clone()));
        }
        match &$filter.about {
            None => {}
            Some(About::Message(id)) => {
                $query = $query.filter(events::message_id.eq(Uid::from(*id)));
            }
            Some(About::Other { kind, id }) => {
                $query = $query.filter(events::resource_type.concat("").eq(kind.clone()));
                $query = $query.filter(events::resource_id.concat("").eq(id.clone()));
            }
            Some(About::Kind(kind)) => {
                let is_kind = events::resource_type.concat("").eq(kind.clone());
                let is_kind = is_kind.assume_not_null();
                $query = if kind == MESSAGE {
                    $query.filter(events::message_id.is_not_null().or(is_kind))
                } else {
                    $query.filter(is_kind)
                };
            }
        }
        for beginning in &$filter.beginnings {
            $query = $query.filter(events::event_type.like(like(beginning)).escape('\\'));
        }
        if let Some(environment) = &$filter.environment {
            $query = $query.filter(events::environment.eq(environment.to_string()));
        }
    };
}

pub(super) use narrow;

/// What an index leads to of what is asked for: within these positions, of this resource or this type.
macro_rules! way {
    ($tenant:expr, $filter:expr, $span:expr) => {{
        let mut query = events::table
            .filter(events::tenant_id.eq(Uid::from($tenant)))
            .into_boxed();
        match (&$filter.about, &$filter.event_type) {
            (Some(About::Message(id)), _) => {
                query = query.filter(events::message_id.eq(Uid::from(*id)));
            }
            (Some(About::Other { kind, id }), _) => {
                query = query.filter(events::resource_type.eq(kind.clone()));
                query = query.filter(events::resource_id.eq(id.clone()));
            }
            (_, Some(event_type)) => {
                query = query.filter(events::event_type.eq(event_type.clone()));
            }
            (None | Some(About::Kind(_)), None) => {}
        }
        if let Some(after) = $span.after {
            query = query.filter(events::position.gt(after));
        }
        if let Some(before) = $span.before {
            query = query.filter(events::position.lt(before));
        }
        query
    }};
}

impl Store {
    /// A tenant's events, newest first. Looks at a bounded number of them: a page may have fewer than
    /// asked for, or none, and yet not be the last.
    pub async fn list_events(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<i64>,
    ) -> Result<Page<Kept, i64>, Error> {
        self.read(move |connection| list(connection, tenant, &filter, &window))
            .await
    }
}

fn list(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    window: &Window<i64>,
) -> Result<Page<Kept, i64>, Error> {
    let span = Span::of(connection, filter, window.before)?;
    let floor = if filter.is_narrow() {
        floor(connection, tenant, filter, span)?
    } else {
        None
    };
    let rows: Vec<EventRow> = each!(connection, c => {
        let mut query = way!(tenant, filter, span)
            .order(events::position.desc())
            .limit(window.reach())
            .select(EventRow::as_select());
        narrow!(query, filter);
        if let Some(after) = filter.after {
            query = query.filter(events::created_at.ge(Moment::from(after)));
        }
        if let Some(before) = filter.before {
            query = query.filter(events::created_at.lt(Moment::from(before)));
        }
        if let Some(floor) = floor {
            query = query.filter(events::position.ge(floor));
        }
        query.load(c)
    })?;
    let kept = rows.into_iter().map(Kept::try_from);
    let page = window.page(kept.collect::<Result<_, _>>()?, |kept: &Kept| kept.position);
    Ok(Page {
        next: page.next.or(floor),
        ..page
    })
}

/// Positions between which all is that is asked for.
#[derive(Debug, Clone, Copy)]
struct Span {
    after: Option<i64>,
    before: Option<i64>,
}

impl Span {
    fn of(
        connection: &mut Connection,
        filter: &Filter,
        before: Option<i64>,
    ) -> Result<Self, Error> {
        let after = match filter.after {
            None => None,
            Some(after) => last_before(connection, after.minus(DISORDER))?,
        };
        let end = match filter.before {
            None => None,
            Some(before) => first_from(connection, before.plus(DISORDER))?,
        };
        let before = before.into_iter().chain(end).min();
        Ok(Self { after, before })
    }
}

/// The position of the last event of anybody before a time: ids begin with theirs.
fn last_before(connection: &mut Connection, time: Timestamp) -> Result<Option<i64>, Error> {
    Ok(each!(connection, c => events::table
        .filter(events::id.lt(Uid::first_of(time)))
        .order(events::id.desc())
        .select(events::position)
        .first(c)
        .optional())?)
}

/// The position of the first event of anybody from a time on.
fn first_from(connection: &mut Connection, time: Timestamp) -> Result<Option<i64>, Error> {
    Ok(each!(connection, c => events::table
        .filter(events::id.ge(Uid::first_of(time)))
        .order(events::id)
        .select(events::position)
        .first(c)
        .optional())?)
}

/// The position of the last event that is looked at; none where there are not so many.
fn floor(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    span: Span,
) -> Result<Option<i64>, Error> {
    Ok(each!(connection, c => way!(tenant, filter, span)
        .order(events::position.desc())
        .offset(LOOKED_AT - 1)
        .limit(1)
        .select(events::position)
        .first(c)
        .optional())?)
}
