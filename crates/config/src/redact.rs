use url::Url;

use crate::secret::{REDACTED, Secret};

/// Words in the name of a query parameter that make its value a secret.
const SECRET_WORDS: [&str; 6] = ["pass", "pwd", "secret", "token", "key", "auth"];

/// A URL without its password and the like. What cannot be taken apart for certain is hidden whole.
pub(crate) fn url(secret: &Secret) -> String {
    let text = secret.reveal();
    redacted(text).unwrap_or_else(|| {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        format!("{scheme}://{REDACTED}")
    })
}

fn redacted(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    if has_stray_at(&url) {
        return None;
    }
    if url.password().is_some() {
        url.set_password(Some(REDACTED)).ok()?;
    }
    // Where there is no account to log in to, the name itself is the token.
    if matches!(url.scheme(), "http" | "https") && !url.username().is_empty() {
        url.set_username(REDACTED).ok()?;
    }
    if let Some(query) = url.query().map(redacted_query) {
        url.set_query(Some(&query));
    }
    Some(url.into())
}

/// An `@` behind the host: part of a password was written unescaped and taken for a path.
fn has_stray_at(url: &Url) -> bool {
    [Some(url.path()), url.query(), url.fragment()]
        .into_iter()
        .flatten()
        .any(|part| part.contains('@'))
}

fn redacted_query(query: &str) -> String {
    let pairs: Vec<String> = query.split('&').map(redacted_pair).collect();
    pairs.join("&")
}

fn redacted_pair(pair: &str) -> String {
    let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
    let lower = name.to_ascii_lowercase();
    if SECRET_WORDS.iter().any(|word| lower.contains(word)) {
        return format!("{name}={REDACTED}");
    }
    pair.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        url(&Secret::new(text))
    }

    #[test]
    fn a_password_is_hidden_and_the_rest_shown() {
        assert_eq!(
            shown("postgres://t:pw@db:5432/t"),
            "postgres://t:***@db:5432/t"
        );
        assert_eq!(
            shown("amqps://t:p%2Fw@mq/%2f?heartbeat=10"),
            "amqps://t:***@mq/%2f?heartbeat=10"
        );
        assert_eq!(shown("postgres://db/t"), "postgres://db/t");
        assert_eq!(shown("postgres://t@db/t"), "postgres://t@db/t");
        assert_eq!(
            shown("https://token@otlp.example/a"),
            "https://***@otlp.example/a"
        );
    }

    #[test]
    fn a_password_among_the_parameters_is_hidden() {
        assert_eq!(
            shown("postgres:///t?host=/run&user=t&password=pw&sslmode=require"),
            "postgres:///t?host=/run&user=t&password=***&sslmode=require"
        );
    }

    #[test]
    fn what_cannot_be_taken_apart_is_hidden_whole() {
        for text in [
            "postgres://t:p/pw@db/t",
            "postgres://t:12/pw@db/t",
            "postgres://t:12?pw@db/t",
            "postgres://t:12#pw@db/t",
            "postgres://t:pw@a:1,b:2/t",
        ] {
            assert_eq!(shown(text), "postgres://***", "{text}");
        }
        assert_eq!(shown("postgres://t:pw@pw@db/t"), "postgres://t:***@db/t");
    }
}
