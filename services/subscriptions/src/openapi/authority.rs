//! The ways to show who asks, and what each operation takes of them.

use domain::access::Scope;
use utoipa::openapi::Components;
use utoipa::openapi::security::{
    ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityRequirement,
    SecurityScheme,
};

/// A secret, as a bearer.
const BEARER: &str = "key";
/// A token that a client fetches by itself.
const CLIENT: &str = "oauth2";
const TOKENS: &str = "/v1/oauth/token";

/// Either a key, or a token with these scopes.
pub(super) fn either(scopes: &[Scope]) -> Vec<SecurityRequirement> {
    let names = scopes.iter().map(|scope| scope.as_str());
    vec![key(), SecurityRequirement::new(CLIENT, names)]
}

/// A key.
pub(super) fn key() -> SecurityRequirement {
    SecurityRequirement::new(BEARER, [] as [&str; 0])
}

/// Describes the ways.
pub(super) fn describe(components: &mut Components) {
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A tenant's API key, `tk_live_…`, a token, `tok_…`, or the operator's admin key, which acts for the \
             platform tenant.",
        ))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(key));
    let scopes = Scope::ALL.map(|scope| (scope.as_str(), said_of(scope)));
    let flow = ClientCredentials::new(TOKENS, Scopes::from_iter(scopes));
    let client = OAuth2::with_description(
        [Flow::ClientCredentials(flow)],
        "For clients that fetch tokens by themselves: the client is an API key, by its id and its text.",
    );
    components.add_security_scheme(CLIENT, SecurityScheme::OAuth2(client));
}

const fn said_of(scope: Scope) -> &'static str {
    match scope {
        Scope::WebhooksRead => "Read webhooks, their deliveries and replays",
        Scope::WebhooksWrite => "Make, change and delete webhooks",
        Scope::WebhooksTest => "Send a webhook a test",
        Scope::WebhooksRetry => "Retry and cancel deliveries, and replay events",
        Scope::EventsPublish => "Publish events",
        Scope::EventsRead => "Read events and the catalog of their types",
        Scope::EventTypesWrite => "Bring event types and their versions, and change them",
        Scope::MessagesRead => "Read messages, notifications, timelines and orphans",
        Scope::MessagesWrite => "Register messages and rule on them",
        Scope::ProviderAccountsRead => "Read provider accounts, how they fare and what was counted",
        Scope::ProviderAccountsWrite => "Make, change and delete provider accounts",
        Scope::CallbacksRead => "Read callbacks, with what providers sent",
        Scope::SecurityRead => "Read what the door refused or found odd",
        Scope::SecurityWrite => "Take in what was refused",
        Scope::DeadLettersRead => "Read jobs that were given up",
        Scope::DeadLettersWrite => "Have them done again, or purge them",
        Scope::ErasuresWrite => "Erase a phone number",
        Scope::KeysRead => "Read API keys, without their text",
        Scope::KeysWrite => "Make and revoke API keys",
        Scope::MembersRead => "Read the tenant's people",
        Scope::MembersWrite => "Add, change and remove the tenant's people",
        Scope::ConsoleLinksWrite => "Let a member into the console",
        Scope::AuditRead => "Read who changed what",
    }
}
