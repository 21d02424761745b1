//! The simulator's own API, below `/simulator`: to send, to look, and to change its faults.

use super::Simulator;
use super::plan::Plan;
use super::post::Due;
use super::settings;
use super::share;
use super::world::{Drawn, MAX_MESSAGES, Message, NotTaken};
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, Query, ServiceConfig};
use domain::{State, json, phone};
use runtime::http::{Code, Problem, not_found, only, read_body};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The most that a request may have, and how long it may take.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);
/// The most messages of one request, to send or to see.
const MAX_AT_ONCE: usize = 10_000;
const USUAL_PAGE: usize = 100;
/// The longest text of a message's fields, in bytes.
const MAX_TEXT_BYTES: usize = 128;
const USUAL_SENDER: &str = "TIDINGS";

type Answered = Result<HttpResponse, Problem>;

pub(super) fn routes(routes: &mut ServiceConfig) {
    let messages = web::resource("/simulator/messages")
        .route(web::post().to(send))
        .route(web::get().to(list))
        .route(web::delete().to(forget))
        .default_service(only(&[Method::GET, Method::POST, Method::DELETE]));
    let message = web::resource("/simulator/messages/{id}")
        .route(web::get().to(show))
        .default_service(only(&[Method::GET]));
    let inbound = web::resource("/simulator/inbound")
        .route(web::post().to(receive))
        .default_service(only(&[Method::POST]));
    let requests = web::resource("/simulator/requests")
        .route(web::get().to(requests))
        .default_service(only(&[Method::GET]));
    let settings = web::resource("/simulator/settings")
        .route(web::get().to(settings_now))
        .route(web::post().to(change))
        .default_service(only(&[Method::GET, Method::POST]));
    routes
        .service(messages)
        .service(message)
        .service(inbound)
        .service(requests)
        .service(settings);
}

/// A message that is to be sent.
struct Wanted {
    to: String,
    from: String,
    parts: Option<u32>,
    client_reference: Option<String>,
    outcome: Option<State>,
}

/// Sends a message, or those in `messages`.
async fn send(simulator: Data<Simulator>, payload: Payload) -> Answered {
    let body = object(payload).await?;
    let Some(many) = body.get("messages") else {
        let id = simulator.send_one(wanted(&body, "")?)?;
        return Ok(created(&json!({ "provider_message_id": id })));
    };
    only_known(&body, "", &["messages"])?;
    let many = many.as_array().filter(|many| many.len() <= MAX_AT_ONCE);
    let many = many.ok_or_else(|| {
        invalid(
            "/messages",
            format!("write a list of at most {MAX_AT_ONCE} messages"),
        )
    })?;
    let read = many.iter().enumerate().map(|(index, message)| {
        let at = format!("/messages/{index}");
        let message = message.as_object();
        wanted(
            message.ok_or_else(|| invalid(at.clone(), "write an object"))?,
            &at,
        )
    });
    let read: Vec<_> = read.collect::<Result<_, _>>()?;
    let mut sent = Vec::with_capacity(read.len());
    for wanted in read {
        let id = simulator
            .send_one(wanted)
            .map_err(|problem| problem.with("sent", sent.len()))?;
        sent.push(json!({ "provider_message_id": id }));
    }
    Ok(created(&json!({ "messages": sent })))
}

async fn list(simulator: Data<Simulator>, query: Query<HashMap<String, String>>) -> Answered {
    let number = |name: &str, usual: usize| match query.get(name) {
        None => Ok(usual),
        Some(text) => text
            .parse()
            .map_err(|_| invalid(format!("/{name}"), "write a whole number")),
    };
    let limit = number("limit", USUAL_PAGE)?.clamp(1, MAX_AT_ONCE);
    let after = number("after", 0)?;
    let now = simulator.clock.now();
    let world = simulator.world();
    let all = world.messages();
    let page: Vec<_> = all.iter().skip(after).take(limit).collect();
    let next = after + page.len();
    let data: Vec<_> = page.into_iter().map(|message| message.view(now)).collect();
    let next = (next < all.len()).then_some(next);
    Ok(ok(
        &json!({ "data": data, "total": all.len(), "next_after": next }),
    ))
}

async fn show(simulator: Data<Simulator>, id: web::Path<String>) -> Answered {
    let now = simulator.clock.now();
    let view = simulator.world().find(&id).map(|message| message.view(now));
    match view {
        Some(view) => Ok(ok(&view)),
        None => Err(not_found().await),
    }
}

/// Forgets all messages, and what would have been told of them.
async fn forget(simulator: Data<Simulator>) -> HttpResponse {
    let mut world = simulator.world();
    simulator.queue.clear();
    world.forget_messages();
    HttpResponse::NoContent().finish()
}

/// Puts a message of a phone into the inbox.
async fn receive(simulator: Data<Simulator>, payload: Payload) -> Answered {
    let body = object(payload).await?;
    only_known(&body, "", &["from", "to", "text"])?;
    let field = |name| text(&body, "", name)?.ok_or_else(|| missing("", name));
    let (from, to, said) = (field("from")?, field("to")?, field("text")?);
    let now = simulator.clock.now();
    let id = simulator.world().receive(from, to, said, now);
    Ok(created(&json!({ "id": id })))
}

