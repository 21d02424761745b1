//! The API's JSON, read field by field: so that every problem is told with its place, and no
//! message quotes a secret, as a derived reader's would.

use super::{Algorithm, ApiKeySpec, BasicSpec, CheckSpec, Encoding, HmacSpec, Invalid};
use super::{
    IpAllowlistSpec, Problems, Secret, SignedContent, TwilioSpec, VonageMethod, VonageSpec,
};
use serde_json::{Map, Value};

const TYPES: [&str; 7] = [
    "token",
    "hmac",
    "api_key",
    "basic",
    "twilio",
    "vonage",
    "ip_allowlist",
];
const DEFAULT_TOLERANCE_S: u64 = 300;
/// The most entries that are read of a list inside a check.
const MAX_ENTRIES: usize = 256;
/// The longest field name that is quoted.
const MAX_QUOTED: usize = 64;

/// Reads a list of checks.
pub(super) fn specs(value: &Value) -> Result<Vec<CheckSpec>, Vec<Invalid>> {
    let mut problems = Problems::default();
    let list = match value {
        Value::Array(list) => list.as_slice(),
        Value::Null => {
            problems.add("", "is required: a list of at least one check");
            return Err(problems.into_list());
        }
        _ => {
            problems.add("", "must be a list of checks");
            return Err(problems.into_list());
        }
    };
    if !problems.accept_count(list.len()) {
        return Err(problems.into_list());
    }
    let specs = list
        .iter()
        .enumerate()
        .filter_map(|(index, value)| read(value, &format!("/{index}"), &mut problems))
        .collect();
    problems.unless_any(specs)
}

/// Reads one check; pointers are relative to it.
pub(super) fn spec(value: &Value) -> Result<CheckSpec, Vec<Invalid>> {
    let mut problems = Problems::default();
    match read(value, "", &mut problems) {
        Some(spec) => problems.unless_any(spec),
        None => Err(problems.into_list()),
    }
}

fn read(value: &Value, at: &str, problems: &mut Problems) -> Option<CheckSpec> {
    let Value::Object(object) = value else {
        problems.add(
            at,
            format!("must be an object with a `type`: {}", TYPES.join(", ")),
        );
        return None;
    };
    let mut fields = Fields {
        object,
        at,
        known: vec!["type"],
        problems,
    };
    let spec = match object.get("type").and_then(Value::as_str) {
        Some("token") => Some(CheckSpec::Token),
        Some("hmac") => hmac(&mut fields).map(CheckSpec::Hmac),
        Some("api_key") => api_key(&mut fields).map(CheckSpec::ApiKey),
        Some("basic") => basic(&mut fields).map(CheckSpec::Basic),
        Some("twilio") => twilio(&mut fields).map(CheckSpec::Twilio),
        Some("vonage") => vonage(&mut fields).map(CheckSpec::Vonage),
        Some("ip_allowlist") => ip_allowlist(&mut fields).map(CheckSpec::IpAllowlist),
        _ => {
            fields.add("type", format!("must be one of {}", TYPES.join(", ")));
            return None;
        }
    };
    fields.refuse_unknown();
    spec
}

/// Every field is read before the first missing one ends it, so that all of them count as known.
fn hmac(fields: &mut Fields<'_>) -> Option<HmacSpec> {
    let algorithm = fields.choice("algorithm", Algorithm::NAMES);
    let encoding = fields.choice("encoding", Encoding::NAMES);
    let header = fields.text("header");
    let signed = match fields.find("signed") {
        None => Some(SignedContent::Body),
        Some(_) => fields.choice("signed", SignedContent::NAMES),
    };
    Some(HmacSpec {
        secret: fields.optional_text("secret").map(Secret::from),
        secrets: fields
            .texts("secrets")
            .map(|list| list.into_iter().map(Secret::from).collect()),
        prefix: fields.optional_text("prefix"),
        timestamp_header: fields.optional_text("timestamp_header"),
        tolerance_seconds: fields
            .count("tolerance_seconds")
            .unwrap_or(DEFAULT_TOLERANCE_S),
        algorithm: algorithm?,
        encoding: encoding?,
        header: header?,
        signed: signed?,
    })
}

