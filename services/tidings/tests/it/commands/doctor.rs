use super::{PROGRAM, command, ended_well, failed, stdout};
use testkit::Process;

#[tokio::test]
async fn it_tells_how_things_are_with_and_without_a_server() {
    let root = tempfile::tempdir().unwrap();
    let fresh = ended_well(&command(root.path(), &["doctor"], &[]).await);
    assert!(fresh.contains("there is no store"), "{fresh}");
    ended_well(&command(root.path(), &["migrate"], &[]).await);
    let alone = ended_well(&command(root.path(), &["doctor"], &[]).await);
    assert!(
        alone.lines().all(|line| line.starts_with("ok       ")),
        "{alone}"
    );
    for part in [
        "the configuration is valid",
        "no server runs in",
        "its schema fits",
        "encryption key",
    ] {
        assert!(alone.contains(part), "{part}: {alone}");
    }
    let no_key = [("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", "")];
    let alone = ended_well(&command(root.path(), &["doctor"], &no_key).await);
    assert!(alone.contains("tidings tenant create"), "{alone}");

    let server = Process::start(PROGRAM, root.path(), &[]).await;
    let beside = ended_well(&command(root.path(), &["doctor"], &[]).await);
    assert!(
        beside.lines().all(|line| line.starts_with("ok       ")),
        "{beside}"
    );
    for part in ["a server runs here, at 127.0.0.1:", "store: ", "broker: "] {
        assert!(beside.contains(part), "{part}: {beside}");
    }
    // It does not disturb the server.
    assert!(server.is_running());

    // One that hangs is no healthy one.
    server.signal("STOP");
    let output = command(root.path(), &["doctor"], &[]).await;
    server.signal("CONT");
    failed(&output, 1, &["found a problem"]);
    assert!(
        stdout(&output).contains("problem  the server does not answer"),
        "{output:?}"
    );
}
