//! Tokens of OAuth 2.0 (RFC 6749): how a token endpoint's answer is read.

use crate::ask::{Reply, Token, Unanswered};
use serde_json::Value;
use std::time::Duration;

/// How long a token holds whose answer does not say.
const USUAL_LIFETIME: Duration = Duration::from_hours(1);
/// The longest life of a token that is believed: what a provider writes is added to a clock.
const MAX_LIFETIME: Duration = Duration::from_hours(24 * 365);
/// The longest wait that a provider may ask for.
const MAX_WAIT: Duration = Duration::from_hours(24);
/// The longest token that is taken, in bytes: it becomes a header.
const MAX_TOKEN_BYTES: usize = 4_096;

/// Reads the answer of a token endpoint (section 5). `expires_in` is read as a number or as text:
/// providers write both.
pub(crate) fn read_token(reply: Reply<'_>) -> Result<Token, Unanswered> {
    match reply.status {
        200..=299 => {}
        400 | 401 | 403 => {
            return Err(Unanswered::CredentialsRefused(format!(
                "the token endpoint answered {}",
                reply.status
            )));
        }
        429 => {
            return Err(Unanswered::SlowDown {
                retry_after: retry_after(reply),
            });
        }
        500..=599 => return Err(unavailable(reply)),
        status => {
            return Err(Unanswered::Unreadable(format!(
                "the token endpoint answered {status}"
            )));
        }
    }
    let granted: Value = serde_json::from_slice(reply.body).unwrap_or_default();
    let Some(value) = granted["access_token"].as_str() else {
        let detail = "no token in the token endpoint's answer";
        return Err(Unanswered::Unreadable(detail.to_owned()));
    };
    let is_token =
        (1..=MAX_TOKEN_BYTES).contains(&value.len()) && value.bytes().all(|c| c.is_ascii_graphic());
    if !is_token {
        return Err(Unanswered::Unreadable(
            "the token endpoint's token cannot be sent in a header".to_owned(),
        ));
    }
    let seconds = match &granted["expires_in"] {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    Ok(Token {
        value: value.to_owned(),
        lifetime: seconds.map_or(USUAL_LIFETIME, |it| {
            Duration::from_secs(it).min(MAX_LIFETIME)
        }),
    })
}

/// Seconds of `Retry-After`; a date is not read, for want of a clock.
pub(crate) fn retry_after(reply: Reply<'_>) -> Option<Duration> {
    let seconds = reply.retry_after?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

fn unavailable(reply: Reply<'_>) -> Unanswered {
    Unanswered::Unavailable(format!("status {}", reply.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Result<Token, Unanswered> {
        read_token(Reply {
            status,
            content_type: None,
            retry_after: Some("7"),
            body: body.as_bytes(),
        })
    }

    #[test]
    fn a_lifetime_is_a_number_or_text() {
        for (body, seconds) in [
            (r#"{"access_token":"a","expires_in":"3599"}"#, 3_599),
            (r#"{"access_token":"a","expires_in":60}"#, 60),
            (r#"{"access_token":"a"}"#, 3_600),
            (
                r#"{"access_token":"a","expires_in":18446744073709551615}"#,
                31_536_000,
            ),
        ] {
            assert_eq!(reply(200, body).unwrap().lifetime.as_secs(), seconds);
        }
    }

    #[test]
    fn what_is_no_token_is_said() {
        use Unanswered::{CredentialsRefused, SlowDown, Unavailable, Unreadable};
        assert!(matches!(reply(401, ""), Err(CredentialsRefused(_))));
        assert!(matches!(reply(400, ""), Err(CredentialsRefused(_))));
        assert!(matches!(reply(503, ""), Err(Unavailable(_))));
        assert!(matches!(reply(302, ""), Err(Unreadable(_))));
        assert!(matches!(reply(200, "<html>"), Err(Unreadable(_))));
        let split = r#"{"access_token":"a\r\nb"}"#;
        assert!(matches!(reply(200, split), Err(Unreadable(_))));
        let wait = Some(Duration::from_secs(7));
        assert_eq!(reply(429, ""), Err(SlowDown { retry_after: wait }));
    }
}
