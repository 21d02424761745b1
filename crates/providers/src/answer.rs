//! What a provider is told once its callback is accepted.

use domain::id::CallbackId;

/// The answer to an accepted callback. It is always a 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Our own JSON, for providers that only look at the status code.
    Standard,
    /// Our own JSON with `"ok": true`, for links by private agreement.
    StandardWithOk,
    /// Exactly what the provider requires.
    Fixed {
        /// Its `Content-Type`.
        content_type: &'static str,
        /// All of it.
        body: &'static str,
    },
}

impl Answer {
    /// The `Content-Type` of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Standard | Self::StandardWithOk => "application/json",
            Self::Fixed { content_type, .. } => content_type,
        }
    }

    /// The body of the answer. `event_id` is the callback's id again, under the name older callers
    /// read.
    pub fn body(self, id: CallbackId) -> String {
        let ok = match self {
            Self::Standard => "",
            Self::StandardWithOk => r#","ok":true"#,
            Self::Fixed { body, .. } => return body.to_owned(),
        };
        format!(r#"{{"status":"accepted","callback_id":"{id}","event_id":"{id}"{ok}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callback_is_named_twice_unless_the_provider_requires_its_own_answer() {
        let id: CallbackId = "cb_0000000000000000000000000a".parse().unwrap();
        assert_eq!(
            Answer::Standard.body(id),
            r#"{"status":"accepted","callback_id":"cb_0000000000000000000000000a","event_id":"cb_0000000000000000000000000a"}"#
        );
        assert!(Answer::StandardWithOk.body(id).ends_with(r#","ok":true}"#));
        let fixed = Answer::Fixed {
            content_type: "text/plain",
            body: "ACK/Jasmin",
        };
        assert_eq!(
            (fixed.content_type(), fixed.body(id).as_str()),
            ("text/plain", "ACK/Jasmin")
        );
    }
}
