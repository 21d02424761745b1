use std::process::{self, Command};
use std::time::Duration;
use tidings_runtime::{Shutdown, Signals, Step, Tasks};

fn send(signal: &str) {
    let pid = process::id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_stops() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    tasks.spawn(
        "signals",
        Signals::listen().unwrap().drive(shutdown.clone()),
    );
    send("-TERM");
    shutdown.draining().await;
    assert_eq!(shutdown.step(), Step::Draining);
    send("-INT");
    shutdown.stopped().await;
    assert!(tasks.join(Duration::from_secs(5)).await.is_empty());
}
