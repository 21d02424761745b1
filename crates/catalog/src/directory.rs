//! The directory: types, schemas and conversions in memory, so that publishing asks the store nothing
//! most of the time.
//!
//! A version never changes and is kept as long as there is room. What may change of a type (its newest
//! version, whether it is archived) is remembered for [`REMEMBERED`]. What is not known is asked for each
//! time, and never remembered: a type or a version can be used on every node from the moment its 201 was
//! answered, however often somebody tried before.

use crate::built_in;
use crate::converter::{Converter, Unconvertible};
use crate::fault::Fault;
use crate::schema::Schema;
use domain::id::TenantId;
use domain::json::Raw;
use domain::{Clock, Remembered, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use store::event_type::{EventType, Version};

/// How long what may change of a type is remembered.
const REMEMBERED: Duration = Duration::from_secs(2);
const MOST_REMEMBERED: usize = 10_000;
/// How many bytes of schemas are kept ready; beyond it the directory starts afresh.
const MOST_SCHEMA_BYTES: usize = 16 * 1024 * 1024;
const MOST_CONVERSIONS: usize = 1_000;

/// Types in memory. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Directory {
    store: Store,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

/// Which type and version somebody means.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Whose types count.
    pub tenant: TenantId,
    /// The name.
    pub name: &'a str,
    /// The version; none for the newest.
    pub version: Option<u32>,
}

/// What that is.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// There is no such type.
    Unknown,
    /// It was archived.
    Archived,
    /// It has no such version.
    NoVersion {
        /// The newest.
        newest: u32,
    },
    /// This.
    Version {
        /// Its number.
        number: u32,
        /// The schema of its data.
        schema: Arc<Schema>,
    },
}

/// How data of one version becomes data of another.
#[derive(Debug)]
pub struct Conversion {
    steps: Vec<Converter>,
    target: Arc<Schema>,
}

/// Why data was not converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConverted {
    /// An operation cannot be done.
    #[error(transparent)]
    Unconvertible(#[from] Unconvertible),
    /// What came of it is not as the version says.
    #[error("it would not be valid at {:?}: {}", .0.pointer, .0.detail)]
    Invalid(Fault),
}

struct Known {
    types: Remembered<(TenantId, String), EventType>,
    schemas: HashMap<(TenantId, String, u32), Arc<Schema>>,
    schema_bytes: usize,
    conversions: HashMap<(TenantId, String, u32, u32), Arc<Conversion>>,
}

impl Known {
    fn new() -> Self {
        Self {
            types: Remembered::new(MOST_REMEMBERED),
            schemas: HashMap::new(),
            schema_bytes: 0,
            conversions: HashMap::new(),
        }
    }
}

