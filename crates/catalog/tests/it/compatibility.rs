use serde_json::{Value, json};
use tidings_catalog::compatibility::differences;

fn broken(old: &Value, new: &Value) -> Vec<String> {
    differences(old, new)
        .into_iter()
        .map(|fault| fault.pointer)
        .collect()
}

fn old() -> Value {
    json!({
        "type": "object",
        "title": "An order",
        "properties": {
            "id": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
            "state": {"enum": ["open", "paid"]},
            "to": {"$ref": "#/$defs/place"},
            "closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": false},
        },
        "required": ["id"],
        "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
    })
}

#[test]
fn members_that_may_be_left_out_and_words_for_people_break_nobody() {
    let mut new = old();
    new["title"] = json!("Another title");
    new["properties"]["note"] = json!({"type": "string"});
    new["properties"]["lines"]["items"]["properties"]["count"] = json!({"type": "integer"});
    new["properties"]["lines"]["items"]["required"] = json!(["sku"]);
    new["$defs"]["place"]["properties"]["zip"] = json!({});
    new["$defs"]["more"] = json!({});
    new["properties"]["more"] = json!({"$ref": "#/$defs/more"});
    assert!(broken(&old(), &new).is_empty());
    assert!(broken(&old(), &old()).is_empty());
}

#[test]
fn whatever_publishers_or_receivers_could_notice_breaks_them() {
    for (change, value, at) in [
        (
            "/properties/id/type",
            json!("integer"),
            "/properties/id/type",
        ),
        (
            "/properties/id/maxLength",
            json!(3),
            "/properties/id/maxLength",
        ),
        (
            "/properties/state/enum",
            json!(["open", "paid", "lost"]),
            "/properties/state/enum",
        ),
        ("/required", json!(["id", "state"]), "/required"),
        ("/required", json!([]), "/required"),
        (
            "/properties/lines/items/required",
            json!([]),
            "/properties/lines/items/required",
        ),
        (
            "/properties/to/$ref",
            json!("#/$defs/other"),
            "/properties/to/$ref",
        ),
        (
            "/$defs/place/properties",
            json!({}),
            "/$defs/place/properties/city",
        ),
        (
            "/properties/closed/properties/b",
            json!({}),
            "/properties/closed/properties/b",
        ),
        (
            "/additionalProperties",
            json!(false),
            "/additionalProperties",
        ),
    ] {
        let mut new = old();
        let (parent, name) = change.rsplit_once('/').unwrap();
        new.pointer_mut(parent).unwrap()[name] = value;
        assert_eq!(broken(&old(), &new), [at], "{change}");
    }
}
