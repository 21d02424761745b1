use super::{PROGRAM, ended_well, failed, stdout};
use testkit::Process;

#[tokio::test]
async fn every_command_explains_itself() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["demo", "--help"],
        &["migrate", "--help"],
        &["doctor", "--help"],
        &["config", "--help"],
        &["tenant", "--help"],
        &["tenant", "create", "--help"],
        &["keys", "--help"],
        &["keys", "rotate", "--help"],
        &["dead-letters", "--help"],
        &["dead-letters", "list", "--help"],
        &["dead-letters", "show", "--help"],
        &["dead-letters", "requeue", "--help"],
        &["dead-letters", "cancel", "--help"],
        &["dead-letters", "purge", "--help"],
        &["event-types", "--help"],
        &["event-types", "import", "--help"],
        &["listen", "--help"],
        &["provider-simulator", "--help"],
    ] {
        let help = ended_well(&Process::run_command(PROGRAM, args, &[]).await);
        assert!(help.contains("Usage: tidings"), "{args:?}: {help}");
        assert!(help.contains("--config <FILE>"), "{args:?}: {help}");
    }
    let all = ended_well(&Process::run_command(PROGRAM, &["--help"], &[]).await);
    for name in [
        "run",
        "demo",
        "migrate",
        "doctor",
        "config",
        "tenant",
        "keys",
        "dead-letters",
        "event-types",
        "listen",
        "provider-simulator",
    ] {
        assert!(all.contains(&format!("\n  {name} ")), "{name}: {all}");
    }
    let version = ended_well(&Process::run_command(PROGRAM, &["--version"], &[]).await);
    assert!(version.starts_with("tidings "), "{version}");
}

#[tokio::test]
async fn a_command_line_that_means_nothing_is_a_2() {
    for (args, said) in [
        (&[][..], "Usage: tidings"),
        (&["serve"], "unrecognized subcommand 'serve'"),
        (&["run", "--role", "ingress"], "unexpected argument"),
        (&["tenant"], "Usage: tidings tenant"),
        (&["keys"], "Usage: tidings keys"),
        (&["tenant", "create"], "--name <NAME>"),
        (&["dead-letters", "purge"], "--all"),
        (&["listen", "--port", "65536"], "65536"),
        (&["provider-simulator"], "--provider"),
        (
            &["provider-simulator", "--provider", "acme"],
            "africastalking",
        ),
        (
            &["provider-simulator", "--provider", "mtn", "--loss", "2"],
            "from 0 (never) to 1 (always)",
        ),
        (
            &[
                "provider-simulator",
                "--provider",
                "mtn",
                "--outcomes",
                "lost=1",
            ],
            "delivered",
        ),
        (
            &["provider-simulator", "--provider", "mtn", "--delay", "2..1"],
            "such as 1.5 or 0..2",
        ),
        (
            &["provider-simulator", "--provider", "mtn", "--parts", "0"],
            "--parts",
        ),
        (
            &[
                "provider-simulator",
                "--provider",
                "mtn",
                "--callback-secret",
                "x",
            ],
            "mtn signs nothing",
        ),
        (
            &[
                "provider-simulator",
                "--provider",
                "mtn",
                "--callback-url",
                "ftp://x",
            ],
            "--callback-url",
        ),
        (
            &[
                "provider-simulator",
                "--provider",
                "mtn",
                "--callback-network",
                "10",
            ],
            "--callback-network",
        ),
        (
            &["listen", "--port", "0", "--secret", "no-secret"],
            "--secret",
        ),
        (&["config", "--config"], "--config <FILE>"),
    ] {
        failed(&Process::run_command(PROGRAM, args, &[]).await, 2, &[said]);
    }
}

#[tokio::test]
async fn the_demo_tells_its_story_and_ends_well() {
    let output = Process::run_command(PROGRAM, &["demo"], &[]).await;
    let told = ended_well(&output);
    for part in [
        "tells sms.delivered",
        "its signature is verified",
        "tells sms.failed",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let last = told.lines().last().unwrap();
    assert_eq!(
        last,
        "6 callbacks accepted, 1 of them a duplicate; 3 messages tracked; 4 webhooks received, every \
         signature verified."
    );
    assert_eq!(stdout(&output), told);
}
