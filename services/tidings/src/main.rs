//! The executable: reads the command line, does what it says, and ends with the code that tells.

#[cfg(feature = "failpoints")]
mod failpoints;

use clap::Parser;
use std::process::ExitCode;
use tidings::command::Command;
use tidings::print;

fn main() -> ExitCode {
    let command = Command::parse();
    #[cfg(feature = "failpoints")]
    if let Err(failure) = failpoints::arm() {
        print::error(&failure.to_string());
        return failure.code();
    }
    // reqwest and the egress client share one TLS library with one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&format!("the runtime cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(command.perform());
    // A thread that waits for a disk or a resolver does not hold the end up.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::error(&failure.to_string());
            failure.code()
        }
    }
}
