//! Its own API, below `/simulator`.

use super::*;

#[tokio::test]
async fn the_same_seed_has_the_same_messages() {
    let args = ["--outcomes", "delivered=0.5,failed=0.3,expired=0.2"];
    let mut runs = Vec::new();
    for _ in 0..2 {
        let simulator = simulator("stub", &args).await;
        let many = vec![json!({ "to": TO }); 50];
        let many = json!({ "messages": many });
        simulator
            .api()
            .post("/simulator/messages", many)
            .await
            .expect(201);
        let all = simulator.api().get("/simulator/messages?limit=100").await;
        let all = all.expect(200)["data"].as_array().unwrap().clone();
        let known = |it: &Value| (it["provider_message_id"].clone(), it["outcome"].clone());
        runs.push(all.iter().map(known).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    let failed = runs[0].iter().filter(|(_, outcome)| outcome == "failed");
    assert!((5..30).contains(&failed.count()), "{:?}", runs[0]);
}

#[tokio::test]
async fn messages_are_listed_page_by_page_and_forgotten() {
    let simulator = simulator("mtn", &[]).await;
    let many = json!({ "messages": vec![json!({ "to": TO }); 25] });
    let sent = simulator
        .api()
        .post("/simulator/messages", many)
        .await
        .expect(201);
    let get = async |path: &str| simulator.api().get(path).await.expect(200);
    let first = get("/simulator/messages?limit=20").await;
    assert_eq!(
        (&first["total"], &first["next_after"]),
        (&json!(25), &json!(20))
    );
    let rest = get("/simulator/messages?limit=20&after=20").await;
    assert_eq!(rest["data"].as_array().unwrap().len(), 5);
    assert_eq!(rest["next_after"], Value::Null);
    let last = &sent["messages"][24]["provider_message_id"];
    assert_eq!(&rest["data"][4]["provider_message_id"], last);
    let forgotten = simulator.api().delete("/simulator/messages").await;
    assert_eq!(forgotten.status, 204);
    assert_eq!(get("/simulator/messages").await["total"], 0);
    let path = format!("/simulator/messages/{}", last.as_str().unwrap());
    simulator
        .api()
        .get(&path)
        .await
        .expect_problem(404, "not_found");
}

#[tokio::test]
async fn what_cannot_be_sent_or_set_is_said_with_its_place() {
    let simulator = simulator("mtn-v3", &[]).await;
    for (path, body, pointer) in [
        ("messages", json!([]), ""),
        ("messages", json!({}), "/to"),
        ("messages", json!({ "to": "0970000001" }), "/to"),
        ("messages", json!({ "to": TO, "text": "x" }), "/text"),
        ("messages", json!({ "to": TO, "parts": 0 }), "/parts"),
        ("messages", json!({ "to": TO, "parts": 21 }), "/parts"),
        (
            "messages",
            json!({ "to": TO, "outcome": "lost" }),
            "/outcome",
        ),
        (
            "messages",
            json!({ "to": TO, "from": "x".repeat(129) }),
            "/from",
        ),
        ("messages", json!({ "messages": {} }), "/messages"),
        ("messages", json!({ "messages": [1] }), "/messages/0"),
        (
            "messages",
            json!({ "messages": [{ "to": TO }, { "to": 1 }] }),
            "/messages/1/to",
        ),
        ("messages", json!({ "messages": [], "to": TO }), "/to"),
        ("inbound", json!({ "from": "1", "to": "2" }), "/text"),
        ("settings", json!({ "loss": 2 }), "/loss"),
        ("settings", json!({ "delay": "2..1" }), "/delay"),
        ("settings", json!({ "outcomes": "" }), "/outcomes"),
        ("settings", json!({ "endless_pages": 1 }), "/endless_pages"),
        (
            "settings",
            json!({ "callback_url": "ftp://x" }),
            "/callback_url",
        ),
        (
            "settings",
            json!({ "callback_secret": "x" }),
            "/callback_secret",
        ),
        ("settings", json!({ "lose": 1 }), "/lose"),
    ] {
        let answer = simulator
            .api()
            .post(&format!("/simulator/{path}"), &body)
            .await;
        answer.expect_problem(422, "invalid_request");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}");
    }
    let malformed = simulator
        .api()
        .post_bytes("/simulator/messages", &[], "{\"to\":1,\"to\":2}")
        .await;
    malformed.expect_problem(400, "malformed_json");
    let get = simulator.api().get("/simulator/inbound").await;
    get.expect_problem(405, "method_not_allowed");
    let none = simulator.api().get("/nothing/here").await;
    none.expect_problem(404, "not_found");
    // MTN's v3 has the client's id: it cannot be there twice.
    let message = json!({ "to": TO, "client_reference": "msg-1" });
    assert_eq!(simulator.send(&message).await, "msg-1");
    let again = simulator.api().post("/simulator/messages", message).await;
    again.expect_problem(409, "conflict");
    // Nothing of what was refused was changed.
    let settings = simulator.api().get("/simulator/settings").await.expect(200);
    assert_eq!(
        (&settings["loss"], &settings["delay"]),
        (&json!("0"), &json!("0..0"))
    );
}

#[tokio::test]
async fn it_ends_politely() {
    let simulator = simulator("kannel", &[]).await;
    assert!(simulator.terminate().success());
}
