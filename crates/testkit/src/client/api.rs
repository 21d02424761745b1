//! A client of the API.

use super::caller::with_default;
use super::{Answer, Caller};
use crate::eventually::eventually_at;
use serde_json::Value;
use std::borrow::Borrow;
use std::panic::Location;
use std::time::Duration;

/// The content type of a body unless another is given.
const JSON: (&str, &str) = ("content-type", "application/json");

/// Calls the API with a key. Paths begin with a slash and may have a query. Whatever the status, an
/// answer is an [`Answer`]; where none comes, all calls but `try_post` panic.
#[derive(Clone)]
pub struct Api {
    caller: Caller,
    /// The value of `authorization`.
    authorization: Option<String>,
}

impl Api {
    /// `base_url` is that of the API's listener; `key` a tenant's key or the admin key.
    pub fn new(base_url: &str, key: &str) -> Self {
        Self::anonymous(base_url).with_key(key)
    }

    /// Without a key.
    pub fn anonymous(base_url: &str) -> Self {
        Self {
            caller: Caller::new(base_url),
            authorization: None,
        }
    }

    /// The same API with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            caller: self.caller.clone(),
            authorization: Some(format!("Bearer {key}")),
        }
    }

    /// The API of another process, with the same key.
    #[must_use]
    pub fn at(&self, base_url: &str) -> Self {
        Self {
            caller: Caller::new(base_url),
            authorization: self.authorization.clone(),
        }
    }

    /// Without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.caller.base_url()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], []).await
    }

    /// DELETE, without a body.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, &[], []).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: impl Borrow<Value>) -> Answer {
        self.post_with_headers(path, &[], body).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: impl Borrow<Value>) -> Answer {
        let body = body.borrow().to_string();
        self.request("PUT", path, &[JSON], body).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: impl Borrow<Value>) -> Answer {
        let body = body.borrow().to_string();
        self.request("PATCH", path, &[JSON], body).await
    }

    /// POST with headers, such as `idempotency-key`. One that is usually added is replaced.
    pub async fn post_with_headers(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Borrow<Value>,
    ) -> Answer {
        let body = body.borrow().to_string();
        self.post_bytes(path, headers, body).await
    }

    /// POST of a body that need not be JSON, as `application/json` unless the headers say otherwise.
    pub async fn post_bytes(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let headers = with_default(headers, JSON);
        self.request("POST", path, &headers, body).await
    }

    /// POST to a system that may be away: an error is a sentence on why no answer came.
    pub async fn try_post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Borrow<Value>,
    ) -> Result<Answer, String> {
        let headers = self.authorized(headers);
        let headers = with_default(&headers, JSON);
        let body = body.borrow().to_string().into_bytes();
        self.caller.try_call("POST", path, &headers, body).await
    }

    /// Any request, with the key and no other header than these. A header `authorization` replaces
    /// that of the key.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let headers = self.authorized(headers);
        self.caller.call(method, path, &headers, body.into()).await
    }

    /// The body of GET, once it is a 200 whose body is as wanted.
    ///
    /// # Panics
    ///
    /// When it is not `within` the time: with the last answer.
    #[track_caller]
    pub fn get_until(
        &self,
        path: &str,
        wanted: impl FnMut(&Value) -> bool,
        within: Duration,
    ) -> impl Future<Output = Value> {
        self.look_until(Location::caller(), path, wanted, within)
    }

    async fn look_until(
        &self,
        asked_at: &Location<'_>,
        path: &str,
        mut wanted: impl FnMut(&Value) -> bool,
        within: Duration,
    ) -> Value {
        let what = format!("GET {path} is as wanted");
        eventually_at(asked_at, &what, within, async || {
            let answer = self.get(path).await;
            if answer.status == 200 && wanted(&answer.body) {
                Ok(answer.body)
            } else {
                Err(answer)
            }
        })
        .await
    }

    fn authorized<'a>(&'a self, headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        match &self.authorization {
            Some(value) => with_default(headers, ("authorization", value)),
            None => headers.to_vec(),
        }
    }
}