impl Directory {
    /// An empty one.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            known: Arc::new(Mutex::new(Known::new())),
        }
    }

    /// Finds a type and its version.
    pub async fn find(&self, wanted: Wanted<'_>) -> Result<Chosen, store::Error> {
        if let Some(shipped) = built_in::find(wanted.name) {
            if wanted
                .version
                .is_some_and(|number| number != built_in::VERSION)
            {
                return Ok(Chosen::NoVersion {
                    newest: built_in::VERSION,
                });
            }
            let compiled = shipped.compiled();
            return Ok(Chosen::Version {
                number: built_in::VERSION,
                schema: compiled.map_err(|_| unreadable(wanted.name))?,
            });
        }
        let Some(mut found) = self.type_of(wanted).await? else {
            return Ok(Chosen::Unknown);
        };
        if wanted.version.is_some_and(|number| number > found.newest) {
            // It may just have been added.
            self.forget(wanted.name);
            let Some(again) = self.type_of(wanted).await? else {
                return Ok(Chosen::Unknown);
            };
            found = again;
        }
        let (newest, is_archived) = (found.newest, found.is_archived);
        if is_archived {
            return Ok(Chosen::Archived);
        }
        let number = wanted.version.unwrap_or(newest);
        let schema = self.schema_of(&found, number).await?;
        Ok(
            schema.map_or(Chosen::NoVersion { newest }, |schema| Chosen::Version {
                number,
                schema,
            }),
        )
    }

    /// Learns many types at once, each with its newest version, so that [`Self::find`] asks for none of them soon
    /// after; those that there are not.
    pub async fn learn(
        &self,
        mut asked: HashSet<(TenantId, String)>,
    ) -> Result<HashSet<(TenantId, String)>, store::Error> {
        let now = self.clock.now();
        {
            let known = self.known();
            let is_known = |key: &(TenantId, String)| known.types.get(key, now).is_some();
            asked.retain(|key| built_in::find(&key.1).is_none() && !is_known(key));
        }
        if asked.is_empty() {
            return Ok(asked);
        }
        for (tenant, found, newest) in self.store.event_types_of_many(asked.clone()).await? {
            self.keep_schema(&found, &newest)?;
            let key = (tenant, found.name.clone());
            asked.remove(&key);
            self.remember(key, found, now);
        }
        Ok(asked)
    }

    /// How data of a tenant's type becomes data of another of its versions; none where one of them is
    /// not there.
    pub async fn conversion(
        &self,
        of: Wanted<'_>,
        from: u32,
        to: u32,
    ) -> Result<Option<Arc<Conversion>>, store::Error> {
        let Some(found) = self.type_of(of).await? else {
            return Ok(None);
        };
        let (owner, name) = (found.owner, found.name.clone());
        let key = (owner, name.clone(), from, to);
        if let Some(known) = self.known().conversions.get(&key) {
            return Ok(Some(known.clone()));
        }
        let (least, most) = (from.min(to), from.max(to));
        let versions = self
            .store
            .event_type_versions(owner, name, least, most)
            .await?;
        let is_whole = usize::try_from(most - least).is_ok_and(|steps| versions.len() == steps + 1);
        let Some(target) = self.schema_of(&found, to).await?.filter(|_| is_whole) else {
            return Ok(None);
        };
        let conversion = Arc::new(Conversion {
            steps: steps(&versions, from < to).ok_or_else(|| unreadable(&found.name))?,
            target,
        });
        let mut known = self.known();
        if known.conversions.len() >= MOST_CONVERSIONS {
            known.conversions.clear();
        }
        known.conversions.insert(key, conversion.clone());
        Ok(Some(conversion))
    }

    /// Forgets what may have changed of the types of this name.
    pub fn forget(&self, name: &str) {
        self.known().types.retain(|(_, known)| known != name);
    }

    async fn type_of(&self, wanted: Wanted<'_>) -> Result<Option<EventType>, store::Error> {
        let key = (wanted.tenant, wanted.name.to_owned());
        let now = self.clock.now();
        if let Some(known) = self.known().types.get(&key, now) {
            return Ok(Some(known.clone()));
        }
        let found = self.store.find_event_type(key.0, key.1.clone()).await?;
        if let Some(found) = &found {
            self.remember(key, found.clone(), now);
        }
        Ok(found)
    }

    fn remember(&self, key: (TenantId, String), found: EventType, now: Timestamp) {
        let until = now.plus(REMEMBERED);
        self.known().types.note(key, found, until, now);
    }

    async fn schema_of(
        &self,
        of: &EventType,
        number: u32,
    ) -> Result<Option<Arc<Schema>>, store::Error> {
        let key = (of.owner, of.name.clone(), number);
        if let Some(known) = self.known().schemas.get(&key) {
            return Ok(Some(known.clone()));
        }
        let store = &self.store;
        let found = store.find_event_type_version(of.owner, of.name.clone(), number);
        let Some(version) = found.await? else {
            return Ok(None);
        };
        self.keep_schema(of, &version).map(Some)
    }

    fn keep_schema(&self, of: &EventType, version: &Version) -> Result<Arc<Schema>, store::Error> {
        let key = (of.owner, of.name.clone(), version.number);
        if let Some(known) = self.known().schemas.get(&key) {
            return Ok(known.clone());
        }
        let schema = Schema::parse(&version.schema).map_err(|_| unreadable(&of.name))?;
        let schema = Arc::new(schema);
        let bytes = version.schema.as_str().len();
        let mut known = self.known();
        if known.schema_bytes + bytes > MOST_SCHEMA_BYTES {
            known.schemas.clear();
            known.conversions.clear();
            known.schema_bytes = 0;
        }
        known.schema_bytes += bytes;
        known.schemas.insert(key, schema.clone());
        Ok(schema)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conversion {
    /// Converts data, and sees that it is as the version that it becomes says.
    pub fn convert(&self, data: &Raw) -> Result<Raw, NotConverted> {
        let mut converted = data.clone();
        for step in &self.steps {
            converted = step.convert(&converted)?;
        }
        match self.target.check(&converted) {
            Ok(()) => Ok(converted),
            Err(faults) => {
                let first = faults.into_iter().next();
                Err(NotConverted::Invalid(
                    first.unwrap_or_else(|| Fault::new("", "it is not valid")),
                ))
            }
        }
    }

    /// Whether converting so many bytes may take so long that nobody else should wait behind it.
    pub fn takes_long(&self, bytes: usize) -> bool {
        self.target.takes_long(bytes)
    }
}

/// The converters from the first of these versions to the last, or back.
fn steps(versions: &[Version], is_up: bool) -> Option<Vec<Converter>> {
    let written = |version: &Version| {
        let text = if is_up {
            &version.upgrade
        } else {
            &version.downgrade
        };
        text.clone()
    };
    let mut texts: Vec<Raw> = versions.iter().skip(1).filter_map(written).collect();
    if !is_up {
        texts.reverse();
    }
    let read = |text: &Raw| Converter::parse(text).ok();
    texts.iter().map(read).collect()
}

/// What was judged when it was added cannot be read: another release did that.
fn unreadable(name: &str) -> store::Error {
    store::Error::unreadable(format!(
        "a version of the event type {name} that cannot be read"
    ))
}
