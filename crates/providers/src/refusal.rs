//! Why a body is not taken. Each detail tells the sender what to change.

use domain::callback::Kind;
use domain::text::cut;

/// The most bytes of a body that a detail shows.
const MAX_ECHO_BYTES: usize = 64;

/// Why a callback's body is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read at all: syntax, UTF-8, a repeated key, depth.
    #[error("{detail}")]
    Malformed {
        /// What it was read as.
        code: MalformedCode,
        /// What is wrong, and where.
        detail: String,
    },
    /// It can be read, but does not have what a statement needs.
    #[error("{detail}")]
    Unrecognised {
        /// What is missing.
        detail: String,
    },
}

/// What a malformed body was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedCode {
    /// JSON (RFC 8259).
    MalformedJson,
    /// A form (`application/x-www-form-urlencoded`).
    MalformedForm,
}

impl Refusal {
    /// The stable code of problem details.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed {
                code: MalformedCode::MalformedJson,
                ..
            } => "malformed_json",
            Self::Malformed {
                code: MalformedCode::MalformedForm,
                ..
            } => "malformed_form",
            Self::Unrecognised { .. } => "unrecognised",
        }
    }

    /// What is wrong.
    pub fn detail(&self) -> &str {
        match self {
            Self::Malformed { detail, .. } | Self::Unrecognised { detail } => detail,
        }
    }

    pub(crate) fn malformed_json(detail: impl Into<String>) -> Self {
        Self::Malformed {
            code: MalformedCode::MalformedJson,
            detail: detail.into(),
        }
    }

    pub(crate) fn malformed_form(detail: impl Into<String>) -> Self {
        Self::Malformed {
            code: MalformedCode::MalformedForm,
            detail: detail.into(),
        }
    }

    pub(crate) fn unrecognised(detail: impl Into<String>) -> Self {
        Self::Unrecognised {
            detail: detail.into(),
        }
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::unrecognised(format!("the field \"{field}\" is missing or empty"))
    }

    /// For a kind of callbacks that the provider of this name does not have.
    pub(crate) fn lacking(provider: &str, kind: Kind) -> Self {
        Self::unrecognised(format!("{provider} has no callbacks of kind {kind}"))
    }

    /// The same, with the place it was found in.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        let (Self::Malformed { detail, .. } | Self::Unrecognised { detail }) = &mut self;
        *detail = format!("{place}: {detail}");
        self
    }
}

/// A name from the body, quoted and short enough to be shown.
pub(crate) fn quote(name: &str) -> String {
    format!("{:?}", cut(name, MAX_ECHO_BYTES))
}
