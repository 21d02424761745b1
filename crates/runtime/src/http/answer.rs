//! What every answer of a listener has in common, whoever made it.

use super::Problem;
use super::alias::{self, Alias};
use super::cors::Cors;
use super::problem::is_json;
use super::request_id::{self, RequestId};
use crate::tasks;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::FutureExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::any::Any;
use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

/// A longer path is not repeated in a problem.
const MAX_INSTANCE_BYTES: usize = 1_024;

/// What one worker of a listener needs to finish its answers.
pub(super) struct Answers {
    random: RefCell<StdRng>,
    tells_path: bool,
    aliases: &'static [Alias],
    cors: Cors,
}

impl Answers {
    #[expect(
        clippy::disallowed_methods,
        reason = "request ids decide nothing; each worker is seeded by the operating system"
    )]
    pub(super) fn new(tells_path: bool, aliases: &'static [Alias], cors: Cors) -> Self {
        Self {
            random: RefCell::new(StdRng::from_rng(&mut rand::rng())),
            tells_path,
            aliases,
            cors,
        }
    }

    /// Gives the request an id, has it answered, and finishes the answer. A problem tells the path as it
    /// was asked for.
    pub(super) async fn answer(
        &self,
        mut request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let id = RequestId::of(request.headers(), &mut *self.random.borrow_mut());
        let path = self.instance(request.path());
        let (cors, origin) = (self.cors.clone(), self.cors.allowed(request.headers()));
        if let Some(answer) = self.cors.preflight(&request) {
            let mut answer = finish(answer, &id, None);
            cors.tell(origin, answer.headers_mut());
            return Ok(request.into_response(answer));
        }
        alias::resolve(&mut request, self.aliases);
        request.extensions_mut().insert(id.clone());
        let answered = AssertUnwindSafe(next.call(request)).catch_unwind().await;
        match answered.unwrap_or_else(|panic| Err(panicked(&*panic, &id))) {
            Ok(answered) => {
                let (request, response) = answered.into_parts();
                let mut response = finish(response, &id, path.as_deref());
                cors.tell(origin, response.headers_mut());
                Ok(ServiceResponse::new(request, response))
            }
            Err(mut error) => {
                error.add_response_mapper(move |response| {
                    let mut response = finish(response, &id, path.as_deref());
                    cors.tell(origin.clone(), response.headers_mut());
                    response
                });
                Err(error)
            }
        }
    }

    fn instance(&self, path: &str) -> Option<String> {
        (self.tells_path && path.len() <= MAX_INSTANCE_BYTES).then(|| path.to_owned())
    }
}

/// Somebody's bug costs its own request, which still gets an answer.
fn panicked(panic: &(dyn Any + Send), id: &RequestId) -> Error {
    let panic = tasks::message(panic);
    tracing::error!(
        request.id = id.as_str(),
        panic,
        "a request's handler panicked"
    );
    Problem::for_status(StatusCode::INTERNAL_SERVER_ERROR).into()
}

fn finish(
    mut response: HttpResponse<BoxBody>,
    id: &RequestId,
    instance: Option<&str>,
) -> HttpResponse<BoxBody> {
    if response.status().is_client_error() || response.status().is_server_error() {
        response = as_problem(response, id, instance);
    }
    response
        .headers_mut()
        .insert(request_id::HEADER, id.to_header());
    response
}

/// Tells the path in our own problems, and makes problems of what the HTTP library answers by itself.
fn as_problem(
    mut response: HttpResponse<BoxBody>,
    id: &RequestId,
    instance: Option<&str>,
) -> HttpResponse<BoxBody> {
    let known = response.extensions_mut().remove::<Problem>();
    match known {
        Some(problem) if instance.is_some() => problem.write(response, instance),
        Some(_) => response,
        None if is_json(&response) => response,
        None => {
            if let Some(error) = response
                .error()
                .filter(|_| response.status().is_server_error())
            {
                tracing::error!(request.id = id.as_str(), %error, "a request failed");
            }
            Problem::for_status(response.status()).write(response, instance)
        }
    }
}
