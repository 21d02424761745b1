//! The feed, at two processes of the API.

use super::launch;
use crate::app::SOON;
use crate::servers::Servers;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{ADMIN_KEY, Api};

#[tokio::test]
async fn a_reader_at_one_process_is_told_of_what_is_published_at_another_while_he_waits() {
    let Some(servers) = Servers::find().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let mut processes = Vec::new();
    for (name, role) in [
        ("dispatcher", "dispatcher"),
        ("one", "subscriptions"),
        ("other", "subscriptions"),
    ] {
        let data_dir = root.path().join(name);
        processes.push(launch(&servers, &data_dir, &[role]).start().await);
    }
    let operator = Api::new(&processes[1].api_url(), ADMIN_KEY);
    let made = operator
        .post("/v1/tenants", json!({ "name": "Clinic" }))
        .await;
    let key = made.expect(201)["api_key"].as_str().unwrap().to_owned();
    let reading = Api::new(&processes[1].api_url(), &key);
    let writing = Api::new(&processes[2].api_url(), &key);
    let mut cursor = "now".to_owned();
    let mut fastest = Duration::MAX;
    for number in 0..6 {
        let path = format!("/v1/events?after={cursor}&wait=0");
        let now = reading.get(&path).await.expect(200);
        let path = format!("/v1/events?after={}&wait=20", next(&now));
        let read = async {
            let page = reading.get(&path).await.expect(200);
            (page, Instant::now())
        };
        let publishing = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let body = json!({ "type": "job.created", "data": { "n": number } });
            writing.post("/v1/events", body).await.expect(202);
            Instant::now()
        };
        let ((page, heard), published) = tokio::join!(read, publishing);
        assert_eq!(page["data"][0]["data"]["n"], number, "{page}");
        cursor = next(&page);
        fastest = fastest.min(heard.saturating_duration_since(published));
    }
    // Far sooner than what he waits for; that hints cross the broker is told by its own tests.
    assert!(fastest < SOON, "{fastest:?}");
}

fn next(page: &Value) -> String {
    page["next_cursor"].as_str().unwrap().to_owned()
}
