//! An attempt, as it is shown.

use domain::Timestamp;
use domain::attempt::{Detail, Timing};
use serde::Serialize;
use std::collections::BTreeMap;
use store::delivery::Tried;

/// The values of headers by their names; those of one name are joined, as RFC 9110 §5.3 has it.
type Headers = BTreeMap<String, String>;

#[derive(Serialize)]
pub(super) struct AttemptView {
    number: u32,
    started_at: Timestamp,
    duration_ms: i64,
    timing: Option<Timing>,
    status_code: Option<u16>,
    error: Option<String>,
    error_detail: Option<String>,
    method: Option<String>,
    request_headers: Option<Headers>,
    response_headers: Option<Headers>,
    response_body: Option<String>,
    response_cut: Option<bool>,
    payload_bytes: Option<u64>,
    payload_sha256: Option<String>,
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
