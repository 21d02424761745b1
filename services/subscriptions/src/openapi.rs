//! The API, described: OpenAPI 3.1, made from the routes themselves.

mod answer;
mod authority;
mod condition;
mod merge;
mod named;
mod parameter;
mod permit;
mod route;
mod schema;
mod served;

pub(crate) use merge::merge_patch;
pub(crate) use parameter::{
    Between, IdempotencyKey, OfTenant, Paging, parameters, query, said, text, word, word_or_null,
};
pub(crate) use route::{Operation, Routes, operation};
pub(crate) use served::Served;

use crate::{
    account, audit, callback, console_link, dead_letter, delivery, erasure, event, event_type,
    health, key, member, message, notification, oauth, orphan, plan, poll, quarantine, replay,
    ruling, security, send_attempt, statistics, tenant, timeline, webhook,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi};

/// What holds for all operations, said once.
const CONVENTIONS: &str = include_str!("openapi/conventions.md");

/// What there is to do, and to what. The order is that of the document.
const TAGS: [(&str, &str); 18] = [
    ("Tenants", "Whose everything is."),
    (
        "Keys",
        "What opens the API, and how much of it: keys, and tokens made with them.",
    ),
    (
        "Members",
        "The people of a tenant, and the links that let them into the console.",
    ),
    (
        "Provider accounts",
        "An account with a provider of SMS: how its callbacks are checked, and how it is asked.",
    ),
    (
        "Messages",
        "What was sent, the one state it has, and everything that was said of it.",
    ),
    (
        "Notifications",
        "What became of all messages of one notification, counted.",
    ),
    ("Orphans", "Reports that wait for their message."),
    ("Callbacks", "What providers sent, and what came of it."),
    ("Statistics", "What came, by hour and provider."),
    ("Security", "What was refused at the door, and why."),
    (
        "Quarantine",
        "Requests that could not be read, kept until what was wrong is mended.",
    ),
    (
        "Dead letters",
        "Jobs that were given up: look, mend, have them done again.",
    ),
    (
        "Webhooks",
        "Which events go where, and how: subscriptions to events.",
    ),
    (
        "Deliveries",
        "One event owed to one webhook, with every attempt.",
    ),
    ("Events", "What happened: published by you, or raised here."),
    (
        "Event types",
        "What events there can be, and what each of them says: the types that ship, the operator's, and your own.",
    ),
    ("Replays", "Old events, told again."),
    (
        "Audit log",
        "Who changed what: every change, in a chain that shows whether one was tampered with.",
    ),
];

/// Every route of the API, with what is said of it.
pub(crate) fn routes() -> Routes {
    let mut routes = Routes::default();
    for add in [
        tenant::routes,
        plan::routes,
        key::routes,
        oauth::routes,
        member::routes,
        console_link::routes,
        account::routes,
        health::routes,
        event_type::routes,
        webhook::routes,
        delivery::routes,
        replay::routes,
        event::routes,
        message::routes,
        ruling::routes,
        notification::routes,
        send_attempt::routes,
        timeline::routes,
        poll::routes,
        orphan::routes,
        callback::routes,
        statistics::routes,
        security::routes,
        quarantine::routes,
        dead_letter::routes,
        erasure::routes,
        audit::routes,
    ] {
        add(&mut routes);
    }
    routes
}

/// The document: as it is served, and as it is kept in `docs/openapi.json`.
pub fn document() -> String {
    let mut document = routes().document();
    introduce(&mut document);
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn introduce(document: &mut OpenApi) {
    document.info = InfoBuilder::new()
        .title("Tidings")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(CONVENTIONS))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    let tag = |(name, description): (&str, &str)| {
        TagBuilder::new()
            .name(name)
            .description(Some(description))
            .build()
    };
    document.tags = Some(TAGS.map(tag).to_vec());
    document.security = Some(vec![authority::key()]);
    let components = document.components.get_or_insert_default();
    authority::describe(components);
    answer::describe(components);
    schema::complete(document);
}
