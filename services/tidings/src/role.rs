//! Roles: the services that run in a process.

use std::str::FromStr;

/// A service as it runs inside a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The door for providers.
    Ingress,
    /// Keeps the state of messages.
    Tracker,
    /// Brings events to tenants.
    Dispatcher,
    /// Asks providers.
    Poller,
    /// The API.
    Subscriptions,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Ingress,
        Self::Tracker,
        Self::Dispatcher,
        Self::Poller,
        Self::Subscriptions,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Tracker => "tracker",
            Self::Dispatcher => "dispatcher",
            Self::Poller => "poller",
            Self::Subscriptions => "subscriptions",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::as_str).join(", ");
                format!("the roles are: {names}")
            })
    }
}
