//! Which scope each route needs. A route that is not here is refused to everybody, so that one which is
//! forgotten is noticed, and opens nothing.
//!
//! A new route is a line in the table: its method, its pattern as it is registered, its rule.

use actix_web::http::Method;
use domain::access::Scope;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Whoever has this scope, and the operator.
    Needs(Scope),
    /// Whoever shows a valid key, that of a suspended tenant too.
    Anyone,
    /// The operator alone.
    Operator,
    /// The route finds out by itself who asks: no key opens it.
    Itself,
}

/// The rule of a route; none where it has none.
pub(crate) fn rule(method: &Method, pattern: &str) -> Option<Rule> {
    TABLE
        .iter()
        .find(|(name, path, _)| *path == pattern && *name == method.as_str())
        .map(|(.., rule)| *rule)
}

use Rule::{Anyone, Itself, Needs, Operator};
use Scope as S;

/// Every route that asks who its caller is.
pub(crate) const TABLE: &[(&str, &str, Rule)] = &[
    ("GET", "/v1/audit", Needs(S::AuditRead)),
    ("GET", "/v1/audit/chain", Operator),
    ("GET", "/v1/audit/{id}", Needs(S::AuditRead)),
    ("GET", "/v1/plans", Operator),
    ("GET", "/v1/plans/{name}", Operator),
    ("PUT", "/v1/plans/{name}", Operator),
    ("DELETE", "/v1/plans/{name}", Operator),
    ("GET", "/v1/tenant", Anyone),
    ("GET", "/v1/tenants", Operator),
    ("POST", "/v1/tenants", Operator),
    ("GET", "/v1/tenants/{id}", Operator),
    ("PATCH", "/v1/tenants/{id}", Operator),
    ("DELETE", "/v1/tenants/{id}", Operator),
    ("POST", "/v1/tenants/{id}/suspend", Operator),
    ("POST", "/v1/tenants/{id}/resume", Operator),
    ("GET", "/v1/keys", Needs(S::KeysRead)),
    ("POST", "/v1/keys", Needs(S::KeysWrite)),
    ("GET", "/v1/keys/{id}", Needs(S::KeysRead)),
    ("DELETE", "/v1/keys/{id}", Needs(S::KeysWrite)),
    ("GET", "/v1/members", Needs(S::MembersRead)),
    ("POST", "/v1/members", Needs(S::MembersWrite)),
    ("GET", "/v1/members/{id}", Needs(S::MembersRead)),
    ("PATCH", "/v1/members/{id}", Needs(S::MembersWrite)),
    ("DELETE", "/v1/members/{id}", Needs(S::MembersWrite)),
    ("POST", "/v1/oauth/token", Itself),
    ("POST", "/v1/console-links", Needs(S::ConsoleLinksWrite)),
    ("POST", "/v1/console-links/exchange", Itself),
    (
        "GET",
        "/v1/provider-accounts",
        Needs(S::ProviderAccountsRead),
    ),
    (
        "POST",
        "/v1/provider-accounts",
        Needs(S::ProviderAccountsWrite),
    ),
    (
        "GET",
        "/v1/provider-accounts/{id}",
        Needs(S::ProviderAccountsRead),
    ),
    (
        "PUT",
        "/v1/provider-accounts/{id}",
        Needs(S::ProviderAccountsWrite),
    ),
    (
        "DELETE",
        "/v1/provider-accounts/{id}",
        Needs(S::ProviderAccountsWrite),
    ),
    (
        "POST",
        "/v1/provider-accounts/{id}/rotate-token",
        Needs(S::ProviderAccountsWrite),
    ),
    (
        "GET",
        "/v1/provider-accounts/{id}/health",
        Needs(S::ProviderAccountsRead),
    ),
    (
        "GET",
        "/v1/statistics/callbacks",
        Needs(S::ProviderAccountsRead),
    ),
    ("GET", "/v1/webhook-templates", Needs(S::WebhooksRead)),
    (
        "GET",
        "/v1/webhook-templates/{name}",
        Needs(S::WebhooksRead),
    ),
    ("GET", "/v1/webhooks", Needs(S::WebhooksRead)),
    ("POST", "/v1/webhooks", Needs(S::WebhooksWrite)),
    ("POST", "/v1/webhooks/bulk", Needs(S::WebhooksWrite)),
    ("POST", "/v1/webhooks/check", Needs(S::WebhooksTest)),
    ("GET", "/v1/webhooks/{id}", Needs(S::WebhooksRead)),
    ("PUT", "/v1/webhooks/{id}", Needs(S::WebhooksWrite)),
    ("PATCH", "/v1/webhooks/{id}", Needs(S::WebhooksWrite)),
    ("DELETE", "/v1/webhooks/{id}", Needs(S::WebhooksWrite)),
    ("POST", "/v1/webhooks/{id}/enable", Needs(S::WebhooksWrite)),
    ("POST", "/v1/webhooks/{id}/disable", Needs(S::WebhooksWrite)),
    ("POST", "/v1/webhooks/{id}/test", Needs(S::WebhooksTest)),
    ("GET", "/v1/webhooks/{id}/tests", Needs(S::WebhooksRead)),
    ("POST", "/v1/webhooks/{id}/check", Needs(S::WebhooksTest)),
    (
        "POST",
        "/v1/webhooks/{id}/secret/rotate",
        Needs(S::WebhooksWrite),
    ),
    (
        "GET",
        "/v1/webhooks/{id}/deliveries",
        Needs(S::WebhooksRead),
    ),
    (
        "POST",
        "/v1/webhooks/{id}/deliveries/retry",
        Needs(S::WebhooksRetry),
    ),
    (
        "POST",
        "/v1/webhooks/{id}/deliveries/cancel",
        Needs(S::WebhooksRetry),
    ),
    ("GET", "/v1/deliveries/{id}", Needs(S::WebhooksRead)),
    ("POST", "/v1/deliveries/{id}/retry", Needs(S::WebhooksRetry)),
    (
        "POST",
        "/v1/deliveries/{id}/cancel",
        Needs(S::WebhooksRetry),
    ),
    ("GET", "/v1/replays", Needs(S::WebhooksRead)),
    ("POST", "/v1/replays", Needs(S::WebhooksRetry)),
    ("GET", "/v1/replays/{id}", Needs(S::WebhooksRead)),
    ("POST", "/v1/replays/{id}/pause", Needs(S::WebhooksRetry)),
    ("POST", "/v1/replays/{id}/resume", Needs(S::WebhooksRetry)),
    ("POST", "/v1/replays/{id}/cancel", Needs(S::WebhooksRetry)),
    ("GET", "/v1/events", Needs(S::EventsRead)),
    ("POST", "/v1/events", Needs(S::EventsPublish)),
    ("POST", "/v1/events/batch", Needs(S::EventsPublish)),
    ("GET", "/v1/events/{id}", Needs(S::EventsRead)),
    ("GET", "/v1/event-types", Needs(S::EventsRead)),
    ("POST", "/v1/event-types", Needs(S::EventTypesWrite)),
    ("POST", "/v1/event-types/import", Needs(S::EventTypesWrite)),
    ("GET", "/v1/event-types/{name}", Needs(S::EventsRead)),
    ("PATCH", "/v1/event-types/{name}", Needs(S::EventTypesWrite)),
    (
        "POST",
        "/v1/event-types/{name}/versions",
        Needs(S::EventTypesWrite),
    ),
    (
        "GET",
        "/v1/event-types/{name}/versions/{number}",
        Needs(S::EventsRead),
    ),
    ("GET", "/v1/webhooks/event-types", Needs(S::EventsRead)),
    ("GET", "/v1/messages", Needs(S::MessagesRead)),
    ("POST", "/v1/messages", Needs(S::MessagesWrite)),
    ("GET", "/v1/messages/{id}", Needs(S::MessagesRead)),
    ("POST", "/v1/messages/{id}/state", Needs(S::MessagesWrite)),
    (
        "POST",
        "/v1/messages/{id}/attempts",
        Needs(S::MessagesWrite),
    ),
    ("POST", "/v1/messages/{id}/poll", Needs(S::MessagesWrite)),
    ("GET", "/v1/messages/{id}/timeline", Needs(S::MessagesRead)),
    ("GET", "/v1/notifications/{id}", Needs(S::MessagesRead)),
    ("GET", "/v1/orphans", Needs(S::MessagesRead)),
    ("GET", "/v1/callbacks", Needs(S::CallbacksRead)),
    ("GET", "/v1/callbacks/{id}", Needs(S::CallbacksRead)),
    ("GET", "/v1/security-events", Needs(S::SecurityRead)),
    ("GET", "/v1/security-events/{id}", Needs(S::SecurityRead)),
    ("GET", "/v1/quarantine", Needs(S::SecurityRead)),
    ("GET", "/v1/quarantine/{id}", Needs(S::SecurityRead)),
    (
        "POST",
        "/v1/quarantine/{id}/ingest",
        Needs(S::SecurityWrite),
    ),
    ("GET", "/v1/dead-letters", Needs(S::DeadLettersRead)),
    ("GET", "/v1/dead-letters/{id}", Needs(S::DeadLettersRead)),
    (
        "POST",
        "/v1/dead-letters/requeue",
        Needs(S::DeadLettersWrite),
    ),
    (
        "POST",
        "/v1/dead-letters/cancel",
        Needs(S::DeadLettersWrite),
    ),
    ("POST", "/v1/dead-letters/purge", Needs(S::DeadLettersWrite)),
    (
        "POST",
        "/v1/dead-letters/{id}/requeue",
        Needs(S::DeadLettersWrite),
    ),
    ("POST", "/v1/erasures", Needs(S::ErasuresWrite)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_route_that_is_not_in_the_table_has_no_rule() {
        assert_eq!(rule(&Method::GET, "/v1/secrets"), None);
        assert_eq!(rule(&Method::PUT, "/v1/keys"), None);
        assert_eq!(rule(&Method::GET, "/v1/webhooks/sub_1"), None);
    }

    #[test]
    fn each_route_is_there_once_and_each_scope_is_of_use() {
        let routes: HashSet<_> = TABLE
            .iter()
            .map(|(method, path, _)| (method, path))
            .collect();
        assert_eq!(routes.len(), TABLE.len());
        let needed = |scope| TABLE.iter().any(|(.., rule)| *rule == Needs(scope));
        for scope in Scope::ALL {
            assert!(needed(scope), "{scope:?}");
        }
    }

    #[test]
    fn what_only_reads_needs_a_scope_that_only_reads() {
        for (method, path, rule) in TABLE {
            if let Needs(scope) = rule {
                let reads = scope.as_str().ends_with(":read");
                assert_eq!(reads, *method == "GET", "{method} {path}");
            }
        }
    }
}
