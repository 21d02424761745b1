//! Paths that have another beginning than the routes they reach.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// A beginning of paths that stands for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// As it is asked for: whole segments.
    pub from: &'static str,
    /// As the routes have it.
    pub to: &'static str,
}

/// Gives a request the path that its routes have. From here on nobody sees the one it came with.
pub(super) fn resolve(request: &mut ServiceRequest, aliases: &[Alias]) {
    let path = request.path();
    let Some(path) = aliases.iter().find_map(|alias| alias.resolve(path)) else {
        return;
    };
    let query = request.query_string();
    let text = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    let mut parts = request.uri().clone().into_parts();
    // Both were read as parts of a URI before; one that cannot be made of them keeps its path.
    let Ok(path_and_query) = PathAndQuery::try_from(text) else {
        return;
    };
    parts.path_and_query = Some(path_and_query);
    let Ok(uri) = Uri::from_parts(parts) else {
        return;
    };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

impl Alias {
    fn resolve(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(self.from)?;
        let is_whole = rest.is_empty() || rest.starts_with('/');
        is_whole.then(|| format!("{}{rest}", self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_stands_for_whole_segments_only() {
        let alias = Alias {
            from: "/api/hooks",
            to: "/v1/webhooks",
        };
        let resolved = |path| alias.resolve(path);
        assert_eq!(resolved("/api/hooks").as_deref(), Some("/v1/webhooks"));
        assert_eq!(
            resolved("/api/hooks/a/b").as_deref(),
            Some("/v1/webhooks/a/b")
        );
        for path in [
            "/api/hooksy",
            "/api/hook",
            "/v1/api/hooks",
            "/API/hooks",
            "",
        ] {
            assert_eq!(resolved(path), None, "{path}");
        }
    }
}
