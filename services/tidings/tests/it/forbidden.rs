//! What tenants may not make us reach, however it is written and whatever its name stands for: nothing
//! is dialled, and all a tenant learns is `target_not_allowed`.

use crate::app::{MANY_AT_ONCE, SOON, Tenant, TestApp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use testkit::{Endpoint, NameServer, Reply};
use tidings::app::Reach;

/// Hosts, in every notation. Those of this machine lead to a trap.
const HOSTS: [&str; 85] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.8.8.8",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "0x7F.0.0.1",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "00000177.0.0.01",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "127。0。0。1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost%2e",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "admin.localhost",
    "a.b.LocalHost.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::f7f7:f7f7]",
    "[2001:0:808:808::80ff:fffe]",
    "[2a00:1450::5efe:7f00:1]",
    "[2a00:1450::200:5efe:127.0.0.1]",
    "0.0.0.0",
    "0",
    "0x0",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    "10.0.0.1",
    "167772161",
    "012.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "0xc0a80001",
    "192.168.257",
    "[::ffff:192.168.0.1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fec0::1]",
    "169.254.1.1",
    "[fe80::1]",
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "100.64.0.1",
    "100.127.255.255",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "[ff02::1]",
    "[2001:db8::1]",
];
/// All that there is, for a moment.
const EVERYTHING: &str = "0.0.0.0/0,::/0,64:ff9b::/96,64:ff9b:1::/96";

/// What a name may not stand for.
const ADDRESSES: [&str; 34] = [
    "127.0.0.2",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.2",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:2",
    "64:ff9b::7f00:2",
    "64:ff9b:1::7f00:2",
    "2002:7f00:2::1",
    "2001:0:7f00:2::1",
    "2a00:1450::5efe:7f00:2",
    "fd00:ec2::254",
    "fc00::1",
    "fe80::1",
    "ff02::1",
];

/// A webhook whose deliveries are tried once in an hour; where they are listed.
async fn webhook(tenant: &Tenant, url: &str) -> String {
    let body = json!({ "url": url, "events": ["*"], "timeout_seconds": 5,
        "retry": { "delays": [3_600, 3_600] } });
    let made = tenant.api.post("/v1/webhooks", body).await.expect(201);
    format!("/v1/webhooks/{}/deliveries", made["id"].as_str().unwrap())
}

/// What is listed once there are so many and the newest was tried.
async fn tried(tenant: &Tenant, path: &str, number: usize) -> Value {
    let is_tried = |found: &Value| {
        let all = found["data"].as_array().unwrap();
        all.len() == number && all[0]["attempts"][0].is_object()
    };
    tenant.api.get_until(path, is_tried, SOON).await
}

