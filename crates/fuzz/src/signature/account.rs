//! Accounts with every check there is. Their secrets are fixed, and no input has them.

use serde_json::{Value, json};
use signing::checks::Checks;

pub(super) const SECRETS: [&str; 2] = [
    "a secret that no input has: new",
    "a secret that no input has: old",
];
pub(super) const HEADER: &str = "x-signature";
pub(super) const TIMESTAMP_HEADER: &str = "x-timestamp";
pub(super) const TOLERANCE_S: i64 = 300;

/// The source that is in the networks of those who have some: see [`super::request`].
pub(super) const KNOWN_SOURCE: &str = "203.0.113.9";

const ALGORITHMS: [&str; 4] = ["sha256", "sha512", "sha1", "md5"];
const ENCODINGS: [&str; 2] = ["hex", "base64"];
const PREFIX: &str = "sha=";

/// The checks of the others, as the API is given them.
const OTHERS: [&str; 14] = [
    r#"[{"type":"token"}]"#,
    r#"[{"type":"api_key","header":"x-api-key","key":"a key that no input has"}]"#,
    r#"[{"type":"basic","username":"user","password":"a password that no input has"}]"#,
    r#"[{"type":"twilio","auth_token":"a token that no input has"}]"#,
    r#"[{"type":"twilio","auth_token":"a token that no input has","public_url":"https://sms.example.com/in?a=1"}]"#,
    r#"[{"type":"vonage","secret":"a secret that no input has","method":"md5hash"}]"#,
    r#"[{"type":"vonage","secret":"a secret that no input has","method":"md5"}]"#,
    r#"[{"type":"vonage","secret":"a secret that no input has","method":"sha1"}]"#,
    r#"[{"type":"vonage","secret":"a secret that no input has","method":"sha256"}]"#,
    r#"[{"type":"vonage","secret":"a secret that no input has","method":"sha512"}]"#,
    r#"[{"type":"ip_allowlist","cidrs":["203.0.113.0/24"]},{"type":"token"}]"#,
    r#"[{"type":"ip_allowlist","cidrs":["0.0.0.0/0","::/0"],"allow_any":true},{"type":"api_key","header":"authorization","key":"a key that no input has"},{"type":"basic","username":"user","password":"a password that no input has"}]"#,
    r#"[{"type":"twilio","auth_token":"a token that no input has"},{"type":"vonage","secret":"a secret that no input has","method":"sha256"}]"#,
    r#"[{"type":"ip_allowlist","cidrs":["203.0.113.0/24","2001:db8::/32"]},{"type":"hmac","secret":"a secret that no input has","algorithm":"sha256","encoding":"hex","header":"x-signature","signed":"timestamp.body","timestamp_header":"x-timestamp"},{"type":"token"}]"#,
];

/// An account of a provider.
#[derive(Clone, Copy)]
pub(super) enum Account {
    /// Its only check is an HMAC.
    Hmac(Hmac),
    /// Its checks are these.
    Other(&'static str),
}

/// One of the ways to sign with an HMAC.
#[derive(Clone, Copy)]
pub(super) struct Hmac {
    pub(super) algorithm: &'static str,
    pub(super) encoding: &'static str,
    /// Whether a timestamp is signed with the body.
    pub(super) has_timestamp: bool,
    /// Whether there are two secrets, and something stands before the MAC.
    pub(super) is_rotated: bool,
}

impl Account {
    /// `A` is the first of the HMACs, `a` the first of the others.
    pub(super) fn of(choice: u8) -> Self {
        let index = usize::from(choice.wrapping_sub(b'A')) % (32 + OTHERS.len());
        match OTHERS.get(index.wrapping_sub(32)) {
            Some(other) => Self::Other(other),
            None => Self::Hmac(Hmac {
                algorithm: ALGORITHMS[index % 4],
                encoding: ENCODINGS[index / 4 % 2],
                has_timestamp: index / 8 % 2 == 1,
                is_rotated: index / 16 % 2 == 1,
            }),
        }
    }

    pub(super) fn checks(self) -> Checks {
        let auth = match self {
            Self::Hmac(hmac) => json!([hmac.spec()]),
            Self::Other(other) => serde_json::from_str(other).expect("it is JSON"),
        };
        let specs = Checks::parse_specs(&auth).expect("they are checks");
        Checks::from_specs(specs, || "a-token-that-no-input-has".to_owned()).expect("they are good")
    }
}

impl Hmac {
    /// What stands before the MAC.
    pub(super) const fn prefix(self) -> &'static str {
        if self.is_rotated { PREFIX } else { "" }
    }

    /// The secrets that are good, the newest first.
    pub(super) fn secrets(self) -> &'static [&'static str] {
        if self.is_rotated {
            &SECRETS
        } else {
            &SECRETS[..1]
        }
    }

    fn spec(self) -> Value {
        let mut spec = json!({
            "type": "hmac",
            "algorithm": self.algorithm,
            "encoding": self.encoding,
            "header": HEADER,
            "secrets": self.secrets(),
        });
        if self.is_rotated {
            spec["prefix"] = json!(PREFIX);
        }
        if self.has_timestamp {
            spec["signed"] = json!("timestamp.body");
            spec["timestamp_header"] = json!(TIMESTAMP_HEADER);
            spec["tolerance_seconds"] = json!(TOLERANCE_S);
        }
        spec
    }
}
