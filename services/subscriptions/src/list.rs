//! Lists: their query, their cursors, and how a page is shown.

use crate::caller::Caller;
use crate::{Desk, failure, input};
use actix_web::HttpRequest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::TenantId;
use runtime::http::{Code, Problem};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use store::asked::Asked;
use store::page::{Page, Window};
use utoipa::ToSchema;

pub(crate) const DEFAULT_LIMIT: u32 = 50;
pub(crate) const MAX_LIMIT: u32 = 100;
/// What a filter by time takes.
pub(crate) const TIME: &str = "a time in RFC 3339, like 2026-11-23T21:09:00Z";
/// A longer value is no value of ours.
pub(crate) const MAX_VALUE_BYTES: usize = 512;
/// But a URL, which may be as long as one is taken.
pub(crate) const MAX_URL_BYTES: usize = 2048;

/// The shortest beginning that a list is asked for: a shorter one is nearly everything.
const MIN_PREFIX_CHARS: usize = 3;

/// The query of a request, each name at most once.
pub(crate) struct Query {
    values: BTreeMap<String, String>,
    path: String,
}

/// A page of a list, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageView<T> {
    /// What is on it.
    pub data: Vec<T>,
    /// What to ask for the next page with; null on the last one.
    pub next_cursor: Option<String>,
}

