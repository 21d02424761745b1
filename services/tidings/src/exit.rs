//! How a command ends when it fails.

use std::fmt;
use std::process::ExitCode;

/// Why a command failed, and with which code the process ends.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong while running: 1.
    Runtime(String),
    /// The configuration or the command line is wrong: 2.
    Configuration(String),
    /// The store's schema does not fit this release: 3.
    Schema(String),
}

impl Failure {
    /// The process's exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Runtime(_) => ExitCode::from(1),
            Self::Configuration(_) => ExitCode::from(2),
            Self::Schema(_) => ExitCode::from(3),
        }
    }

    /// Something went wrong while running.
    pub fn runtime(error: impl fmt::Display) -> Self {
        Self::Runtime(error.to_string())
    }

    /// The configuration or the command line is wrong.
    pub fn configuration(error: impl fmt::Display) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(text) | Self::Configuration(text) | Self::Schema(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::SchemaTooNew(_)
            | store::Error::SchemaTooOld(_)
            | store::Error::Migration(_) => Self::Schema(error.to_string()),
            other => Self::Runtime(other.to_string()),
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        match error {
            runtime::Error::Held { .. } => Self::Configuration(error.to_string()),
            other => Self::Runtime(other.to_string()),
        }
    }
}
