//! Who may do what: scopes, and roles, which are named sets of them.

mod scopes;

pub use scopes::Scopes;

/// One thing that may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Read webhooks, their deliveries and replays.
    WebhooksRead,
    /// Make, change and delete webhooks.
    WebhooksWrite,
    /// Send a webhook a test.
    WebhooksTest,
    /// Retry and cancel deliveries, and replay events.
    WebhooksRetry,
    /// Publish events.
    EventsPublish,
    /// Read events and the catalog.
    EventsRead,
    /// Bring event types, their versions, and change them.
    EventTypesWrite,
    /// Read messages, notifications, timelines and orphans.
    MessagesRead,
    /// Register messages and rule on them.
    MessagesWrite,
    /// Read provider accounts, how they fare and what was counted of them.
    ProviderAccountsRead,
    /// Make, change and delete provider accounts.
    ProviderAccountsWrite,
    /// Read callbacks, with what providers sent.
    CallbacksRead,
    /// Read what the door refused or found odd.
    SecurityRead,
    /// Take in what was refused.
    SecurityWrite,
    /// Read jobs that were given up.
    DeadLettersRead,
    /// Have them done again, or purge them.
    DeadLettersWrite,
    /// Erase a phone number.
    ErasuresWrite,
    /// Read API keys, without their text.
    KeysRead,
    /// Make and revoke API keys.
    KeysWrite,
    /// Read the tenant's people.
    MembersRead,
    /// Add, change and remove the tenant's people.
    MembersWrite,
    /// Let a member into the console.
    ConsoleLinksWrite,
    /// Read who changed what.
    AuditRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 23] = [
        Self::WebhooksRead,
        Self::WebhooksWrite,
        Self::WebhooksTest,
        Self::WebhooksRetry,
        Self::EventsPublish,
        Self::EventsRead,
        Self::EventTypesWrite,
        Self::MessagesRead,
        Self::MessagesWrite,
        Self::ProviderAccountsRead,
        Self::ProviderAccountsWrite,
        Self::CallbacksRead,
        Self::SecurityRead,
        Self::SecurityWrite,
        Self::DeadLettersRead,
        Self::DeadLettersWrite,
        Self::ErasuresWrite,
        Self::KeysRead,
        Self::KeysWrite,
        Self::MembersRead,
        Self::MembersWrite,
        Self::ConsoleLinksWrite,
        Self::AuditRead,
    ];

    /// Its name, `noun:verb`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::WebhooksTest => "webhooks:test",
            Self::WebhooksRetry => "webhooks:retry",
            Self::EventsPublish => "events:publish",
            Self::EventsRead => "events:read",
            Self::EventTypesWrite => "event_types:write",
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
            Self::ProviderAccountsRead => "provider_accounts:read",
            Self::ProviderAccountsWrite => "provider_accounts:write",
            Self::CallbacksRead => "callbacks:read",
            Self::SecurityRead => "security:read",
            Self::SecurityWrite => "security:write",
            Self::DeadLettersRead => "dead_letters:read",
            Self::DeadLettersWrite => "dead_letters:write",
            Self::ErasuresWrite => "erasures:write",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::MembersRead => "members:read",
            Self::MembersWrite => "members:write",
            Self::ConsoleLinksWrite => "console_links:write",
            Self::AuditRead => "audit:read",
        }
    }

    /// The scope of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A named set of scopes. What a later release adds to it, its keys have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything about messages, events and webhooks; nothing about who else may do what.
    Developer,
    /// Looks, and changes nothing.
    Viewer,
    /// Registers messages and publishes events: what a platform's own servers do all day.
    Publisher,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Developer, Self::Viewer, Self::Publisher];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it may do.
    pub fn scopes(self) -> Scopes {
        Scope::ALL
            .into_iter()
            .filter(|scope| self.has(*scope))
            .collect()
    }

    const fn has(self, scope: Scope) -> bool {
        use Scope as S;
        match self {
            Self::Owner => true,
            Self::Developer => !matches!(
                scope,
                S::ErasuresWrite
                    | S::KeysWrite
                    | S::MembersWrite
                    | S::ConsoleLinksWrite
                    | S::AuditRead
            ),
            Self::Viewer => matches!(
                scope,
                S::WebhooksRead
                    | S::EventsRead
                    | S::MessagesRead
                    | S::ProviderAccountsRead
                    | S::CallbacksRead
                    | S::SecurityRead
                    | S::DeadLettersRead
                    | S::MembersRead
            ),
            Self::Publisher => matches!(scope, S::EventsPublish | S::MessagesWrite),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_changes_nothing_and_no_role_is_wider_than_an_owner() {
        for scope in Scope::ALL {
            let reads = scope.as_str().ends_with(":read");
            assert!(reads || !Role::Viewer.has(scope), "{scope:?}");
            assert!(Role::Owner.has(scope), "{scope:?}");
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        for role in Role::ALL {
            assert!(Role::Owner.scopes().contain(role.scopes()));
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("admin"), None);
        assert_eq!(Scope::parse("webhooks:all"), None);
    }

    #[test]
    fn nobody_but_an_owner_decides_who_else_may_do_what() {
        for role in [Role::Developer, Role::Viewer, Role::Publisher] {
            for scope in [
                Scope::KeysWrite,
                Scope::MembersWrite,
                Scope::ConsoleLinksWrite,
            ] {
                assert!(!role.has(scope), "{role:?} has {scope:?}");
            }
        }
    }
}
