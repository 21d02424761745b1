//! `POST /v1/messages/{id}/poll`.

use super::{PHONE, Scene};
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_is_asked_about_at_once_and_once() {
    let scene = Scene::new().await;
    scene.knows(&[("m-1", "ENROUTE")]);
    let message = scene.tenant.message("clinic", "m-1", PHONE).await;
    let path = format!("/v1/messages/{message}/poll");
    let wished = scene.tenant.api.post(&path, json!({})).await.expect(202);
    assert_eq!(wished["id"], message.as_str());
    scene.tenant.wait_for_state(&message, "sent").await;
    scene.tenant.api.post(&path, json!({})).await.expect(202);
    scene.is_not_asked().await;
    assert_eq!(scene.provider.hits().len(), 1);
    // It does not age by that.
    scene.app.clock.advance(std::time::Duration::from_secs(250));
    scene.is_not_asked().await;
    scene.knows(&[("m-1", "DELIVRD")]);
    scene.tenant.api.post(&path, json!({})).await.expect(202);
    scene.tenant.wait_for_state(&message, "delivered").await;
    let over = scene.tenant.api.post(&path, json!({})).await.expect(409);
    assert_eq!(over["code"], "conflict");
}

#[tokio::test]
async fn what_cannot_be_asked_about_is_said_to_be() {
    let scene = Scene::new().await;
    scene
        .account("silent", "", json!({ "status_api": null }))
        .await;
    let unasked = scene.tenant.message("silent", "m-1", PHONE).await;
    let body = json!({ "provider_account": "clinic", "client_reference": "r-1", "to": PHONE });
    let made = scene
        .tenant
        .api
        .post("/v1/messages", body)
        .await
        .expect(201);
    let nameless = made["id"].as_str().unwrap();
    for (message, why) in [(unasked.as_str(), "status_api"), (nameless, "lacks the id")] {
        let path = format!("/v1/messages/{message}/poll");
        let refused = scene.tenant.api.post(&path, json!({})).await.expect(409);
        assert!(
            refused["detail"].as_str().unwrap().contains(why),
            "{refused}"
        );
    }
    let mine = scene.tenant.message("clinic", "m-2", PHONE).await;
    let stranger = scene.app.tenant("Other").await;
    for (api, id) in [
        (&stranger.api, mine.as_str()),
        (&scene.tenant.api, "msg_00000000000000000000000000"),
        (&scene.tenant.api, "nonsense"),
    ] {
        let path = format!("/v1/messages/{id}/poll");
        let missing: Value = api.post(&path, json!({})).await.expect(404);
        assert_eq!(missing["code"], "not_found");
    }
    let path = format!("/v1/messages/{mine}/poll");
    scene.tenant.api.get(&path).await.expect(405);
}
