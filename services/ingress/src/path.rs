//! Which account and kind a callback's path names.

use domain::account::Slug;
use domain::callback::Kind;

/// What a path says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CallbackPath<'a> {
    pub slug: Slug,
    pub token: Option<&'a str>,
    pub kind: Kind,
}

impl<'a> CallbackPath<'a> {
    /// Reads `/v1/callbacks/{account}/{kind}`, `/v1/callbacks/{account}/{token}/{kind}`, or one of
    /// the older addresses that name a provider.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/api/webhooks/") {
            return Self::older(rest);
        }
        let segments: Vec<&str> = path.strip_prefix("/v1/callbacks/")?.split('/').collect();
        let (slug, token, kind) = match segments[..] {
            [slug, kind] => (slug, None, kind),
            [slug, token, kind] if !token.is_empty() => (slug, Some(token), kind),
            _ => return None,
        };
        Some(Self {
            slug: slug.parse().ok()?,
            token,
            kind: Kind::parse(kind)?,
        })
    }

    fn older(rest: &str) -> Option<Self> {
        let provider = match rest.split('/').collect::<Vec<_>>()[..] {
            ["africastalking", "delivery"] => "africastalking",
            ["legacy", provider, "delivery"] => provider,
            _ => return None,
        };
        let slug: Slug = provider.parse().ok()?;
        slug.is_reserved().then_some(Self {
            slug,
            token: None,
            kind: Kind::Reports,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<(String, Option<&str>, &'static str)> {
        CallbackPath::parse(path).map(|path| (path.slug.into(), path.token, path.kind.as_str()))
    }

    #[test]
    fn a_path_names_an_account_a_kind_and_perhaps_a_token() {
        assert_eq!(
            parse("/v1/callbacks/clinic/reports"),
            Some(("clinic".into(), None, "reports"))
        );
        assert_eq!(
            parse("/v1/callbacks/clinic/s3cret/opt-outs"),
            Some(("clinic".into(), Some("s3cret"), "opt-outs"))
        );
    }

    #[test]
    fn older_addresses_name_the_account_of_a_provider() {
        let expected = |slug: &str| Some((slug.to_owned(), None, "reports"));
        assert_eq!(
            parse("/api/webhooks/africastalking/delivery"),
            expected("africastalking")
        );
        assert_eq!(
            parse("/api/webhooks/legacy/orange/delivery"),
            expected("orange")
        );
        assert_eq!(parse("/api/webhooks/legacy/clinic/delivery"), None);
    }

    #[test]
    fn anything_else_is_nowhere() {
        for path in [
            "/v1/callbacks/clinic",
            "/v1/callbacks/clinic/",
            "/v1/callbacks/clinic/faxes",
            "/v1/callbacks/Clinic/reports",
            "/v1/callbacks//reports",
            "/v1/callbacks/clinic//reports",
            "/v1/callbacks/clinic/a/b/reports",
            "/v1/callbacks/clinic/reports/",
            "/api/webhooks/africastalking",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
