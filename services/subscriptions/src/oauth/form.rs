//! What a client asks for, and by what it is known.

use crate::openapi;
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::Payload;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::id::KeyId;
use runtime::http::{Code, Problem, read_body};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

/// The largest form, in bytes: two names, a key and every scope fit in it.
const MAX_BODY_BYTES: usize = 8 * 1024;
/// How long it may take to arrive.
const DEADLINE: Duration = Duration::from_secs(10);
/// The one way to ask for a token.
const GRANT_TYPE: &str = "client_credentials";

/// Every reason there is for none.
pub(super) const ERRORS: [&str; 5] = [
    "invalid_request",
    "invalid_client",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// A request for a token (RFC 6749 §4.4.2), as it is written.
#[derive(ToSchema)]
#[schema(examples(json!({ "grant_type": "client_credentials", "scope": "messages:read" })))]
#[expect(
    dead_code,
    reason = "it is only described: the form is read parameter by parameter"
)]
pub(super) struct TokenRequest {
    /// What is asked for.
    #[schema(schema_with = grants)]
    grant_type: String,
    /// What is to be done with the token, separated by spaces; all that the key has where nothing is said.
    #[schema(value_type = String, required = false)]
    scope: Option<String>,
    /// The id of the key, where it does not come by Basic.
    #[schema(value_type = KeyId, required = false)]
    client_id: Option<String>,
    /// The text of the key, where it does not come by Basic.
    #[schema(value_type = String, required = false)]
    client_secret: Option<String>,
}

fn grants() -> Object {
    openapi::said("What is asked for.", openapi::word([GRANT_TYPE]))
}

/// A request for a token that can be judged.
#[derive(Debug)]
pub(super) struct Form {
    /// The id of a key.
    pub(super) client: String,
    /// Its text.
    pub(super) secret: String,
    pub(super) scope: Option<String>,
}

/// Why there is no token, in the words of RFC 6749 §5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl Refusal {
    pub(super) const fn of(error: &'static str, description: &'static str) -> Self {
        Self { error, description }
    }

    pub(super) const fn client(description: &'static str) -> Self {
        Self::of("invalid_client", description)
    }

    const fn request(description: &'static str) -> Self {
        Self::of("invalid_request", description)
    }
}

impl Form {
    pub(super) async fn read(
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Result<Self, Refusal>, Problem> {
        refuse_other_types(request)?;
        let authorization = request.headers().get_all(AUTHORIZATION);
        let authorization: Vec<Option<String>> = authorization
            .map(|value| value.to_str().ok().map(str::to_owned))
            .collect();
        let body = read_body(payload, MAX_BODY_BYTES, DEADLINE).await?;
        Ok(parse(&body, &authorization))
    }
}

fn refuse_other_types(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
    let is_form = essence
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if is_form && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "send Content-Type: application/x-www-form-urlencoded, without Content-Encoding",
    ))
}

/// A parameter that comes twice is refused (§3.2); one that is not known is passed over, as the protocol
/// wants it.
fn parse(body: &[u8], authorization: &[Option<String>]) -> Result<Form, Refusal> {
    let mut values = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if values
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return Err(Refusal::request("a parameter came twice"));
        }
    }
    // Without a value it is as good as left out (§3.2).
    values.retain(|_, value| !value.is_empty());
    let in_body = (values.remove("client_id"), values.remove("client_secret"));
    let (client, secret) = match (authorization, in_body) {
        ([], (Some(client), Some(secret))) => (client, secret),
        ([], _) => {
            return Err(Refusal::client(
                "send the id of a key and its text, by Basic or as client_id and client_secret",
            ));
        }
        ([value], (None, None)) => {
            basic(value.as_deref()).ok_or(Refusal::client("send Basic with an id and a text"))?
        }
        // The id may be said once more.
        ([value], (Some(client), None)) => {
            let known = basic(value.as_deref());
            known
                .filter(|(id, _)| *id == client)
                .ok_or(Refusal::client("client_id is not the one of Basic"))?
        }
        _ => {
            return Err(Refusal::request(
                "authenticate once: by Basic or in the body",
            ));
        }
    };
    match values.get("grant_type").map(String::as_str) {
        Some(GRANT_TYPE) => Ok(Form {
            client,
            secret,
            scope: values.remove("scope"),
        }),
        Some(_) => Err(Refusal::of(
            "unsupported_grant_type",
            "grant_type is client_credentials",
        )),
        None => Err(Refusal::request("grant_type is missing")),
    }
}

/// The name and the password of Basic, each encoded as in a form before (§2.3.1).
fn basic(value: Option<&str>) -> Option<(String, String)> {
    let (scheme, encoded) = value?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some((decoded(name), decoded(password)))
}

fn decoded(text: &str) -> String {
    let pair = format!("={text}");
    let mut values = url::form_urlencoded::parse(pair.as_bytes());
    let value = values.next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANT: &str = "grant_type=client_credentials";

    fn read(body: &str, authorization: &[&str]) -> Result<(String, String), &'static str> {
        let given: Vec<_> = authorization
            .iter()
            .map(|text| Some((*text).to_owned()))
            .collect();
        let form = parse(body.as_bytes(), &given);
        form.map(|form| (form.client, form.secret))
            .map_err(|refusal| refusal.error)
    }

    #[test]
    fn a_client_is_known_by_basic_or_by_the_body_and_not_by_both() {
        let known = Ok(("key_1".to_owned(), "tk_live_a-b".to_owned()));
        let basic = format!("Basic {}", STANDARD.encode("key_1:tk_live_a-b"));
        let encoded = format!("basic {}", STANDARD.encode("key%5F1:tk_live_a%2Db"));
        let inside = format!("{GRANT}&client_id=key_1&client_secret=tk_live_a-b");
        assert_eq!(read(GRANT, &[&basic]), known);
        assert_eq!(read(GRANT, &[&encoded]), known);
        assert_eq!(read(&inside, &[]), known);
        assert_eq!(
            read(&format!("{GRANT}&client_id=key_1&x=1"), &[&basic]),
            known
        );
        assert_eq!(read(&inside, &[&basic]), Err("invalid_request"));
        assert_eq!(read(GRANT, &[&basic, &basic]), Err("invalid_request"));
        for nobody in ["Bearer tk_live_a", "Basic", "Basic !", "Basic a2V5"] {
            assert_eq!(read(GRANT, &[nobody]), Err("invalid_client"), "{nobody}");
        }
        assert_eq!(read(GRANT, &[]), Err("invalid_client"));
        assert_eq!(
            read(&format!("{GRANT}&client_id=key_2"), &[&basic]),
            Err("invalid_client")
        );
    }

    #[test]
    fn what_is_asked_for_is_said_once() {
        let basic = format!("Basic {}", STANDARD.encode("key_1:tk_live_a"));
        assert_eq!(
            read(&format!("{GRANT}&{GRANT}"), &[&basic]),
            Err("invalid_request")
        );
        assert_eq!(read("", &[&basic]), Err("invalid_request"));
        assert_eq!(
            read("grant_type=password", &[&basic]),
            Err("unsupported_grant_type")
        );
    }
}
