//! What is kept of an attempt beside its result.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is kept of an attempt, for the one who looks for what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// A sentence about the error.
    pub error_detail: Option<String>,
    /// How long its parts took.
    pub timing: Timing,
    /// The method of the request.
    pub method: String,
    /// Its headers, by name and in order, what is secret replaced.
    pub request_headers: Vec<(String, String)>,
    /// The headers of the answer, as far as they were kept.
    pub response_headers: Vec<(String, String)>,
    /// Whether there were more of them, or more of the body, than was kept.
    pub is_response_cut: bool,
    /// The trace it belongs to, in hex.
    pub trace_id: Option<String>,
    /// How long the body was, in bytes.
    pub payload_bytes: u64,
    /// The SHA-256 of the body, in hex.
    pub payload_sha256: String,
}

/// How long the parts of an attempt took, in milliseconds. A part that did not end has no time, nor
/// has the making of a connection that was there before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Timing {
    /// Finding the addresses.
    pub dns_ms: Option<u64>,
    /// Connecting.
    pub connect_ms: Option<u64>,
    /// The TLS handshake.
    pub tls_ms: Option<u64>,
    /// From there to the head of the answer.
    pub first_byte_ms: Option<u64>,
    /// All of it.
    pub total_ms: u64,
}
