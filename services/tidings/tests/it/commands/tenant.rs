use super::{PROGRAM, command, ended_well, failed};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use testkit::{ADMIN_KEY, Api, Process};

async fn create(data_dir: &Path, settings: &[(&str, &str)]) -> Value {
    let output = command(
        data_dir,
        &["tenant", "create", "--name", "Clinic"],
        settings,
    )
    .await;
    let made: Value = serde_json::from_str(&ended_well(&output)).unwrap();
    let mut names: Vec<_> = made.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["api_key", "id", "name", "plan"]);
    assert_eq!(
        (&made["name"], &made["plan"]),
        (&"Clinic".into(), &"standard".into())
    );
    made
}

#[tokio::test]
async fn a_tenant_is_made_with_and_without_a_server() {
    let root = tempfile::tempdir().unwrap();
    // Before the first start, and without an admin key: whoever has the files needs none.
    let first = create(root.path(), &[("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", "")]).await;
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    let second = create(root.path(), &[]).await;
    assert_ne!(first["id"], second["id"]);
    for made in [&first, &second] {
        let key = made["api_key"].as_str().unwrap();
        Api::new(&server.api_url(), key)
            .get("/v1/events")
            .await
            .expect(200);
    }

    // Beside a server its key is needed, and the right one.
    let args = ["tenant", "create", "--name", "Clinic"];
    let output = command(
        root.path(),
        &args,
        &[("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", "")],
    )
    .await;
    failed(
        &output,
        2,
        &["a server runs here", "subscriptions.admin_key"],
    );
    let wrong = [(
        "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY",
        "another-key-of-good-length",
    )];
    let output = command(root.path(), &args, &wrong).await;
    failed(&output, 2, &["401", "subscriptions.admin_key"]);
    assert!(!super::stderr(&output).contains(wrong[0].1));

    // Afterwards, too.
    assert!(server.terminate(Duration::from_secs(25)).await.success());
    create(root.path(), &[]).await;
}

#[tokio::test]
async fn a_name_or_plan_that_is_none_is_refused_with_and_without_a_server() {
    let root = tempfile::tempdir().unwrap();
    let refuse = async || {
        let gold = ["tenant", "create", "--name", "A", "--plan", "gold"];
        failed(
            &command(root.path(), &gold, &[]).await,
            2,
            &["the plans are: standard, starter"],
        );
        let nameless = ["tenant", "create", "--name", ""];
        failed(
            &command(root.path(), &nameless, &[]).await,
            2,
            &["1 to 128 characters"],
        );
    };
    refuse().await;
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    refuse().await;
    let standard = ["tenant", "create", "--name", "A", "--plan", "standard"];
    ended_well(&command(root.path(), &standard, &[]).await);
    drop(server);
    // A server that was killed has left its addresses, and is not there.
    ended_well(
        &command(
            root.path(),
            &standard,
            &[("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", ADMIN_KEY)],
        )
        .await,
    );
}