fn api_key(fields: &mut Fields<'_>) -> Option<ApiKeySpec> {
    let header = fields.text("header");
    let key = fields.text("key").map(Secret::from);
    Some(ApiKeySpec {
        header: header?,
        key: key?,
    })
}

fn basic(fields: &mut Fields<'_>) -> Option<BasicSpec> {
    let username = fields.text("username");
    let password = fields.text("password").map(Secret::from);
    Some(BasicSpec {
        username: username?,
        password: password?,
    })
}

fn twilio(fields: &mut Fields<'_>) -> Option<TwilioSpec> {
    let auth_token = fields.text("auth_token").map(Secret::from);
    let public_url = fields.optional_text("public_url");
    Some(TwilioSpec {
        auth_token: auth_token?,
        public_url,
    })
}

fn vonage(fields: &mut Fields<'_>) -> Option<VonageSpec> {
    let secret = fields.text("secret").map(Secret::from);
    let method = fields.choice("method", VonageMethod::NAMES);
    Some(VonageSpec {
        secret: secret?,
        method: method?,
    })
}

fn ip_allowlist(fields: &mut Fields<'_>) -> Option<IpAllowlistSpec> {
    let allow_any = fields.flag("allow_any");
    if fields.find("cidrs").is_none() {
        fields.add("cidrs", "is required: a list of networks");
    }
    Some(IpAllowlistSpec {
        cidrs: fields.texts("cidrs")?,
        allow_any,
    })
}

/// The fields of one check. `null` is the same as no field.
struct Fields<'a> {
    object: &'a Map<String, Value>,
    at: &'a str,
    known: Vec<&'static str>,
    problems: &'a mut Problems,
}

impl<'a> Fields<'a> {
    fn find(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        if self.find(name).is_none() {
            self.add(name, "is required");
        }
        self.optional_text(name)
    }

    fn optional_text(&mut self, name: &'static str) -> Option<String> {
        let text = self.find(name)?.as_str();
        if text.is_none() {
            self.add(name, "must be a string");
        }
        text.map(str::to_owned)
    }

    fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let Some(list) = self.find(name)?.as_array() else {
            self.add(name, "must be a list of strings");
            return None;
        };
        if list.len() > MAX_ENTRIES {
            self.add(name, format!("must have at most {MAX_ENTRIES} entries"));
            return None;
        }
        for (index, _) in list
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.is_string())
        {
            self.add(&format!("{name}/{index}"), "must be a string");
        }
        Some(
            list.iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    }

    fn choice<T: Copy>(&mut self, name: &'static str, names: &[(&str, T)]) -> Option<T> {
        let given = self.find(name).and_then(Value::as_str);
        let chosen = names.iter().find(|(known, _)| Some(*known) == given);
        if chosen.is_none() {
            let allowed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            self.add(name, format!("must be one of {}", allowed.join(", ")));
        }
        chosen.map(|(_, value)| *value)
    }

    fn count(&mut self, name: &'static str) -> Option<u64> {
        let count = self.find(name)?.as_u64();
        if count.is_none() {
            self.add(name, "must be a whole number, not negative");
        }
        count
    }

    /// False where there is none.
    fn flag(&mut self, name: &'static str) -> bool {
        let Some(value) = self.find(name) else {
            return false;
        };
        if !value.is_boolean() {
            self.add(name, "must be true or false");
        }
        value == &Value::Bool(true)
    }

    fn refuse_unknown(mut self) {
        let (object, known) = (self.object, std::mem::take(&mut self.known));
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            if name.len() > MAX_QUOTED {
                self.problems
                    .add(self.at, "has an unknown field with a very long name");
            } else {
                self.add(&escape(name), format!("unknown field `{name}`"));
            }
        }
    }

    fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        self.problems.add(format!("{}/{pointer}", self.at), detail);
    }
}

/// A name as a reference token of a pointer (RFC 6901, section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
