//! What truly differs between the engines, one file per noun.

pub(crate) mod array;
pub(crate) mod attempt;
pub(crate) mod audit;
pub(crate) mod callback;
pub(crate) mod day;
pub(crate) mod dead_letter;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod fan_out;
pub(crate) mod health;
pub(crate) mod idempotency;
pub(crate) mod key;
mod known;
pub(crate) mod lease;
pub(crate) mod ledger;
pub(crate) mod lock;
pub(crate) mod message;
pub(crate) mod notification;
pub(crate) mod partition;
pub(crate) mod plan;
pub(crate) mod poll;
pub(crate) mod security;
pub(crate) mod subscription;
pub(crate) mod tally;
mod together;
mod transaction;
pub(crate) mod warning;

pub(crate) use transaction::{
    ALONE, COMMIT, GROUPED, Outcome, begin, outcome_of, server_run, touch,
};
