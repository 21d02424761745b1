//! Its callbacks, taken by a real ingress.

use super::*;

/// A provider, what it is called in Tidings, and whether it has a signature.
const PROVIDERS: [(&str, &str, Option<&str>); 12] = [
    ("africastalking", "africastalking", None),
    ("orange", "orange", None),
    ("mtn", "mtn", None),
    ("mtn-v3", "mtn", None),
    ("airtel", "airtel", Some("hmac")),
    ("zamtel", "zamtel", Some("hmac")),
    ("kannel", "kannel", None),
    ("jasmin", "jasmin", None),
    ("twilio", "twilio", Some("twilio")),
    ("infobip", "infobip", None),
    ("vonage", "vonage", Some("vonage")),
    ("stub", "stub", Some("hmac")),
];

fn check(kind: Option<&str>, ingress: &str) -> Value {
    match kind {
        None => json!({ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }),
        Some("twilio") => json!({ "type": "twilio", "auth_token": SECRET, "public_url": ingress }),
        Some("vonage") => json!({ "type": "vonage", "secret": SECRET, "method": "sha256" }),
        Some(_) => json!({
            "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
            "header": "X-DLR-Signature", "prefix": "sha256=", "signed": "timestamp.body",
            "timestamp_header": "X-DLR-Timestamp",
        }),
    }
}

/// An account of this provider, and the arguments that have callbacks go to it.
async fn account(
    app: &TestApp,
    tenant: &crate::app::Tenant,
    (name, provider, signature): (&str, &str, Option<&str>),
) -> Vec<String> {
    let slug = format!("sim-{name}");
    let auth = json!([check(signature, app.ingress.base_url())]);
    tenant.account_with(provider, &slug, auth).await;
    let url = format!("{}/v1/callbacks/{slug}/reports", app.ingress.base_url());
    let mut args = vec!["--callback-url".to_owned(), url];
    if signature.is_some() {
        args.extend(["--callback-secret".to_owned(), SECRET.to_owned()]);
    }
    args
}

async fn calling(name: &str, args: &[String], more: &[&str]) -> Simulator {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    simulator(name, &[&args, more].concat()).await
}

fn all_taken(message: &Value) -> bool {
    let callbacks = &message["callbacks"];
    let count = |name: &str| callbacks[name].as_u64().unwrap();
    assert_eq!(count("refused"), 0, "{message}");
    count("accepted") + count("lost") == count("planned")
}

#[tokio::test]
async fn what_every_provider_says_is_accepted_and_believed() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for which in PROVIDERS {
        let (name, ..) = which;
        let args = account(&app, &tenant, which).await;
        let simulator = calling(name, &args, &[]).await;
        for outcome in ["delivered", "failed"] {
            let reference = format!("{name}-{outcome}");
            let sent = json!({ "to": TO, "outcome": outcome, "client_reference": reference });
            let id = simulator.send(sent).await;
            let message = tenant.message(&format!("sim-{name}"), &id, TO).await;
            simulator.message_until(&id, all_taken, SOON).await;
            tenant.wait_for_state(&message, outcome).await;
        }
    }
}

#[tokio::test]
async fn parts_duplicates_and_disorder_come_to_the_same_end() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let args = account(&app, &tenant, ("stub", "stub", Some("hmac"))).await;
    let faults = ["--duplicate", "1", "--disorder", "1", "--parts", "3"];
    let simulator = calling("stub", &args, &faults).await;
    for (outcome, parts_delivered) in [("delivered", 3), ("expired", 2)] {
        let id = simulator
            .send(json!({ "to": TO, "outcome": outcome }))
            .await;
        let body = json!({
            "provider_account": "sim-stub", "provider_message_id": id, "to": TO, "parts": 3,
        });
        let made = tenant.api.post("/v1/messages", body).await.expect(201);
        let seen = simulator.message_until(&id, all_taken, SOON).await;
        // "Sent" and three parts, each of them twice.
        assert_eq!(seen["callbacks"]["planned"], 8);
        // The part that expired may be heard of before the others.
        let is_as_sent = |found: &Value| {
            found["state"] == outcome && found["parts_delivered"] == parts_delivered
        };
        let path = format!("/v1/messages/{}", made["id"].as_str().unwrap());
        tenant.api.get_until(&path, is_as_sent, SOON).await;
    }
}

#[tokio::test]
async fn a_batch_is_one_callback() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let args = account(&app, &tenant, ("infobip", "infobip", None)).await;
    let simulator = calling("infobip", &args, &[]).await;
    let many: Vec<_> = (0..150)
        .map(|n| json!({ "to": format!("+26097000{n:04}") }))
        .collect();
    let sent = simulator
        .api()
        .post("/simulator/messages", json!({ "messages": many }))
        .await
        .expect(201);
    let last = sent["messages"][149]["provider_message_id"].as_str();
    simulator
        .message_until(last.unwrap(), all_taken, SOON)
        .await;
    let callbacks = tenant
        .api
        .get_until(
            "/v1/callbacks?limit=100",
            |found| {
                let all = found["data"].as_array().unwrap().iter();
                let reports = all.map(|it| it["reports"].as_array().map_or(0, Vec::len));
                reports.sum::<usize>() == 300
            },
            SOON,
        )
        .await;
    let count = callbacks["data"].as_array().unwrap().len();
    assert!(count < 150, "{count} callbacks for 300 reports");
}

#[tokio::test]
async fn what_is_lost_or_refused_is_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let args = account(&app, &tenant, ("mtn", "mtn", None)).await;
    let simulator = calling("mtn", &args, &["--loss", "1"]).await;
    let id = simulator.send(json!({ "to": TO })).await;
    let lost = simulator
        .message_until(&id, |message| message["state"] == "delivered", SOON)
        .await;
    let expected = json!({ "planned": 2, "lost": 2, "accepted": 0, "refused": 0 });
    assert_eq!(lost["callbacks"], expected);
    // Changed while it runs: they are sent, and to an account that is not there.
    let elsewhere = format!("{}/v1/callbacks/nobody/reports", app.ingress.base_url());
    simulator
        .set(json!({ "loss": 0, "callback_url": elsewhere }))
        .await;
    let id = simulator.send(json!({ "to": TO })).await;
    let is_refused = |message: &Value| message["callbacks"]["refused"] == 2;
    simulator.message_until(&id, is_refused, SOON).await;
    // And to nobody at all.
    simulator.set(json!({ "callback_url": null })).await;
    let id = simulator.send(json!({ "to": TO })).await;
    let quiet = simulator
        .message_until(&id, |message| message["state"] == "delivered", SOON)
        .await;
    assert_eq!(quiet["callbacks"]["accepted"], 0);
}
