use std::net::SocketAddr;

use tidings_egress::{Client, ClientOptions, FailureClass, Policy, Refusal};

use crate::server::Server;
use crate::{AMPLE, fail, no_names, policy, respond};

fn judge(networks: &[&str], address: &str) -> Result<(), Refusal> {
    policy(networks).judge_address(SocketAddr::new(address.parse().unwrap(), 443))
}

#[test]
fn public_addresses_are_allowed() {
    let addresses = [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "100.63.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.1",
        "2606:4700:4700::1111",
        "2a00:1450:4001:81b::200e",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "2a00:1450::5efe:808:808",
    ];
    for address in addresses {
        assert_eq!(judge(&[], address), Ok(()), "{address}");
    }
}

#[test]
fn an_allowed_network_opens_exactly_itself() {
    let cases = [
        ("10.1.2.0/24", "10.1.2.255", "10.1.3.0", Refusal::Private),
        ("127.0.0.1/32", "127.0.0.1", "127.0.0.2", Refusal::Loopback),
        ("127.0.0.1/32", "::ffff:127.0.0.1", "::1", Refusal::Loopback),
        ("::1/128", "::1", "127.0.0.1", Refusal::Loopback),
        ("fd12::/16", "fd12::1", "fd13::1", Refusal::UniqueLocal),
        (
            "169.254.169.254/32",
            "169.254.169.254",
            "169.254.169.253",
            Refusal::LinkLocal,
        ),
        ("100.64.0.0/10", "100.64.0.1", "10.0.0.1", Refusal::Private),
        ("0.0.0.0/0", "10.0.0.1", "::1", Refusal::Loopback),
    ];
    for (network, open, closed, refusal) in cases {
        assert_eq!(judge(&[network], open), Ok(()), "{network} {open}");
        assert_eq!(
            judge(&[network], closed),
            Err(refusal),
            "{network} {closed}"
        );
    }
}

#[test]
fn an_embedded_address_needs_both_to_be_allowed() {
    let cases: [(&[&str], &str, Result<(), Refusal>); 14] = [
        (&[], "64:ff9b::808:808", Err(Refusal::Nat64)),
        (&["64:ff9b::/96"], "64:ff9b::808:808", Ok(())),
        (&["64:ff9b::/96"], "64:ff9b::7f00:1", Err(Refusal::Nat64)),
        (&["127.0.0.0/8"], "64:ff9b::7f00:1", Err(Refusal::Nat64)),
        (&["64:ff9b::/96", "127.0.0.0/8"], "64:ff9b::7f00:1", Ok(())),
        (
            &["64:ff9b:1::/48"],
            "64:ff9b:1::808:808",
            Err(Refusal::Nat64),
        ),
        (&["64:ff9b:1::/96"], "64:ff9b:1::808:808", Ok(())),
        (&["64:ff9b:1::/96"], "64:ff9b:1::a00:1", Err(Refusal::Nat64)),
        (&["2002::/16"], "2002:808:808::1", Ok(())),
        (&["2002::/16"], "2002:a00:1::1", Err(Refusal::SixToFour)),
        (&["2001::/32"], "2001:0:808:808::f7f7:f7f7", Ok(())),
        (
            &["2001::/32"],
            "2001:0:808:808::80ff:fffe",
            Err(Refusal::Teredo),
        ),
        (
            &["2001::/32"],
            "2001:0:7f00:1::f7f7:f7f7",
            Err(Refusal::Teredo),
        ),
        (&["fe80::/10"], "fe80::5efe:a00:1", Err(Refusal::Isatap)),
    ];
    for (networks, address, verdict) in cases {
        assert_eq!(judge(networks, address), verdict, "{networks:?} {address}");
    }
}

#[test]
fn only_listed_ports_are_open() {
    let policy = Policy::default();
    for port in [80, 443, 1024, 8080, 65535] {
        let url = format!("https://example.com:{port}/");
        assert_eq!(policy.judge_url(&url).unwrap().port(), port);
        assert_eq!(
            policy.judge_address(SocketAddr::new([8, 8, 8, 8].into(), port)),
            Ok(())
        );
    }
    for port in [0, 1, 22, 25, 79, 81, 442, 444, 1023] {
        let url = format!("https://example.com:{port}/");
        assert_eq!(policy.judge_url(&url).unwrap_err(), Refusal::Port, "{port}");
        let address = SocketAddr::new([8, 8, 8, 8].into(), port);
        assert_eq!(policy.judge_address(address), Err(Refusal::Port), "{port}");
    }
    let none = Policy {
        allow_ports: vec![],
        ..Policy::default()
    };
    assert_eq!(
        none.judge_url("https://example.com/").unwrap_err(),
        Refusal::Port
    );
}

#[test]
fn port_0_is_closed_even_where_all_are_open() {
    let policy = Policy {
        allow_ports: vec![0..=65535],
        ..Policy::default()
    };
    assert_eq!(
        policy.judge_url("http://example.com:0/").unwrap_err(),
        Refusal::Port
    );
}

#[test]
fn an_allowed_network_opens_no_port() {
    let policy = Policy {
        allow_ports: vec![443..=443],
        ..policy(&["10.0.0.0/8"])
    };
    assert!(policy.judge_url("https://10.0.0.1/").is_ok());
    assert_eq!(
        policy.judge_url("https://10.0.0.1:6379/").unwrap_err(),
        Refusal::Port
    );
}

#[tokio::test]
async fn http_is_refused_where_https_is_required() {
    let server = Server::well().await;
    let policy = Policy {
        require_https: true,
        ..policy(&["127.0.0.1/32"])
    };
    assert_eq!(
        policy.judge_url(&server.url()).unwrap_err(),
        Refusal::HttpsRequired
    );
    let client = Client::new(policy, no_names(), ClientOptions::default()).unwrap();
    let class = fail(&client, &server.url(), AMPLE).await;
    assert_eq!(class, FailureClass::TargetNotAllowed);
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_target_judged_by_another_policy_is_judged_again() {
    let server = Server::well().await;
    let target = policy(&["127.0.0.1/32"]).judge_url(&server.url()).unwrap();
    let open = Client::new(
        policy(&["127.0.0.1/32"]),
        no_names(),
        ClientOptions::default(),
    )
    .unwrap();
    let request = tidings_egress::Request::post(target, "");
    assert_eq!(
        open.send(request.clone(), AMPLE)
            .await
            .result
            .unwrap()
            .status,
        200
    );
    let closed = Client::new(policy(&[]), no_names(), ClientOptions::default()).unwrap();
    let failure = closed.send(request, AMPLE).await.result.unwrap_err();
    assert_eq!(failure.class, FailureClass::TargetNotAllowed);
}

#[tokio::test]
async fn an_allowed_literal_is_reached_in_every_notation() {
    let server = Server::well().await;
    let client = Client::new(
        policy(&["127.0.0.1/32"]),
        no_names(),
        ClientOptions::default(),
    )
    .unwrap();
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::ffff:7f00:1]",
    ] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(respond(&client, &url, AMPLE).await.status, 200, "{host}");
    }
}
