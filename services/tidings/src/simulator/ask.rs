//! The provider's own API: tokens, what became of messages, what phones sent. And its faults.

use super::Simulator;
use super::imitation::{Asking, Call, Shown, Told, What};
use super::world::{Drawn, FromPhone, Message, World};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, RETRY_AFTER};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::{Random, Timestamp};
use percent_encoding::percent_decode_str;
use runtime::http::{Problem, not_found, read_body};
use serde_json::{Value, json};
use std::time::Duration;

/// The most that a request may have, and how long it may take.
const MAX_BODY_BYTES: usize = 64 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);
/// How many messages of phones an answer has.
const PAGE: usize = 100;
/// How long somebody who asks too much has to wait.
const WAIT_SECONDS: &str = "1";

const PAGE_OF_HTML: &str = "<!doctype html><html><head><title>Service</title></head><body><h1>Maintenance</h1></body></html>";

/// An answer of the API.
struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
}

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes.route("/{any:.*}", web::to(ask));
}

async fn ask(
    simulator: Data<Simulator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = read_body(payload, MAX_BODY_BYTES, DEADLINE).await?;
    let asking = asking(&request, &body);
    match simulator.answer(&asking) {
        None => Err(not_found().await),
        Some(answer) => Ok(written(answer)),
    }
}

fn written(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status);
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if matches!(answer.status, 429 | 503) {
        response.insert_header((RETRY_AFTER, WAIT_SECONDS));
    }
    response.content_type(answer.content_type).body(answer.body)
}

fn asking(request: &HttpRequest, body: &[u8]) -> Asking {
    let header = |name: &str| {
        let value = request.headers().get(name);
        let text = value.and_then(|value| value.to_str().ok());
        text.unwrap_or_default().to_owned()
    };
    let pairs = |bytes: &[u8]| form_urlencoded::parse(bytes).into_owned().collect();
    // As it came: a segment may have an escaped slash.
    let path = request.uri().path().trim_start_matches('/').split('/');
    let decoded = |segment| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    Asking {
        method: request.method().to_string(),
        path: path.map(decoded).collect(),
        query: pairs(request.query_string().as_bytes()),
        form: pairs(body),
        authorization: header(AUTHORIZATION.as_str()),
        apikey: header("apikey"),
    }
}

impl Simulator {
    /// What is answered; none where the provider has no such address.
    fn answer(&self, asking: &Asking) -> Option<Answer> {
        let mut world = self.world();
        let call = self.imitation.recognise(asking)?;
        world.requests.all += 1;
        let random = world.random(Drawn::Request);
        let now = self.clock.now();
        if let Some(fault) = fault(&mut world, &random, self.imitation.error()) {
            return Some(fault);
        }
        if !self.is_allowed(&world, &call, now) {
            world.requests.unauthorized += 1;
            return Some(Answer::json(401, &self.imitation.error()));
        }
        Some(match &call.what {
            What::Token => grant(&mut world, &random, now),
            What::Status(ids) => self.tell(&mut world, ids, asking, &random, now),
            What::Inbox(after) => self.inbox(&world, *after, now),
        })
    }

    fn is_allowed(&self, world: &World, call: &Call, now: Timestamp) -> bool {
        if world.settings.refuse_credentials {
            return false;
        }
        let is =
            |wanted: &Option<String>, shown: &str| wanted.as_deref().is_none_or(|it| it == shown);
        match &call.shown {
            Shown::Nothing => false,
            Shown::Token(token) => world.holds(token, now),
            Shown::Pair(user, secret) => {
                let is_user = user.is_empty() || is(&self.api_user, user);
                !secret.is_empty() && is_user && is(&self.api_secret, secret)
            }
        }
    }

    fn tell(
        &self,
        world: &mut World,
        ids: &[String],
        asking: &Asking,
        random: &Random,
        now: Timestamp,
    ) -> Answer {
        world.requests.questions += 1;
        let settings = world.settings.clone();
        if settings.error_body.happens(random) {
            world.requests.error_bodies += 1;
            return Answer::json(200, &self.imitation.error());
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            match world.ask(id) {
                Some(message) => found.push(told(message, now)),
                None => missing.push(id.clone()),
            }
        }
        if settings.wrong_message.happens(random)
            && let Some(told) = found.first_mut()
        {
            world.requests.wrong_messages += 1;
            self.mistake(&mut told.message, random);
        }
        let Some(mut answer) = self.imitation.answer(&found, &missing, asking) else {
            world.requests.not_found += 1;
            return Answer::json(404, &self.imitation.error());
        };
        if settings.endless_pages {
            self.imitation.add_page(&mut answer);
        }
        Answer::json(200, &answer)
    }

    /// Takes another message for this one, or another phone.
    fn mistake(&self, message: &mut Message, random: &Random) {
        if random.fraction() < 0.5 {
            let other = u128::from_le_bytes(random.bytes());
            message.id = self.imitation.message_id(None, other);
        } else {
            let last = message.to.pop();
            message.to.push(if last == Some('9') { '0' } else { '9' });
        }
    }

    fn inbox(&self, world: &World, after: u64, now: Timestamp) -> Answer {
        let mut messages = world.inbox(after, PAGE);
        let mut last = messages.last().map_or(after, |message| message.id);
        while world.settings.endless_pages && messages.len() < PAGE {
            last = last.saturating_add(1);
            messages.push(FromPhone {
                id: last,
                from: "+254700000001".to_owned(),
                to: "20880".to_owned(),
                text: "endless".to_owned(),
                at: now,
            });
        }
        Answer::json(200, &self.imitation.inbox(&messages))
    }
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.to_string(),
        }
    }
}

fn told(message: Message, now: Timestamp) -> Told {
    let state = message.state(now);
    Told {
        at: message.since(state),
        state,
        part: None,
        message,
    }
}

/// What goes wrong before anything is looked at.
fn fault(world: &mut World, random: &Random, error: Value) -> Option<Answer> {
    let settings = &world.settings;
    if settings.rate_limited.happens(random) {
        world.requests.rate_limited += 1;
        return Some(Answer::json(429, &error));
    }
    if settings.errors.happens(random) {
        world.requests.errors += 1;
        return Some(Answer::json(503, &error));
    }
    if settings.html.happens(random) {
        world.requests.html += 1;
        return Some(Answer {
            status: 200,
            content_type: "text/html; charset=utf-8",
            body: PAGE_OF_HTML.to_owned(),
        });
    }
    None
}

fn grant(world: &mut World, random: &Random, now: Timestamp) -> Answer {
    world.requests.tokens += 1;
    let token = format!("sim-{}", hex::encode(random.bytes::<16>()));
    let lifetime = world.settings.token_lifetime.to_string();
    world.grant(token.clone(), now);
    let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime });
    Answer::json(200, &answer)
}