/// All that the API says of a refused attempt.
fn assert_refused(what: &str, found: &Value) {
    let delivery = &found["data"][0];
    let attempt = &delivery["attempts"][0];
    assert_eq!(
        (
            &attempt["error"],
            &attempt["error_detail"],
            &attempt["status_code"]
        ),
        (
            &json!("target_not_allowed"),
            &json!("the address of the host, or the port, is not one that webhooks may reach"),
            &Value::Null
        ),
        "{what}: {found}"
    );
    assert_eq!(attempt["timing"]["connect_ms"], Value::Null, "{what}");
    assert_eq!(delivery["state"], "pending", "{what}");
    let said = found.to_string();
    for address in ADDRESSES.iter().filter(|address| address.len() > 3) {
        assert!(!said.contains(address), "{what} tells {address}: {said}");
    }
    for reason in [
        "127.0.0",
        "169.254",
        "loopback",
        "private",
        "link_local",
        "nat64",
        "reserved",
    ] {
        assert!(!said.contains(reason), "{what} tells {reason}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_come_to_be_forbidden_is_refused_when_it_is_dialled_in_every_notation() {
    let trap = Endpoint::start().await;
    let all = [("TIDINGS_EGRESS__ALLOW_NETWORKS", EVERYTHING), MANY_AT_ONCE];
    let mut app = TestApp::start_with(&all).await;
    let tenant = app.tenant("Clinic").await;
    let urls = HOSTS.map(|host| format!("http://{host}:{}/trap", trap.port()));
    let paths = join_all(urls.iter().map(|url| webhook(&tenant, url))).await;
    app.restart_with(&[("TIDINGS_EGRESS__ALLOW_NETWORKS", "")])
        .await;
    let tenant = app.again(&tenant);
    tenant.publish("job.created", json!({})).await;
    let found = join_all(paths.iter().map(|path| tried(&tenant, path, 1))).await;
    for (url, found) in urls.iter().zip(&found) {
        assert_refused(url, found);
        // Nor is it taken any more.
        let body = json!({ "url": url, "events": ["*"] });
        let answer = tenant.api.post("/v1/webhooks", body).await;
        answer.expect_problem(422, "url_not_allowed");
    }
    assert_eq!(trap.connections(), 0);
}

/// A name server and an app that asks it; only 127.0.0.1 may be reached.
async fn start() -> (NameServer, TestApp) {
    let names = NameServer::start();
    let reach = Reach {
        resolver: egress::Resolver::asking(names.address()).unwrap(),
        extra_roots: Vec::new(),
    };
    let only = ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.1/32");
    let settings = [only, MANY_AT_ONCE];
    let app = TestApp::start_reaching(&settings, reach).await;
    (names, app)
}

/// Listens where nobody may come, at the same port as an endpoint.
fn trap(endpoint: &Endpoint) -> TcpListener {
    let trap = TcpListener::bind(("127.0.0.2", endpoint.port())).unwrap();
    trap.set_nonblocking(true).unwrap();
    trap
}

fn assert_untouched(trap: &TcpListener) {
    assert_eq!(
        trap.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

/// The names that lead where nobody may go.
fn tell(names: &NameServer) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |name: String, addresses: &[&str]| {
        names.tell(&name, addresses);
        told.push(name);
    };
    for (number, address) in ADDRESSES.iter().enumerate() {
        tell(format!("n{number}.example.com"), &[address]);
        // One among good ones is enough, wherever it is.
        let good = "127.0.0.1";
        tell(format!("first{number}.example.com"), &[address, good]);
        tell(format!("last{number}.example.com"), &[good, address]);
    }
    let many: Vec<&str> = ["127.0.0.1"; 30].into_iter().chain(["127.0.0.2"]).collect();
    tell("many.example.com".to_owned(), &many);
    tell("metadata.google.internal".to_owned(), &["169.254.169.254"]);
    tell("instance-data".to_owned(), &["169.254.169.254"]);
    tell("127.0.0.2.nip.example".to_owned(), &["127.0.0.2"]);
    tell("xn--mnchen-3ya.example".to_owned(), &["127.0.0.2"]);
    // Aliases of aliases of one that may not be reached, and of one that is called like this machine.
    for (name, of) in [
        ("alias.example.com", "alias2.example.com"),
        ("alias2.example.com", "alias3.example.com"),
        ("alias3.example.com", "n0.example.com"),
        ("home.example.com", "localhost"),
    ] {
        names.alias(name, of);
        told.push(name.to_owned());
    }
    names.tell("localhost", &["127.0.0.2"]);
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_where_nobody_may_go_is_refused_when_it_is_dialled() {
    let (names, app) = start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    let trap = trap(&endpoint);
    let mut written = tell(&names);
    written.extend([
        "N0.Example.COM".to_owned(),
        "n0.example.com.".to_owned(),
        "münchen.example".to_owned(),
    ]);
    names.tell("good.example.com", &["127.0.0.1"]);
    names.alias("good-alias.example.com", "good.example.com");
    let url = |name: &str| format!("http://{name}:{}/hook", endpoint.port());
    let urls: Vec<String> = written.iter().map(|name| url(name)).collect();
    let paths = join_all(urls.iter().map(|url| webhook(&tenant, url))).await;
    let mut good = Vec::new();
    for name in ["good.example.com", "good-alias.example.com"] {
        good.push(webhook(&tenant, &url(name)).await);
    }
    let unknown = webhook(&tenant, &url("nobody.example.com")).await;
    tenant.publish("job.created", json!({})).await;
    let found = join_all(paths.iter().map(|path| tried(&tenant, path, 1))).await;
    for (name, found) in written.iter().zip(&found) {
        assert_refused(name, found);
    }
    assert_untouched(&trap);
    for path in &good {
        let found = tried(&tenant, path, 1).await;
        assert_eq!(found["data"][0]["state"], "delivered", "{found}");
    }
    assert_eq!(endpoint.hits().len(), 2);
    let attempt = &tried(&tenant, &unknown, 1).await["data"][0]["attempts"][0];
    assert_eq!(attempt["error"], "dns");
}

#[tokio::test]
async fn a_name_that_comes_to_stand_for_another_address_is_judged_at_each_dial() {
    let (names, app) = start().await;
    let tenant = app.tenant("Clinic").await;
    let endpoint = Endpoint::start().await;
    // Each attempt dials anew.
    endpoint.answer_with(Reply::with(200, &[("connection", "close")], ""));
    let trap = trap(&endpoint);
    let name = "rebinding.example.com";
    names.tell(name, &["127.0.0.1"]);
    let path = webhook(&tenant, &format!("http://{name}:{}/", endpoint.port())).await;
    assert_eq!(
        names.asked(name),
        0,
        "a name is not judged before it is dialled"
    );
    let delivered = async |number: usize| {
        let is_told = |found: &Value| {
            let all = found["data"].as_array().unwrap();
            all.iter().filter(|one| one["state"] == "delivered").count() == number
        };
        tenant.api.get_until(&path, is_told, SOON).await
    };
    tenant.publish("job.created", json!({ "n": 1 })).await;
    delivered(1).await;
    assert_eq!(names.asked(name), 1);
    for (told, address) in ["127.0.0.2", "10.0.0.1", "169.254.169.254"]
        .iter()
        .enumerate()
    {
        names.tell(name, &[address]);
        let asked = names.asked(name);
        tenant.publish("job.created", json!({ "n": 2 })).await;
        assert_refused(address, &tried(&tenant, &path, told + 2).await);
        assert_eq!(names.asked(name), asked + 1, "once for each dial");
    }
    assert_untouched(&trap);
    // What was refused is delivered once the name leads where it should.
    names.tell(name, &["127.0.0.1"]);
    app.clock.advance(Duration::from_secs(4_400));
    delivered(4).await;
    assert_untouched(&trap);
}
