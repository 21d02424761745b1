use crate::raw;
use domain::json::Raw;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};
use tidings_catalog::{MOST_FAULTS, Schema};

fn refusal(schema: Value) -> (String, String) {
    let faults = Schema::parse(&raw(schema)).unwrap_err();
    (faults[0].pointer.clone(), faults[0].detail.clone())
}

#[test]
fn data_is_refused_where_it_is_wrong_without_saying_it_back() {
    let schema = Schema::parse(&raw(json!({
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "b/c": {"maxLength": 3}},
        "required": ["a"],
    })))
    .unwrap();
    let pointers = |data: Value| -> Vec<String> {
        let faults = schema.check(&raw(data)).err().unwrap_or_default();
        assert!(
            faults.iter().all(|fault| !fault.detail.contains("hidden")),
            "{faults:?}"
        );
        faults.into_iter().map(|fault| fault.pointer).collect()
    };
    assert!(pointers(json!({"a": [1, 2]})).is_empty());
    assert_eq!(pointers(json!({})), [""]);
    assert_eq!(
        pointers(json!({"a": [1, "hidden"], "b/c": "hidden"})),
        ["/a/1", "/b~1c"]
    );
    let many: Vec<&str> = vec!["hidden"; 1_000];
    assert_eq!(pointers(json!({"a": many})).len(), MOST_FAULTS);
}

#[test]
fn a_schema_that_is_none_is_refused_with_its_place() {
    for (schema, at) in [
        (
            json!({"type": "object", "properties": {"a": {"type": "text"}}}),
            "/properties/a/type",
        ),
        (json!({"type": "array"}), "/type"),
        (json!({}), "/type"),
        (json!({"type": "object", "requierd": []}), "/requierd"),
        (
            json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}),
            "/$schema",
        ),
        (
            json!({"type": "object", "$id": "https://x.example/"}),
            "/$id",
        ),
        (
            json!({"type": "object", "unevaluatedProperties": false}),
            "/unevaluatedProperties",
        ),
    ] {
        assert_eq!(refusal(schema).0, at);
    }
    let long = Raw::parse(format!(
        r#"{{"type":"object","title":"{}"}}"#,
        "x".repeat(70_000)
    ))
    .unwrap();
    assert!(Schema::parse(&long).is_err());
    let deep = format!(
        "{}1{}",
        r#"{"type":"object","default":"#.to_owned() + &"[".repeat(40),
        "]".repeat(40) + "}"
    );
    assert!(Schema::parse(&Raw::parse(deep).unwrap()).is_err());
}

#[test]
fn nothing_outside_of_the_schema_is_referred_to_and_nothing_contains_itself() {
    for reference in [
        "https://x.example/s.json",
        "file:///etc/passwd",
        "other.json",
        "#",
        "#/properties/a",
        "#/$defs/a/properties/b",
        "#anchor",
        "#/$defs/missing",
    ] {
        let schema =
            json!({"type": "object", "properties": {"a": {"$ref": reference}}, "$defs": {"a": {}}});
        assert_eq!(refusal(schema).0, "/properties/a/$ref", "{reference}");
    }
    let recursive = json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/tree"}},
        "$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}}},
    });
    assert!(refusal(recursive).1.contains("contain itself"));
}

#[test]
fn only_patterns_that_take_linear_time_and_little_room_are_taken() {
    for pattern in ["(?=a)b", r"(a)\1", "(?<!a)b", "a{1000}{1000}", "("] {
        let schema = json!({"type": "object", "properties": {"a": {"pattern": pattern}}});
        assert_eq!(refusal(schema).0, "/properties/a/pattern", "{pattern}");
        let schema = json!({"type": "object", "patternProperties": {pattern: {}}});
        let at = refusal(schema).0;
        assert!(at.starts_with("/patternProperties"), "{pattern}: {at}");
    }
    let proper = json!({"type": "object", "properties": {"a": {"pattern": r"^\d{4}-\p{L}+$"}}});
    assert!(Schema::parse(&raw(proper)).is_ok());
}

#[test]
fn what_could_take_long_is_refused_before_it_is_tried() {
    // Twenty definitions that double one another.
    let mut definitions = serde_json::Map::new();
    for n in 0..20 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        definitions.insert(format!("d{n}"), json!({"anyOf": [next, next]}));
    }
    definitions.insert("d20".to_owned(), json!({"type": "string"}));
    let doubling = json!({"type": "object", "$ref": "#/$defs/d0", "$defs": definitions});
    assert!(refusal(doubling).1.contains("too much"));
    let wide: Vec<Value> = (0..2_000).map(|n| json!({"minimum": n})).collect();
    let wide = json!({"type": "object", "additionalProperties": {"allOf": wide}});
    assert!(refusal(wide).1.contains("too much"));
    let words: Vec<u32> = (0..5_000).collect();
    let words = json!({"type": "object", "additionalProperties": {"enum": words}});
    assert!(refusal(words).1.contains("too much"));
}

/// The worst that is taken, against the worst data: in a debug build on a busy machine.
#[test]
fn the_worst_that_is_taken_ends_soon() {
    let numbers: Vec<u32> = (0..900).collect();
    let nest = |n: u32| {
        let all: Vec<Value> = (0..n)
            .map(|k| json!({"anyOf": [{"maximum": k}, {"not": {"type": "number"}}]}))
            .collect();
        json!({"type": "object", "additionalProperties": {"items": {"oneOf": all}}})
    };
    let long = "a".repeat(200_000);
    let mut list = String::from("[1000");
    for n in 0..60_000 {
        write!(list, ",{}", 1_000 + n % 7).unwrap();
    }
    list.push(']');
    let strings = format!("[\"{}\"]", vec!["aaaaaaaaaaaaaaab"; 12_000].join("\",\""));
    let data = [
        format!(r#"{{"a":"{long}"}}"#),
        format!(r#"{{"a":{list}}}"#),
        format!(r#"{{"a":{strings}}}"#),
    ];
    for schema in [
        json!({"type": "object", "additionalProperties": {"items": {"enum": numbers}}}),
        json!({"type": "object", "additionalProperties": {"items": {"minimum": 2_000}, "uniqueItems": true}}),
        json!({"type": "object", "additionalProperties": {"pattern": "(a|aa|a?a){20,60}$"}}),
        json!({"type": "object", "additionalProperties": {"items": {"pattern": "^(a*)*(a|b)*c"}, "pattern": "(x+x+)+y"}}),
        nest(60),
        nest(240),
    ] {
        let schema = Schema::parse(&raw(schema)).unwrap();
        for text in &data {
            let begun = Instant::now();
            let _ = schema.check(&Raw::parse(text.clone()).unwrap());
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
    }
}
