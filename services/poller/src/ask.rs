//! One request to a provider: when its turn is, under which lease, with which token; and its answer, whole.

use crate::Context;
use crate::account::Api;
use crate::held::Held;
use crate::memory::Memory;
use domain::id::AccountId;
use domain::retry::parse_retry_after;
use egress::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method};
use providers::ask::{Reply, Request, Token, Unanswered};
use std::time::Duration;

/// How long a request may take, from connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What is left of a lease after the longest request, to record it.
const MARGIN: Duration = Duration::from_secs(5);

/// Who asks.
pub(crate) struct Asker<'a> {
    pub(crate) context: &'a Context,
    pub(crate) held: &'a Held,
    pub(crate) account_id: AccountId,
    pub(crate) api: &'a Api,
    pub(crate) memory: &'a mut Memory,
}

/// Why there is no answer.
pub(crate) enum Failed {
    /// The provider's fault, or its way of saying no.
    Unanswered(Unanswered),
    /// Nobody was asked.
    Stop(Stop),
}

/// Why a turn ends before its time.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The process drains.
    Draining,
    /// Somebody else has the lease.
    Lost,
    /// It is our own fault: the store or the broker is away.
    Ours(String),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Ours(error.to_string())
    }
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Unanswered> for Failed {
    fn from(unanswered: Unanswered) -> Self {
        Self::Unanswered(unanswered)
    }
}

impl Asker<'_> {
    /// The token that requests need, fetched where there is none that is fresh; none where they need none.
    pub(crate) async fn token(&mut self) -> Result<Option<Token>, Failed> {
        let Some(status) = self.api.status else {
            return Ok(None);
        };
        let Some(request) = status.token_request(&self.api.access) else {
            return Ok(None);
        };
        if let Some(token) = self.memory.token(self.context.clock.now()) {
            return Ok(Some(token));
        }
        let response = self.send(request).await?;
        let token = status
            .read_token(reply(&response))
            .map_err(|unanswered| self.with_wait(unanswered, &response))?;
        self.memory
            .keep_token(token.clone(), self.context.clock.now());
        Ok(Some(token))
    }

    /// Sends a request when its turn is, and not without a lease that holds until it is answered.
    pub(crate) async fn send(&mut self, request: Request) -> Result<Response, Failed> {
        self.wait().await?;
        if !self.held.holds_for(self.account_id, TIMEOUT + MARGIN) {
            return Err(Stop::Lost.into());
        }
        let request = self.outgoing(request)?;
        let sent = self.context.client.send(request, TIMEOUT).await;
        let response = sent
            .result
            .map_err(|failure| Unanswered::Unavailable(failure.to_string()))?;
        if response.truncated {
            let detail = format!("it is longer than {} bytes", crate::MAX_ANSWER_BYTES);
            return Err(Unanswered::Unreadable(detail).into());
        }
        Ok(response)
    }

    /// What a provider says about waiting, in either of the forms it may be written in.
    pub(crate) fn with_wait(&self, unanswered: Unanswered, response: &Response) -> Unanswered {
        let Unanswered::SlowDown { retry_after: None } = unanswered else {
            return unanswered;
        };
        let header = header(response, &RETRY_AFTER);
        let now = self.context.clock.now();
        Unanswered::SlowDown {
            retry_after: header.and_then(|value| parse_retry_after(value, now)),
        }
    }

    async fn wait(&mut self) -> Result<(), Stop> {
        let shutdown = &self.context.shutdown;
        loop {
            if shutdown.is_draining() {
                return Err(Stop::Draining);
            }
            let now = self.context.clock.now();
            let Some(wait) = self.memory.wait(self.api.per_second, now) else {
                return Ok(());
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.draining() => return Err(Stop::Draining),
            }
        }
    }

    fn outgoing(&self, request: Request) -> Result<egress::Request, Unanswered> {
        let unsendable = || Unanswered::Unreadable("the request cannot be written".to_owned());
        let mut headers = HeaderMap::new();
        let agent = format!("Tidings/{}", self.context.version);
        headers.insert(
            USER_AGENT,
            HeaderValue::from_str(&agent).map_err(|_| unsendable())?,
        );
        for (name, value) in request.headers {
            let mut value = HeaderValue::from_str(&value).map_err(|_| unsendable())?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
            headers.insert(name, value);
        }
        Ok(egress::Request {
            method: Method::from_bytes(request.method.as_bytes()).map_err(|_| unsendable())?,
            destination: request.url.into(),
            headers,
            body: request.body.into(),
        })
    }
}

/// An answer, as providers read it.
pub(crate) fn reply(response: &Response) -> Reply<'_> {
    Reply {
        status: response.status,
        content_type: header(response, &CONTENT_TYPE),
        retry_after: header(response, &RETRY_AFTER),
        body: &response.body,
    }
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers.get(name)?.to_str().ok()
}
