//! The body a tenant receives (contract: "The webhook a tenant receives").

use domain::Timestamp;
use domain::event::{Event, Resource};
use domain::id::{EventId, TenantId};
use domain::json::Raw;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Renders the body of an event. The same event and sequence always give the same bytes.
pub fn render(event: &Event, sequence: i64) -> Vec<u8> {
    let body = Body {
        id: event.id,
        event_type: &event.event_type,
        category: domain::catalog::category(&event.event_type),
        version: event.version,
        timestamp: event.created_at,
        tenant_id: event.tenant_id,
        environment: event.environment.as_str(),
        sequence,
        source: &event.source,
        resource: event.resource.as_ref(),
        context: event.context.as_ref(),
        metadata: event.metadata.as_ref(),
        data: &event.data,
    };
    // Plain fields and JSON that was checked when it was taken: this cannot fail to be written.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The thin form of a rendered body: what the event is, and under `data_url` where it says more. None
/// where the body is none of ours.
pub fn thin(body: &[u8], data_url: &str) -> Option<Vec<u8>> {
    let mut thin: Thin = serde_json::from_slice(body).ok()?;
    thin.data_url = data_url;
    serde_json::to_vec(&thin).ok()
}

/// A rendered body with other data, of another version of its type. None where the body is none of ours.
pub fn of_version(body: &[u8], version: u32, data: &Raw) -> Option<Vec<u8>> {
    let mut converted: Converted = serde_json::from_slice(body).ok()?;
    converted.version = version;
    converted.data = Some(data);
    serde_json::to_vec(&converted).ok()
}

/// The data of a rendered body, as it was written. None where the body is none of ours.
pub fn data(body: &[u8]) -> Option<Raw> {
    #[derive(Deserialize)]
    struct Told {
        data: Raw,
    }
    let told: Told = serde_json::from_slice(body).ok()?;
    Some(told.data)
}

/// As [`Body`], every member as it was rendered but those that are another version's.
#[derive(Serialize, Deserialize)]
struct Converted<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(rename = "type", borrow)]
    event_type: &'a RawValue,
    #[serde(borrow)]
    category: &'a RawValue,
    #[serde(skip_deserializing)]
    version: u32,
    #[serde(borrow)]
    timestamp: &'a RawValue,
    #[serde(borrow)]
    tenant_id: &'a RawValue,
    #[serde(borrow)]
    environment: &'a RawValue,
    #[serde(borrow)]
    sequence: &'a RawValue,
    #[serde(borrow)]
    source: &'a RawValue,
    #[serde(borrow)]
    resource: &'a RawValue,
    #[serde(borrow)]
    context: &'a RawValue,
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(skip_deserializing)]
    data: Option<&'a Raw>,
}

/// As [`Body`], every member as it was rendered. What can be long is left out.
#[derive(Serialize, Deserialize)]
struct Thin<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(rename = "type", borrow)]
    event_type: &'a RawValue,
    #[serde(borrow)]
    category: &'a RawValue,
    #[serde(borrow)]
    version: &'a RawValue,
    #[serde(borrow)]
    timestamp: &'a RawValue,
    #[serde(borrow)]
    tenant_id: &'a RawValue,
    #[serde(borrow)]
    environment: &'a RawValue,
    #[serde(borrow)]
    sequence: &'a RawValue,
    #[serde(borrow)]
    source: &'a RawValue,
    #[serde(borrow)]
    resource: Option<Named<'a>>,
    #[serde(skip_deserializing)]
    context: (),
    #[serde(skip_deserializing)]
    metadata: (),
    #[serde(skip_deserializing)]
    data: (),
    #[serde(skip_deserializing)]
    data_url: &'a str,
}

/// A resource without what is told of it.
#[derive(Serialize, Deserialize)]
struct Named<'a> {
    #[serde(rename = "type", borrow)]
    kind: &'a RawValue,
    #[serde(borrow)]
    id: &'a RawValue,
}

#[derive(Serialize)]
struct Body<'a> {
    id: EventId,
    #[serde(rename = "type")]
    event_type: &'a str,
    category: &'a str,
    version: u32,
    timestamp: Timestamp,
    tenant_id: TenantId,
    environment: &'a str,
    sequence: i64,
    source: &'a str,
    resource: Option<&'a Resource>,
    context: Option<&'a Raw>,
    metadata: Option<&'a Raw>,
    data: &'a Raw,
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::account::Environment;
    use uuid::Uuid;

    #[test]
    fn a_thin_event_says_what_it_is_and_where_the_rest_is() {
        let whole = r#"{"id":"evt_1","type":"job.completed","category":"job","version":1,"timestamp":"t","tenant_id":"ten_1","environment":"production","sequence":12345678901234567,"source":"l\"ab","resource":{"type":"run","id":"r-1","data":{"long":true}},"context":{"user_id":"u"},"metadata":{"k":1},"data":{"z":1.00}}"#;
        let made = thin(whole.as_bytes(), "https://api.example/v1/events/evt_1").unwrap();
        assert_eq!(
            String::from_utf8(made).unwrap(),
            r#"{"id":"evt_1","type":"job.completed","category":"job","version":1,"timestamp":"t","tenant_id":"ten_1","environment":"production","sequence":12345678901234567,"source":"l\"ab","resource":{"type":"run","id":"r-1"},"context":null,"metadata":null,"data":null,"data_url":"https://api.example/v1/events/evt_1"}"#
        );
        assert_eq!(thin(b"[]", ""), None);
    }

    #[test]
    fn another_version_changes_its_number_and_its_data_alone() {
        let whole = r#"{"id":"evt_1","type":"acme.a","category":"acme","version":2,"timestamp":"t","tenant_id":"ten_1","environment":"production","sequence":12345678901234567,"source":"l\"ab","resource":null,"context":null,"metadata":{"k":1.0},"data":{"z":1.00}}"#;
        let data = Raw::parse(r#"{"y":1.00}"#.to_owned()).unwrap();
        let made = of_version(whole.as_bytes(), 1, &data).unwrap();
        let expected = whole
            .replace(r#""version":2"#, r#""version":1"#)
            .replace(r#"{"z":1.00}"#, r#"{"y":1.00}"#);
        assert_eq!(String::from_utf8(made).unwrap(), expected);
        assert_eq!(of_version(b"[]", 1, &data), None);
    }

    #[test]
    fn data_reaches_the_receiver_number_for_number_and_in_order() {
        let event = Event {
            id: EventId(Uuid::from_u128(1)),
            tenant_id: TenantId::PLATFORM,
            event_type: "job.completed".to_owned(),
            version: 1,
            environment: Environment::default(),
            created_at: Timestamp::from_millis(0),
            source: "api".to_owned(),
            resource: None,
            context: None,
            metadata: None,
            data: Raw::parse(r#"{"z":1.00,"a":12345678901234567890123}"#.to_owned()).unwrap(),
            transition: None,
            traceparent: None,
            caused_at: Timestamp::from_millis(0),
        };
        assert_eq!(
            String::from_utf8(render(&event, 7)).unwrap(),
            r#"{"id":"evt_00000000000000000000000001","type":"job.completed","category":"job","version":1,"timestamp":"1970-01-01T00:00:00.000Z","tenant_id":"ten_00000000000000000000000001","environment":"production","sequence":7,"source":"api","resource":null,"context":null,"metadata":null,"data":{"z":1.00,"a":12345678901234567890123}}"#
        );
    }
}
