//! `tidings provider-simulator`.

mod asked;
mod calls;
mod control;

use super::PROGRAM;
use crate::app::{SOON, TestApp};
use serde_json::{Value, json};
use testkit::Simulator;

const TO: &str = "+260970000001";
const SECRET: &str = "a secret of 16 bytes or more";

/// As fast as it goes, and the same in every run.
async fn simulator(provider: &str, args: &[&str]) -> Simulator {
    let usual = ["--provider", provider, "--delay", "0", "--seed", "7"];
    Simulator::start(PROGRAM, &[&usual, args].concat()).await
}
