//! The signature of Twilio
//! (<https://www.twilio.com/docs/usage/security#validating-requests>).
//!
//! `X-Twilio-Signature` is the base64 of the HMAC-SHA1, under the account's auth token, of the URL
//! that was called followed by the names and values of the form, sorted by name. All of it is
//! signed, fields that nobody knows included.

use super::parameter::{self, Parameter};
use super::{Algorithm, Encoding, Presented, Problems, Refusal, Secret, TwilioSpec};
use super::{header, secret};
use serde_json::{Value, json};
use subtle::{Choice, ConstantTimeEq};

const HEADER: &str = "x-twilio-signature";
const MAX_URL: usize = 2_048;

/// A signature over a URL and a form.
#[derive(Debug, Clone)]
pub(super) struct Twilio {
    auth_token: Secret,
    public_url: Option<String>,
}

impl Twilio {
    pub(super) fn from_spec(spec: TwilioSpec, at: &str, problems: &mut Problems) -> Option<Self> {
        let TwilioSpec {
            auth_token,
            public_url,
        } = spec;
        let is_good = public_url
            .as_deref()
            .map_or(Ok(()), check_url)
            .map_err(|told| problems.add(format!("{at}/public_url"), told))
            .is_ok();
        if !auth_token.is_allowed() {
            problems.add(format!("{at}/auth_token"), secret::ALLOWED);
            return None;
        }
        is_good.then_some(Self {
            auth_token,
            public_url,
        })
    }

    /// The MACs are computed whatever was presented, so that the time taken tells nothing.
    pub(super) fn verify(&self, presented: &Presented<'_>) -> Result<(), Refusal> {
        let claimed = claimed_mac(presented.headers).unwrap_or_default();
        let form = signed_form(presented.body);
        let mut genuine = Choice::from(0);
        for url in self.urls(presented) {
            let content = [url.as_bytes(), &form];
            let expected = Algorithm::Sha1.mac(self.auth_token.reveal().as_bytes(), &content);
            genuine |= expected.as_slice().ct_eq(&claimed);
        }
        if genuine.into() {
            Ok(())
        } else {
            Err(Refusal::InvalidSignature)
        }
    }

    /// What Twilio may have called. A configured URL is all of it or its beginning.
    fn urls(&self, presented: &Presented<'_>) -> Vec<String> {
        let whole = |base: &str| format!("{}{}", base.trim_end_matches('/'), presented.target);
        match &self.public_url {
            None => vec![whole(presented.public_url)],
            Some(url) => vec![url.clone(), whole(url)],
        }
    }

    pub(super) fn shape(&self) -> Value {
        let mut value = json!({"type": "twilio"});
        if let Some(url) = &self.public_url {
            value["public_url"] = json!(url);
        }
        value
    }

    pub(super) fn revealed(&self) -> Value {
        let mut value = self.shape();
        value["auth_token"] = json!(self.auth_token.reveal());
        value
    }
}

fn claimed_mac(headers: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    Encoding::Base64.decode(header::only(HEADER, headers)?)
}

/// The names in the order of their bytes, each once, followed by its values in the order they came.
fn signed_form(body: &[u8]) -> Vec<u8> {
    let mut fields = parameter::of_form(body);
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    let mut signed = Vec::with_capacity(body.len());
    let mut last: Option<&[u8]> = None;
    for Parameter { name, value } in &fields {
        if last != Some(name.as_slice()) {
            signed.extend_from_slice(name);
        }
        signed.extend_from_slice(value);
        last = Some(name);
    }
    signed
}

/// Nothing that a request's URL cannot have, and nothing that everybody who reads it should not.
fn check_url(url: &str) -> Result<(), &'static str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or("must begin with https:// or http://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err("must have a host after the scheme");
    }
    if authority.contains('@') {
        return Err("must not have a user or a password");
    }
    if url.contains('#') {
        return Err("must not have a fragment: Twilio does not sign it");
    }
    let is_url = |byte: u8| byte.is_ascii_graphic();
    if url.len() > MAX_URL || !url.bytes().all(is_url) {
        return Err("must be at most 2048 printable ASCII characters without a space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// With the tokens of published vectors, which are too short to be configured.
    fn signature(token: &str, url: &str, body: &[u8]) -> String {
        let content = [url.as_bytes(), &signed_form(body)];
        STANDARD.encode(Algorithm::Sha1.mac(token.as_bytes(), &content))
    }

    #[test]
    fn the_published_vector_holds() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let body = b"To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309\
            &CallSid=CA1234567890ABCDE";
        assert_eq!(
            signature("12345", url, body),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }

    #[test]
    fn the_signature_of_a_status_callback_holds() {
        let url = "https://hooks.example.org/twilio/status?tenant=abc";
        let body = b"SmsSid=SM00000000000000000000000000000001&SmsStatus=delivered\
            &MessageStatus=delivered&To=%2B260970000001\
            &MessageSid=SM00000000000000000000000000000001\
            &AccountSid=AC00000000000000000000000000000000&From=%2B15005550006\
            &ApiVersion=2010-04-01&RawDlrDoneDate=2605011015";
        assert_eq!(
            signature("12345", url, body),
            "1JJyCbQ8WVGIBUVpMXyzXHLZyq8="
        );
    }

    #[test]
    fn a_form_is_signed_by_its_decoded_names_in_the_order_of_their_bytes() {
        for (body, signed) in [
            ("", ""),
            ("b=2&a=1", "a1b2"),
            ("a=1&B=2", "B2a1"),
            ("Body=x+y%2Bz&A", "ABodyx y+z"),
            ("&a=&&b==%3d&", "ab=="),
            // A repeated name stands once, before all its values.
            ("a=2&b=3&a=1&%61=2", "a212b3"),
            // What is no escape stands as it is.
            ("a=%&b=%zz&c=%4", "a%b%zzc%4"),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&signed_form(body.as_bytes())),
                signed,
                "{body}"
            );
        }
        assert_eq!(signed_form(b"a=%ff\xfe%00"), b"a\xff\xfe\0");
    }
}
