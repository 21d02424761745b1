//! Which providers there are.

use crate::africastalking::AfricasTalking;
use crate::orange::Orange;
use crate::provider::Provider;
use crate::stub::Stub;

static ALL: [&dyn Provider; 3] = [&AfricasTalking, &Orange, &Stub];

/// Every provider.
pub fn all() -> &'static [&'static dyn Provider] {
    &ALL
}

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static dyn Provider> {
    ALL.into_iter().find(|provider| provider.name() == name)
}
