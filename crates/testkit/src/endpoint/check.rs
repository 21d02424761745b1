//! Every event that reaches an endpoint is held against the published catalog, as a tenant would: its data
//! is as the schema says, and what Tidings raises itself says nothing besides.

use super::Hit;
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

const FILES: &[&str] = &[
    include_str!("../../../catalog/catalog/benchmark.json"),
    include_str!("../../../catalog/catalog/call.json"),
    include_str!("../../../catalog/catalog/delivery.json"),
    include_str!("../../../catalog/catalog/document.json"),
    include_str!("../../../catalog/catalog/email.json"),
    include_str!("../../../catalog/catalog/extraction.json"),
    include_str!("../../../catalog/catalog/job.json"),
    include_str!("../../../catalog/catalog/mms.json"),
    include_str!("../../../catalog/catalog/notification.json"),
    include_str!("../../../catalog/catalog/phone_number.json"),
    include_str!("../../../catalog/catalog/provider.json"),
    include_str!("../../../catalog/catalog/result.json"),
    include_str!("../../../catalog/catalog/security.json"),
    include_str!("../../../catalog/catalog/sms.json"),
    include_str!("../../../catalog/catalog/system.json"),
    include_str!("../../../catalog/catalog/tenant.json"),
    include_str!("../../../catalog/catalog/test.json"),
    include_str!("../../../catalog/catalog/user.json"),
    include_str!("../../../catalog/catalog/webhook.json"),
];

/// What an event says of itself, whatever it is about.
const ENVELOPE: [&str; 13] = [
    "id",
    "type",
    "category",
    "version",
    "timestamp",
    "tenant_id",
    "environment",
    "sequence",
    "source",
    "resource",
    "context",
    "metadata",
    "data",
];

static TYPES: LazyLock<HashMap<String, Type>> = LazyLock::new(read);

struct Type {
    validator: Validator,
    /// The members that data may have; none where it may have any.
    members: Option<Vec<String>>,
}

/// What is wrong with an event that was received, if anything is. What Tidings did not send is nobody's
/// business here, nor is what is no whole event, or of a type that somebody brought.
pub(super) fn judge(hit: &Hit) -> Option<String> {
    let is_ours = hit
        .header("user-agent")
        .is_some_and(|agent| agent.starts_with("Tidings/"));
    let body: Map<String, Value> = serde_json::from_slice(&hit.body).ok()?;
    let known = TYPES.get(body.get("type")?.as_str()?)?;
    // A thin event says where its data is.
    if !is_ours || !body.contains_key("data") || body.contains_key("data_url") {
        return None;
    }
    // A test tells whatever somebody wants it to.
    let is_test = hit.header("webhook-test").is_some();
    let judge_data = || judge_data(known, body.get("data")?);
    let data = || if is_test { None } else { judge_data() };
    let wrong = judge_envelope(&body).or_else(data)?;
    Some(format!(
        "an event is not as the catalog says: {wrong}\n  {hit}"
    ))
}

fn judge_envelope(body: &Map<String, Value>) -> Option<String> {
    if let Some(missing) = ENVELOPE.iter().find(|name| !body.contains_key(**name)) {
        return Some(format!("{missing} is missing"));
    }
    let is_more = |name: &&String| !ENVELOPE.contains(&name.as_str());
    if let Some(more) = body.keys().find(is_more) {
        return Some(format!("{more} is more than an event says"));
    }
    (body.get("version") != Some(&Value::from(1))).then(|| "it has no version 2".to_owned())
}

fn judge_data(known: &Type, data: &Value) -> Option<String> {
    if let Err(error) = known.validator.validate(data) {
        return Some(format!("at /data{}: {error}", error.instance_path()));
    }
    let members = known.members.as_ref()?;
    let more = data
        .as_object()?
        .keys()
        .find(|name| !members.contains(name))?;
    Some(format!("its schema does not say what {more} is"))
}

fn read() -> HashMap<String, Type> {
    let files = FILES.iter().map(|text| serde_json::from_str::<Value>(text));
    let mut types = HashMap::new();
    for file in files {
        let file = file.expect("a file of the catalog is JSON");
        for one in file["types"].as_array().expect("a file has types") {
            let schema = match &one["schema"] {
                Value::String(name) => &file["schemas"][name],
                schema => schema,
            };
            let validator = jsonschema::draft202012::new(schema).expect("a schema is one");
            let properties = schema["properties"].as_object();
            // What others publish may say more.
            let members = properties.filter(|_| schema["required"].is_array());
            let name = one["name"].as_str().expect("a type has a name");
            types.insert(
                name.to_owned(),
                Type {
                    validator,
                    members: members.map(|all| all.keys().cloned().collect()),
                },
            );
        }
    }
    types
}
