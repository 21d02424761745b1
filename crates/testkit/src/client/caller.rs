//! One HTTP client for all of it.

use super::Answer;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// The longest that anything under test may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Shorter than what servers keep an idle connection for, or a request would now and then meet a
/// connection that is being closed.
const IDLE: Duration = Duration::from_secs(2);

/// Sends requests to one base URL and follows no redirects.
#[derive(Clone)]
pub(crate) struct Caller {
    base_url: String,
    client: Client,
}

impl Caller {
    pub(crate) fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            client: client(),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The answer, or a sentence on why none came.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let about = format!("{method} {}{path}", self.base_url);
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.base_url));
        for header in headers {
            request = with_header(request, header)?;
        }
        if !body.is_empty() || !matches!(method, Method::GET | Method::HEAD | Method::DELETE) {
            request = request.body(body);
        }
        let read = async { read(request.send().await?, about.clone()).await };
        read.await
            .map_err(|error| format!("{about}: {}", causes(&error)))
    }

    /// The answer.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        match self.try_call(method, path, headers, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// `headers` with `default`, unless it is among them.
pub(super) fn with_default<'a>(
    headers: &[(&'a str, &'a str)],
    default: (&'a str, &'a str),
) -> Vec<(&'a str, &'a str)> {
    let is_given = |&(name, _): &(&str, &str)| name.eq_ignore_ascii_case(default.0);
    let mut headers = headers.to_vec();
    if !headers.iter().any(is_given) {
        headers.push(default);
    }
    headers
}

/// Built without certificates: nothing here is asked over TLS.
#[expect(
    clippy::disallowed_methods,
    reason = "it asks the system under test and never a tenant"
)]
fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .tls_certs_only([])
        .redirect(Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE)
        .build();
    match client {
        Ok(client) => client,
        Err(error) => panic!("cannot make an HTTP client: {}", causes(&error)),
    }
}

fn with_header(
    request: RequestBuilder,
    (name, value): &(&str, &str),
) -> Result<RequestBuilder, String> {
    let refused = |why: String| format!("the header {name} cannot be sent: {why}");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|why| refused(why.to_string()))?;
    let value =
        HeaderValue::from_bytes(value.as_bytes()).map_err(|why| refused(why.to_string()))?;
    Ok(request.header(name, value))
}

async fn read(response: reqwest::Response, request: String) -> Result<Answer, reqwest::Error> {
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    let body = response.bytes().await?;
    Ok(Answer {
        status,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        text: String::from_utf8_lossy(&body).into_owned(),
        request,
    })
}

/// An error with what caused it, and what caused that.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
