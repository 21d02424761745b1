//! The client against real sockets on the loopback.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests may fail as loudly as the tests"
)]

mod allowance;
mod answer;
mod connection;
mod http2;
mod name;
mod proxy;
mod refusal;
mod server;
mod timing;
mod tls;

use std::time::Duration;

use tidings_egress::{Client, ClientOptions, FailureClass, Policy, Request, Resolver, Response};

/// Long enough for everything on the loopback that is meant to succeed.
const AMPLE: Duration = Duration::from_secs(10);
/// Short, for everything that is meant to be late.
const SHORT: Duration = Duration::from_millis(300);

/// The public internet and these networks, on all ports.
fn policy(networks: &[&str]) -> Policy {
    Policy {
        allow_networks: networks
            .iter()
            .map(|network| network.parse().unwrap())
            .collect(),
        allow_ports: vec![1..=65535],
        require_https: false,
    }
}

fn no_names() -> Resolver {
    Resolver::answering(|_| vec![])
}

/// A client that may reach 127.0.0.1.
fn local_client() -> Client {
    Client::new(
        policy(&["127.0.0.1/32"]),
        no_names(),
        ClientOptions::default(),
    )
    .unwrap()
}

async fn respond(client: &Client, url: &str, timeout: Duration) -> Response {
    client
        .send(Request::post(url, "{}"), timeout)
        .await
        .result
        .unwrap()
}

async fn fail(client: &Client, url: &str, timeout: Duration) -> FailureClass {
    client
        .send(Request::post(url, "{}"), timeout)
        .await
        .result
        .unwrap_err()
        .class
}
