//! What truly differs between the engines, one file per noun.

pub(crate) mod array;
pub(crate) mod attempt;
pub(crate) mod callback;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod message;
pub(crate) mod partition;
mod transaction;

pub(crate) use transaction::{Outcome, outcome_of, touch, transaction_id};
