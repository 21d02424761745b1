//! The command line.

mod config;
mod dead_letters;
mod doctor;
mod ending;
mod event_types;
mod help;
mod key;
mod listen;
mod run;
mod simulator;
mod store;
mod tenant;

use std::path::Path;
use std::process::Output;
use testkit::{ADMIN_KEY, Process};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tidings");

/// Runs a command on a data directory with these settings beside free ports.
async fn command(data_dir: &Path, args: &[&str], settings: &[(&str, &str)]) -> Output {
    let data_dir = data_dir.display().to_string();
    let mut env = vec![
        ("TIDINGS_DATA_DIR", data_dir.as_str()),
        ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:0"),
        ("TIDINGS_SUBSCRIPTIONS__LISTEN", "127.0.0.1:0"),
        ("TIDINGS_RUNTIME__ADMIN_LISTEN", "127.0.0.1:0"),
        ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", ADMIN_KEY),
    ];
    env.retain(|(name, _)| settings.iter().all(|(other, _)| other != name));
    // An empty value stands for none.
    env.extend(settings.iter().filter(|(_, value)| !value.is_empty()));
    Process::run_command(PROGRAM, args, &env).await
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// It ended well; what it printed.
#[track_caller]
fn ended_well(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    stdout(output)
}

/// It ended with this code, and said these things on standard error.
#[track_caller]
fn failed(output: &Output, code: i32, said: &[&str]) {
    let all = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for said in said {
        assert!(all.contains(said), "{said:?} is not in: {all}");
    }
}