impl Query {
    /// Reads the query; a name that is not among `known` is refused.
    pub(crate) fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            let pointer = format!("/{}", domain::text::cut(&name, 128));
            if !known.contains(&name.as_ref()) {
                let names = if known.is_empty() {
                    "nothing".to_owned()
                } else {
                    known.join(", ")
                };
                return Err(input::invalid(
                    pointer,
                    format!("the query may hold {names}"),
                ));
            }
            refuse_too_long(&name, &value)?;
            if values
                .insert(name.into_owned(), value.into_owned())
                .is_some()
            {
                return Err(input::invalid(pointer, "the query names it twice"));
            }
        }
        Ok(Self {
            values,
            path: request.path().to_owned(),
        })
    }

    /// What a body asks for as a list is asked for, by names that were judged. `path` is what its cursors
    /// belong to.
    pub(crate) fn of(values: BTreeMap<String, String>, path: &str) -> Result<Self, Problem> {
        for (name, value) in &values {
            refuse_too_long(name, value)?;
        }
        Ok(Self {
            values,
            path: path.to_owned(),
        })
    }

    /// A value as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A value of a closed set or a form; `allowed` says which.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let value = parse(text).ok_or_else(|| input::invalid(format!("/{name}"), allowed));
        value.map(Some)
    }

    /// A text that is asked for by itself, or, as `name_prefix`, by its beginning; `allowed` says which.
    pub(crate) fn asked(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<String>,
        parse_beginning: impl Fn(&str) -> Option<String>,
        allowed: &str,
    ) -> Result<Option<Asked>, Problem> {
        let prefix = format!("{name}_prefix");
        let pointer = || format!("/{prefix}");
        let exactly = self.parsed(name, parse, allowed)?;
        let Some(beginning) = self.parsed(&prefix, parse_beginning, allowed)? else {
            return Ok(exactly.map(Asked::Exactly));
        };
        if exactly.is_some() {
            let detail = format!("ask for {name} or for {prefix}, not for both");
            return Err(input::invalid(pointer(), detail));
        }
        if beginning.chars().count() < MIN_PREFIX_CHARS {
            let detail = format!("write at least {MIN_PREFIX_CHARS} characters");
            return Err(input::invalid(pointer(), detail));
        }
        Ok(Some(Asked::Beginning(beginning)))
    }

    /// Whose rows are read: the caller's own, or for the operator, with `tenant`, another's.
    pub(crate) async fn tenant(&self, caller: Caller, desk: &Desk) -> Result<TenantId, Problem> {
        let Some(named) = self.text("tenant") else {
            return Ok(caller.tenant);
        };
        if !caller.is_operator {
            return Err(Problem::new(
                Code::Forbidden,
                "only the operator may name a tenant",
            ));
        }
        let tenant: TenantId = named.parse().map_err(|_| failure::not_found("tenant"))?;
        let exists = desk
            .context
            .store
            .has_tenant(tenant)
            .await
            .map_err(failure::of_store)?;
        exists
            .then_some(tenant)
            .ok_or_else(|| failure::not_found("tenant"))
    }

    /// Which page is asked for.
    pub(crate) fn window<K: FromStr>(&self, tenant: TenantId) -> Result<Window<K>, Problem> {
        let before = match self.text("cursor") {
            None => None,
            Some(cursor) => Some(open(cursor, self.binding(tenant)).ok_or_else(|| {
                Problem::new(
                    Code::InvalidCursor,
                    "this cursor is not of this list; begin without one",
                )
            })?),
        };
        Ok(Window {
            before,
            limit: self.limit()?,
        })
    }

    /// How many are asked for at the most.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let limit = self.parsed(
            "limit",
            |text| {
                text.parse()
                    .ok()
                    .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            },
            "a whole number from 1 to 100",
        )?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// The place in a feed that its cursor names; none where it is of no feed, of another tenant's, or of
    /// other filters.
    pub(crate) fn place(&self, cursor: &str, tenant: TenantId) -> Option<i64> {
        open(cursor, self.binding_of_feed(tenant))
    }

    /// The cursor of a place in a feed.
    pub(crate) fn cursor_at(&self, place: i64, tenant: TenantId) -> String {
        seal(place, self.binding_of_feed(tenant))
    }

    /// A page as it is shown, with the cursor of the next.
    pub(crate) fn show<T, K: Display, V>(
        &self,
        tenant: TenantId,
        page: Page<T, K>,
        view: impl FnMut(T) -> V,
    ) -> PageView<V> {
        let next_cursor = page.next.map(|key| self.cursor(tenant, &key));
        PageView {
            data: page.items.into_iter().map(view).collect(),
            next_cursor,
        }
    }

    /// The cursor of what comes after this.
    pub(crate) fn cursor(&self, tenant: TenantId, after: &impl Display) -> String {
        seal(after, self.binding(tenant))
    }

    /// What a cursor belongs to: the tenant, the list and its filters.
    fn binding(&self, tenant: TenantId) -> Binding {
        self.bind(tenant, "", |name| matches!(name, "cursor" | "limit"))
    }

    /// What a cursor of the feed beside the list belongs to.
    fn binding_of_feed(&self, tenant: TenantId) -> Binding {
        let is_paging = |name: &str| matches!(name, "after" | "limit" | "wait");
        self.bind(tenant, "\0feed", is_paging)
    }

    fn bind(&self, tenant: TenantId, what: &str, is_paging: impl Fn(&str) -> bool) -> Binding {
        let mut hash = Sha256::new();
        hash.update(tenant.as_bytes());
        hash.update(&self.path);
        hash.update(what);
        for (name, value) in self.values.iter().filter(|(name, _)| !is_paging(name)) {
            hash.update(format!("\0{name}={value}"));
        }
        let mut binding = [0; 8];
        binding.copy_from_slice(&hash.finalize()[..8]);
        binding
    }
}

fn refuse_too_long(name: &str, value: &str) -> Result<(), Problem> {
    let most = if matches!(name, "url" | "url_prefix") {
        MAX_URL_BYTES
    } else {
        MAX_VALUE_BYTES
    };
    if value.len() > most {
        let pointer = format!("/{}", domain::text::cut(name, 128));
        return Err(input::invalid(pointer, "the value is too long"));
    }
    Ok(())
}

/// What a cursor belongs to, in short.
type Binding = [u8; 8];

fn seal(key: impl Display, binding: Binding) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{key}", hex::encode(binding)))
}

fn open<K: FromStr>(cursor: &str, binding: Binding) -> Option<K> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (bound, key) = text.split_once('.')?;
    (bound == hex::encode(binding))
        .then(|| key.parse().ok())
        .flatten()
}
