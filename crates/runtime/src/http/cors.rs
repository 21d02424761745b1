//! Pages of other origins that may use a listener from a browser (the CORS protocol of the Fetch standard).
//!
//! No answer allows credentials: what a browser adds by itself, like a cookie, opens nothing here. A page has to
//! have a key of its own to show.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// What a page may send besides what any page may.
const TAKEN: &str =
    "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id";
/// What a page may read besides what any page may.
const SHOWN: &str = "etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, \
                     x-request-id";
/// For how many seconds a browser need not ask again.
const ASKED_FOR: u32 = 600;

/// The origins whose pages may use a listener: `https://console.example.com`. With none, browsers are told
/// nothing and keep all pages but the listener's own away.
#[derive(Clone, Debug, Default)]
pub struct Cors(Vec<String>);

impl Cors {
    /// These, as a browser writes them.
    pub const fn of(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// The origin of a request whose page may use the listener.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut values = headers.get_all(ORIGIN);
        let origin = values.next().filter(|_| values.next().is_none())?;
        let is_it = |known: &String| known.as_bytes() == origin.as_bytes();
        self.0.iter().any(is_it).then(|| origin.clone())
    }

    /// The answer to a browser that asks before it sends what its page wants to send; none where it does not ask,
    /// or the page may not.
    pub(super) fn preflight(&self, request: &ServiceRequest) -> Option<HttpResponse<BoxBody>> {
        let headers = request.headers();
        let is_asked = request.method() == Method::OPTIONS
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_asked || self.allowed(headers).is_none() {
            return None;
        }
        let mut answer = HttpResponse::NoContent();
        answer
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, TAKEN))
            .insert_header((ACCESS_CONTROL_MAX_AGE, ASKED_FOR));
        Some(answer.finish())
    }

    /// Tells the browser that the page of this origin may have the answer.
    pub(super) fn tell(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        // Whoever keeps answers must not give one page another's.
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(SHOWN),
            );
        }
    }
}
