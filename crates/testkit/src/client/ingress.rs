//! A client of the ingress.

use super::{Answer, Caller};
use serde_json::Value;
use std::borrow::Borrow;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Posts callbacks as a provider does. Paths begin with a slash and may have a query. Where no answer
/// comes, all calls but `try_request` panic.
#[derive(Clone)]
pub struct Ingress {
    caller: Caller,
}

impl Ingress {
    /// `base_url` is that of the ingress's listener, or of any other that is called without a key.
    pub fn new(base_url: &str) -> Self {
        Self {
            caller: Caller::new(base_url),
        }
    }

    /// Without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.caller.base_url()
    }

    /// POST of a form that is encoded already.
    pub async fn post_form(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.post_raw(path, &[("content-type", FORM)], body).await
    }

    /// POST of JSON.
    pub async fn post_json(&self, path: &str, body: impl Borrow<Value>) -> Answer {
        let body = body.borrow().to_string();
        self.post_raw(path, &[("content-type", JSON)], body).await
    }

    /// POST with no other header than these.
    pub async fn post_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.request("POST", path, headers, body).await
    }

    /// Any request.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.caller.call(method, path, headers, body.into()).await
    }

    /// Any request to a system that may be away: an error is a sentence on why no answer came.
    pub async fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, String> {
        self.caller
            .try_call(method, path, headers, body.into())
            .await
    }
}
