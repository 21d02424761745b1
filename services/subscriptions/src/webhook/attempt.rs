//! An attempt, as it is shown.

use domain::Timestamp;
use domain::attempt::{Detail, Timing};
use serde::Serialize;
use std::collections::BTreeMap;
use store::delivery::Tried;
use utoipa::ToSchema;

/// The values of headers by their names; those of one name are joined, as RFC 9110 §5.3 has it.
type Headers = BTreeMap<String, String>;

/// One request to an endpoint. What is null was not known, or not kept by an earlier release.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(super) struct AttemptView {
    /// The first is 1.
    number: u32,
    /// When it began.
    started_at: Timestamp,
    /// How long it took.
    duration_ms: i64,
    /// How long its parts took.
    timing: Option<Timing>,
    /// What the endpoint answered.
    status_code: Option<u16>,
    /// What went wrong, in one stable word.
    error: Option<String>,
    /// A sentence about it.
    error_detail: Option<String>,
    /// The method of the request.
    method: Option<String>,
    /// The headers of the request, what is secret replaced.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    request_headers: Option<Headers>,
    /// The headers of the answer, as far as they were kept.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    response_headers: Option<Headers>,
    /// The beginning of the answer.
    response_body: Option<String>,
    /// Whether there was more of the answer than was kept.
    response_cut: Option<bool>,
    /// How long the body of the request was.
    payload_bytes: Option<u64>,
    /// The SHA-256 of that body, in hex.
    payload_sha256: Option<String>,
    /// The trace it belongs to, in hex.
    trace_id: Option<String>,
}

impl From<Tried> for AttemptView {
    fn from(tried: Tried) -> Self {
        let mut view = Self {
            number: tried.number,
            started_at: tried.started_at,
            duration_ms: tried.duration_ms,
            timing: None,
            status_code: tried.status_code,
            error: tried.error,
            error_detail: None,
            method: None,
            request_headers: None,
            response_headers: None,
            response_body: tried.response_body,
            response_cut: None,
            payload_bytes: None,
            payload_sha256: None,
            trace_id: None,
        };
        if let Some(detail) = tried.detail {
            view.add(detail, tried.status_code.is_some());
        }
        view
    }
}

impl AttemptView {
    fn add(&mut self, detail: Detail, is_answered: bool) {
        self.timing = Some(detail.timing);
        self.error_detail = detail.error_detail;
        self.method = Some(detail.method);
        self.request_headers = Some(joined(detail.request_headers));
        self.response_headers = is_answered.then(|| joined(detail.response_headers));
        self.response_cut = is_answered.then_some(detail.is_response_cut);
        self.payload_bytes = Some(detail.payload_bytes);
        self.payload_sha256 = Some(detail.payload_sha256);
        self.trace_id = detail.trace_id;
    }
}

fn joined(headers: Vec<(String, String)>) -> Headers {
    let mut joined = Headers::new();
    for (name, value) in headers {
        joined
            .entry(name)
            .and_modify(|values: &mut String| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}
