//! The bench itself, for a second at a time: it runs, and it accounts for every id. How fast anything was
//! is not asked here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tidings_bench::{Mode, Options};

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_accepted_is_accounted_for() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        program: program(),
        mode: Mode::Embedded,
        time: Duration::from_secs(1),
        soak: false,
        commit: "a test".to_owned(),
        say: |_| {},
    };

    let report = tidings_bench::run(&options).await.unwrap();

    assert_eq!(report.verdict(), Ok(()), "{report}");
    assert_eq!(report.accounts.len(), 12, "{report}");
    for account in &report.accounts {
        let expected = account.accepted * account.endpoints;
        assert_eq!(account.told, expected, "{report}");
    }
    for row in &report.rows {
        assert!(row.value.is_finite(), "{row:?}");
    }
}

/// The executable that is built beside this test. A run of this crate's tests alone may be the first to
/// need it.
fn program() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    tidings_bench::beside(&this).unwrap_or_else(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--package", "tidings"])
            .status();
        assert!(build.unwrap().success(), "the executable cannot be built");
        tidings_bench::beside(&this).unwrap()
    })
}
