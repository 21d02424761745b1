use crate::raw;
use serde_json::{Value, json};
use tidings_catalog::{Draft, Standing, judge};

fn draft(schema: Value, example: Value) -> Draft {
    Draft {
        schema: raw(schema),
        example: raw(example),
        is_breaking: false,
        upgrade: None,
        downgrade: None,
    }
}

fn first() -> Standing {
    Standing {
        schema: raw(
            json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}),
        ),
        example: raw(json!({"name": "Ann Banda"})),
    }
}

fn renamed() -> Draft {
    Draft {
        is_breaking: true,
        upgrade: Some(raw(
            json!([{"op": "rename", "path": "/name", "to": "full_name"}]),
        )),
        downgrade: Some(raw(
            json!([{"op": "rename", "path": "/full_name", "to": "name"}]),
        )),
        ..draft(
            json!({"type": "object", "properties": {"full_name": {"type": "string"}}, "required": ["full_name"]}),
            json!({"full_name": "Ann Banda"}),
        )
    }
}

fn pointers(draft: &Draft, newest: Option<&Standing>) -> Vec<String> {
    let faults = judge(draft, newest).err().unwrap_or_default();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn an_example_is_as_its_schema_says() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    assert!(pointers(&draft(schema.clone(), json!({"n": 1})), None).is_empty());
    assert_eq!(
        pointers(&draft(schema.clone(), json!({"n": "x"})), None),
        ["/example/n"]
    );
    assert_eq!(pointers(&draft(schema, json!([])), None), ["/example"]);
}

#[test]
fn a_version_that_breaks_says_so_and_brings_both_converters() {
    assert!(pointers(&renamed(), Some(&first())).is_empty());
    let undeclared = Draft {
        is_breaking: false,
        ..renamed()
    };
    assert_eq!(
        pointers(&undeclared, Some(&first())),
        [
            "/breaking",
            "/schema/properties/name",
            "/schema/required",
            "/schema/required"
        ]
    );
    let alone = Draft {
        upgrade: None,
        ..renamed()
    };
    assert_eq!(pointers(&alone, Some(&first())), ["/upgrade"]);
    assert_eq!(
        pointers(&renamed(), None),
        ["/breaking", "/upgrade", "/downgrade"]
    );
}

#[test]
fn converters_are_tried_out_on_the_examples() {
    let nothing = Draft {
        downgrade: Some(raw(json!([]))),
        ..renamed()
    };
    assert_eq!(pointers(&nothing, Some(&first())), ["/downgrade"]);
    let wrong = Draft {
        upgrade: Some(raw(
            json!([{"op": "rename", "path": "/name", "to": "other"}]),
        )),
        ..renamed()
    };
    assert_eq!(pointers(&wrong, Some(&first())), ["/upgrade"]);
}
