use crate::raw;
use domain::json::Raw;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidings_catalog::{Converter, Unconvertible};

fn converter(operations: Value) -> Converter {
    Converter::parse(&raw(operations)).unwrap()
}

fn text(text: &str) -> Raw {
    Raw::parse(text.to_owned()).unwrap()
}

#[test]
fn what_is_not_named_stays_digit_for_digit_in_its_order() {
    let converter = converter(json!([
        {"op": "rename", "path": "/z", "to": "y"},
        {"op": "move", "from": "/in/deep", "path": "/out/deep"},
        {"op": "default", "path": "/out/unit", "value": 1.50},
        {"op": "default", "path": "/y", "value": "never"},
        {"op": "drop", "path": "/gone"},
        {"op": "drop", "path": "/not/there"},
    ]));
    let data = text(
        r#"{"z":1.00,"in":{"deep":12345678901234567890123,"b":[ 1.0, 2 ]},"gone":0,"a~/b":1e2}"#,
    );
    assert_eq!(
        converter.convert(&data).unwrap().as_str(),
        r#"{"y":1.00,"in":{"b":[ 1.0, 2 ]},"a~/b":1e2,"out":{"deep":12345678901234567890123,"unit":1.5}}"#
    );
}

#[test]
fn nothing_is_overwritten_and_nothing_is_put_into_what_is_no_object() {
    let rename = converter(json!([{"op": "rename", "path": "/a/b", "to": "c"}]));
    let occupied = Unconvertible::Occupied("/a/c".to_owned());
    assert_eq!(
        rename.convert(&text(r#"{"a":{"b":1,"c":2}}"#)),
        Err(occupied)
    );
    let put = converter(json!([{"op": "move", "from": "/a", "path": "/b/c"}]));
    assert!(matches!(
        put.convert(&text(r#"{"a":1,"b":2}"#)),
        Err(Unconvertible::NoObject(_))
    ));
    assert!(put.convert(&text("[]")).is_err());
}

#[test]
fn operations_are_read_strictly_and_are_few() {
    for (operation, at) in [
        (json!({"op": "copy", "path": "/a"}), "/0/op"),
        (json!({"op": "drop", "path": "a"}), "/0/path"),
        (json!({"op": "drop", "path": ""}), "/0/path"),
        (json!({"op": "drop", "path": "/a~2"}), "/0/path"),
        (json!({"op": "drop", "path": "/a".repeat(17)}), "/0/path"),
        (json!({"op": "move", "path": "/a"}), "/0"),
        (json!({"op": "drop", "path": "/a", "to": "b"}), "/0"),
        (json!({"op": "drop", "path": "/a", "more": 1}), "/0"),
        (json!(7), "/0"),
    ] {
        let faults = Converter::parse(&raw(json!([operation]))).unwrap_err();
        assert_eq!(faults[0].pointer, at, "{operation}");
    }
    let many = vec![json!({"op": "drop", "path": "/a"}); 101];
    assert!(Converter::parse(&raw(json!(many))).is_err());
    let long = json!([{"op": "default", "path": "/a", "value": "x".repeat(20_000)}]);
    assert!(Converter::parse(&raw(long)).is_err());
    assert!(Converter::parse(&raw(json!({}))).is_err());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z/~]{1,4}", inner, 0..4)
                .prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #[test]
    fn up_and_down_again_keeps_what_both_versions_know(
        (name, place, own, more) in (values(), values(), values(), values()),
        has_place in any::<bool>(),
    ) {
        let up = converter(json!([
            {"op": "rename", "path": "/name", "to": "full_name"},
            {"op": "move", "from": "/place", "path": "/address/city"},
            {"op": "default", "path": "/address/country", "value": "ZM"},
            {"op": "drop", "path": "/own"},
        ]));
        let down = converter(json!([
            {"op": "rename", "path": "/full_name", "to": "name"},
            {"op": "move", "from": "/address/city", "path": "/place"},
            {"op": "drop", "path": "/address"},
            {"op": "default", "path": "/own", "value": null},
        ]));
        let mut data = json!({"name": name, "own": own, "more": more});
        if has_place {
            data["place"] = place;
        }
        let there = up.convert(&raw(data.clone())).unwrap();
        let back = down.convert(&there).unwrap();
        let back: Value = serde_json::from_str(back.as_str()).unwrap();
        data["own"] = Value::Null;
        prop_assert_eq!(back, data);
    }
}
