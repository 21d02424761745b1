//! The document and the page that shows it, as they are served: without a key, and without asking any other host.

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use runtime::http::only;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Scripts, styles and requests are of this host alone; nothing else is loaded, and no other page shows this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What is served of the document.
#[derive(Clone)]
pub(crate) struct Served(Arc<[Asset]>);

struct Asset {
    path: &'static str,
    kind: &'static str,
    body: Bytes,
    etag: String,
}

impl Served {
    /// The document is written once for all workers.
    pub(crate) fn new() -> Self {
        let document = Bytes::from(super::document());
        let of = |text: &'static str| Bytes::from_static(text.as_bytes());
        let assets = [
            ("/openapi.json", "application/json", document),
            ("/docs", HTML, of(include_str!("viewer/index.html"))),
            (
                "/docs/viewer.js",
                SCRIPT,
                of(include_str!("viewer/viewer.js")),
            ),
            (
                "/docs/viewer.css",
                CSS,
                of(include_str!("viewer/viewer.css")),
            ),
        ];
        let asset = |(path, kind, body): (&'static str, &'static str, Bytes)| Asset {
            path,
            kind,
            etag: etag(&body),
            body,
        };
        Self(assets.map(asset).into())
    }

    pub(crate) fn routes(&self, routes: &mut ServiceConfig) {
        for (place, asset) in self.0.iter().enumerate() {
            let served = self.clone();
            let get = move |request: HttpRequest| {
                let answer = served.0.get(place).map(|asset| asset.answer(&request));
                async move { answer.unwrap_or_else(|| HttpResponse::NotFound().finish()) }
            };
            routes.service(
                web::resource(asset.path)
                    .route(web::get().to(get))
                    .default_service(only(&[Method::GET])),
            );
        }
    }
}

impl Asset {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut response = if self.is_known(request) {
            HttpResponse::NotModified().finish()
        } else {
            HttpResponse::Ok().body(self.body.clone())
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(ETAG, etag);
        }
        response
    }

    /// Whether the caller has it already.
    fn is_known(&self, request: &HttpRequest) -> bool {
        let mut known = request.headers().get_all(IF_NONE_MATCH);
        known.any(|value| {
            let tags = value.to_str().unwrap_or_default().split(',');
            tags.map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.etag)
        })
    }
}

fn etag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    format!("\"{}\"", hex::encode(hash))
}
