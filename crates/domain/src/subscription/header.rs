//! Which headers a subscription may bring (RFC 9110 §5, and the contract's reserved names).

/// Names that are taken exactly.
const RESERVED: [&str; 13] = [
    "host",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    "traceparent",
    "tracestate",
    "forwarded",
    "http2-settings",
];
/// Names that are taken with whatever follows.
const RESERVED_PREFIXES: [&str; 4] = ["content-", "proxy-", "webhook-", "x-forwarded-"];

/// Whether a request has this header from Tidings, or from nobody.
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_prefixed = RESERVED_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix));
    is_prefixed || RESERVED.contains(&name.as_str())
}

/// Whether a text is a token (RFC 9110 §5.6.2), as the name of a header is.
pub fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Whether a text may be the value of a header (RFC 9110 §5.5): visible ASCII, with spaces and tabs
/// inside. Other bytes are obsolete there and read differently by everybody.
pub fn is_value(text: &str) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let bytes = text.as_bytes();
    let is_trimmed = !bytes.first().is_some_and(is_blank) && !bytes.last().is_some_and(is_blank);
    is_trimmed
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_graphic() || is_blank(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_a_request_or_says_who_sent_it_is_reserved_in_any_case() {
        for name in [
            "Host",
            "content-length",
            "Content-Type",
            "CONNECTION",
            "Transfer-Encoding",
            "te",
            "Upgrade",
            "Proxy-Authorization",
            "webhook-id",
            "Webhook-Anything",
            "User-Agent",
            "traceparent",
            "TraceState",
            "Forwarded",
            "X-Forwarded-For",
            "Expect",
            "Keep-Alive",
            "Trailer",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "X-Real-Ip",
            "Authorization",
            "X-Api-Key",
            "contents",
            "X-Webhook-Id",
            "hosts",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn nothing_in_a_name_or_value_can_begin_another_header() {
        for name in ["", "a b", "a:b", "a\r\nb", "é", "a\0", "a(b)"] {
            assert!(!is_token(name), "{name:?}");
        }
        assert!(is_token("X-Api_Key.1"));
        for value in ["a\r\nb: c", "a\nb", "\0", "é", " a", "a ", "\ta", "\u{7f}"] {
            assert!(!is_value(value), "{value:?}");
        }
        for value in ["", "a", "a b\tc", "Bearer x=="] {
            assert!(is_value(value), "{value:?}");
        }
    }
}
