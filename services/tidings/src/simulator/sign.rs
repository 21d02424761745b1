//! The signatures of providers, made as they make them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

fn mac<M: Mac + KeyInit>(secret: &str, content: &str) -> Vec<u8> {
    // An HMAC takes a key of any length.
    <M as KeyInit>::new_from_slice(secret.as_bytes())
        .map(|mac| mac.chain_update(content).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// The hex of an HMAC-SHA256.
pub(super) fn sha256_hex(secret: &str, content: &str) -> String {
    hex::encode(mac::<Hmac<Sha256>>(secret, content))
}

/// Twilio's: over the URL and the fields of the form, sorted by name.
pub(super) fn twilio(secret: &str, url: &str, fields: &[(String, String)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort();
    let fields: String = sorted
        .into_iter()
        .map(|(name, value)| name + &value)
        .collect();
    STANDARD.encode(mac::<Hmac<Sha1>>(secret, &format!("{url}{fields}")))
}

/// Vonage's, method `sha256`: over the parameters, sorted by name.
pub(super) fn vonage(secret: &str, fields: &[(String, String)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort();
    let mut content = String::new();
    for (name, value) in sorted {
        content.push('&');
        content.push_str(&name);
        content.push('=');
        content.push_str(&value.replace(['&', '='], "_"));
    }
    sha256_hex(secret, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn twilios_own_example_is_reproduced() {
        // The example of Twilio's page on the security of webhooks.
        let fields = pairs(&[
            ("Digits", "1234"),
            ("CallSid", "CA1234567890ABCDE"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
            ("From", "+14158675309"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(
            twilio("12345", url, &fields),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }

    #[test]
    fn vonages_fields_are_sorted_and_made_harmless() {
        let fields = pairs(&[("b", "1&2=3"), ("a", "x")]);
        assert_eq!(
            vonage("my-signature-secret", &fields),
            sha256_hex("my-signature-secret", "&a=x&b=1_2_3")
        );
    }
}
