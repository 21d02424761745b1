use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_egress::{Client, ClientOptions, FailureClass, Policy, Request, Resolver};

use crate::server::Server;
use crate::{AMPLE, fail, policy, respond};

fn ips(addresses: &[&str]) -> Vec<IpAddr> {
    addresses
        .iter()
        .map(|address| address.parse().unwrap())
        .collect()
}

fn client(policy: Policy, answers: &[&str]) -> Client {
    let names = HashMap::from([("hooks.example.com".to_owned(), ips(answers))]);
    Client::new(policy, Resolver::fixed(names), ClientOptions::default()).unwrap()
}

fn url(server: &Server) -> String {
    format!("http://Hooks.Example.com.:{}/", server.address.port())
}

#[tokio::test]
async fn a_name_is_dialled_where_it_leads() {
    let server = Server::well().await;
    let client = client(policy(&["127.0.0.1/32"]), &["127.0.0.1"]);
    assert_eq!(respond(&client, &url(&server), AMPLE).await.status, 200);
}

#[tokio::test]
async fn a_name_without_addresses_is_a_dns_failure() {
    let client = client(policy(&[]), &[]);
    for name in ["hooks.example.com", "other.example.com"] {
        let failure = client
            .send(Request::post(format!("http://{name}/p?q"), ""), AMPLE)
            .await;
        let failure = failure.result.unwrap_err();
        assert_eq!(failure.class, FailureClass::Dns);
        assert_eq!(
            failure.detail,
            format!("cannot resolve {name}: it has no address")
        );
    }
}

#[tokio::test]
async fn a_name_with_a_forbidden_answer_is_refused() {
    let forbidden = [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "168.63.129.16",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "2a00:1450::5efe:7f00:1",
        "fd00:ec2::254",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
    ];
    for answer in forbidden {
        let failure = client(policy(&[]), &[answer])
            .send(Request::post("http://hooks.example.com/", ""), AMPLE)
            .await
            .result
            .unwrap_err();
        assert_eq!(failure.class, FailureClass::TargetNotAllowed, "{answer}");
        assert_eq!(
            failure.detail,
            "the address of the host, or the port, is not one that webhooks may reach"
        );
    }
}

#[tokio::test]
async fn one_forbidden_answer_among_many_refuses_the_name() {
    let server = Server::well().await;
    for position in 0..4 {
        let mut answers = vec!["127.0.0.1"; 3];
        answers.insert(position, "10.0.0.1");
        let client = client(policy(&["127.0.0.1/32"]), &answers);
        assert_eq!(
            fail(&client, &url(&server), AMPLE).await,
            FailureClass::TargetNotAllowed
        );
    }
    let mut many = vec!["127.0.0.1"; 40];
    many.push("10.0.0.1");
    let client = client(policy(&["127.0.0.1/32"]), &many);
    assert_eq!(
        fail(&client, &url(&server), AMPLE).await,
        FailureClass::TargetNotAllowed
    );
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_for_a_dial() {
    let server = Server::well().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let rebinding = Resolver::answering(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => ips(&["127.0.0.1"]),
        _ => ips(&["10.0.0.1"]),
    });
    let options = ClientOptions {
        max_idle_per_host: 0,
        ..ClientOptions::default()
    };
    let client = Client::new(policy(&["127.0.0.1/32"]), rebinding, options).unwrap();
    assert_eq!(respond(&client, &url(&server), AMPLE).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(
        fail(&client, &url(&server), AMPLE).await,
        FailureClass::TargetNotAllowed
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_next_address_is_dialled_when_one_does_not_accept() {
    let server = Server::well().await;
    let client = client(
        policy(&["127.0.0.0/8"]),
        &["127.0.0.2", "127.0.0.3", "127.0.0.1"],
    );
    assert_eq!(respond(&client, &url(&server), AMPLE).await.status, 200);
}

#[tokio::test]
async fn no_more_than_16_addresses_are_dialled() {
    let server = Server::well().await;
    let elsewhere: Vec<String> = (2..18).map(|last| format!("127.0.0.{last}")).collect();
    let mut answers: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
    answers.push("127.0.0.1");
    let client = client(policy(&["127.0.0.0/8"]), &answers);
    assert_eq!(
        fail(&client, &url(&server), AMPLE).await,
        FailureClass::Connect
    );
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn localhost_is_never_resolved() {
    let server = Server::well().await;
    let resolver = Resolver::answering(|name| panic!("{name} was resolved"));
    let client = Client::new(
        policy(&["127.0.0.1/32"]),
        resolver,
        ClientOptions::default(),
    )
    .unwrap();
    for name in ["localhost", "LocalHost.", "hooks.localhost"] {
        let url = format!("http://{name}:{}/", server.address.port());
        assert_eq!(respond(&client, &url, AMPLE).await.status, 200, "{name}");
    }
}