async fn requests(simulator: Data<Simulator>) -> HttpResponse {
    ok(&simulator.world().requests.view())
}

async fn settings_now(simulator: Data<Simulator>) -> HttpResponse {
    ok(&simulator.world().settings.view())
}

async fn change(simulator: Data<Simulator>, payload: Payload) -> Answered {
    let changes = Value::Object(object(payload).await?);
    let mut world = simulator.world();
    let mut settings = world.settings.clone();
    settings
        .change(&changes)
        .map_err(|(name, why)| invalid(format!("/{name}"), why))?;
    simulator
        .check(&settings)
        .map_err(|(name, why)| invalid(format!("/{}", name.replace('-', "_")), why))?;
    world.settings = settings;
    Ok(ok(&world.settings.view()))
}

impl Simulator {
    /// Takes a message and plans what becomes of it; its id.
    fn send_one(&self, wanted: Wanted) -> Result<String, Problem> {
        let begun = Instant::now();
        let sent_at = self.clock.now();
        let mut world = self.world();
        if self.queue.is_full() {
            return Err(not_taken(NotTaken::Full));
        }
        let random = world.random(Drawn::Message);
        let bits = u128::from_le_bytes(random.bytes());
        let parts = wanted.parts.unwrap_or(world.settings.parts);
        let reference = wanted.client_reference;
        let id = self.imitation.message_id(reference.as_deref(), bits);
        let plan = Plan::draw(
            self.imitation,
            &world.settings,
            wanted.outcome,
            parts,
            &random,
        );
        let message = Message {
            id: id.clone(),
            to: wanted.to,
            from: wanted.from,
            parts,
            client_reference: reference,
            outcome: plan.outcome,
            sent_at,
            ends_at: sent_at.plus(plan.ends_after),
            asked: 0,
            callbacks: super::world::Callbacks::default(),
        };
        let place = world.take(message).map_err(not_taken)?;
        world.count(place, |callbacks| {
            callbacks.planned += plan.planned;
            callbacks.lost += plan.lost;
        });
        // Under the lock, so that whoever forgets all messages forgets these too.
        for planned in plan.callbacks {
            let due = Due {
                place,
                state: planned.state,
                part: planned.part,
            };
            self.queue.add(begun + planned.after, due);
        }
        Ok(id)
    }
}

fn not_taken(why: NotTaken) -> Problem {
    match why {
        NotTaken::Full => Problem::new(
            Code::Unavailable,
            format!(
                "the simulator holds {MAX_MESSAGES} messages, or a million callbacks that are not due \
                 yet, and takes no more: DELETE /simulator/messages makes room"
            ),
        ),
        NotTaken::Known => Problem::new(
            Code::Conflict,
            "this provider's message id is the client_reference, and a message has it already",
        ),
    }
}

fn wanted(body: &Map<String, Value>, at: &str) -> Result<Wanted, Problem> {
    only_known(
        body,
        at,
        &["to", "from", "parts", "client_reference", "outcome"],
    )?;
    let to = text(body, at, "to")?.ok_or_else(|| missing(at, "to"))?;
    let to = phone::parse(&to)
        .ok_or_else(|| invalid(format!("{at}/to"), "write + and 7 to 15 digits"))?;
    let parts = match body.get("parts") {
        None | Some(Value::Null) => None,
        Some(value) => {
            Some(settings::parts(value).map_err(|why| invalid(format!("{at}/parts"), why))?)
        }
    };
    let outcome = match text(body, at, "outcome")? {
        None => None,
        Some(name) => Some(share::outcome(&name).ok_or_else(|| {
            let names = share::OUTCOMES.map(State::as_str).join(", ");
            invalid(format!("{at}/outcome"), format!("write one of {names}"))
        })?),
    };
    Ok(Wanted {
        to,
        from: text(body, at, "from")?.unwrap_or_else(|| USUAL_SENDER.to_owned()),
        parts,
        client_reference: text(body, at, "client_reference")?,
        outcome,
    })
}

async fn object(payload: Payload) -> Result<Map<String, Value>, Problem> {
    let bytes = read_body(payload, MAX_BODY_BYTES, DEADLINE).await?;
    let value = json::parse(&bytes, json::MAX_DEPTH)
        .map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(invalid("", "write a JSON object")),
    }
}

fn text(body: &Map<String, Value>, at: &str, name: &str) -> Result<Option<String>, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if (1..=MAX_TEXT_BYTES).contains(&text.len()) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(invalid(
            format!("{at}/{name}"),
            format!("write a text of 1 to {MAX_TEXT_BYTES} bytes"),
        )),
    }
}

fn only_known(body: &Map<String, Value>, at: &str, known: &[&str]) -> Result<(), Problem> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(invalid(
            format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
            format!("this is no field; the fields are {}", known.join(", ")),
        )),
    }
}

fn missing(at: &str, name: &str) -> Problem {
    invalid(format!("{at}/{name}"), "this field is required")
}

fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    Problem::new(Code::InvalidRequest, detail.clone()).at(pointer, detail)
}

fn ok(body: &Value) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

fn created(body: &Value) -> HttpResponse {
    HttpResponse::Created().json(body)
}
