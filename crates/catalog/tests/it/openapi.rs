use serde_json::{Value, json};
use tidings_catalog::{Schema, webhooks};

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "webhooks": {
            "shop.order_placed": {"post": {
                "summary": "An order was placed.",
                "deprecated": true,
                "requestBody": {"$ref": "#/components/requestBodies/Order"},
            }},
            "shop.order_lost": {"post": {"requestBody": {"content": {"application/json": {
                "schema": {"properties": {"at": {"$ref": "https://x.example/at.json"}}},
            }}}}},
            "shop.nothing": {"get": {}},
            "shop.guessed": {"post": {"requestBody": {"content": {"application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"n": {"type": "integer", "minimum": 3}, "line": {"$ref": "#/components/schemas/Line"}},
                    "required": ["n", "line"],
                },
            }}}}},
        },
        "components": {
            "requestBodies": {"Order": {"content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Order"},
                "examples": {"one": {"$ref": "#/components/examples/One"}},
            }}}},
            "examples": {"One": {"value": {"id": "o-1", "lines": [{"sku": "a"}]}}},
            "schemas": {
                "Order": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
                    },
                },
                "Line": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
            },
        },
    })
}

#[test]
fn a_document_brings_its_webhooks_with_what_they_refer_to() {
    let found = webhooks(&document()).unwrap();
    let named = |name: &str| found.iter().find(|one| one.name == name).unwrap();
    let order = named("shop.order_placed");
    assert_eq!(order.description.as_deref(), Some("An order was placed."));
    assert!(order.is_deprecated);
    for name in ["shop.order_placed", "shop.guessed"] {
        let (schema, example) = named(name).body.clone().unwrap();
        assert_eq!(
            Schema::parse(&schema).unwrap().check(&example),
            Ok(()),
            "{name}"
        );
    }
    let (schema, _) = order.body.clone().unwrap();
    let schema: Value = serde_json::from_str(schema.as_str()).unwrap();
    assert_eq!(
        schema["properties"]["lines"]["items"]["$ref"],
        "#/$defs/Line"
    );
    assert_eq!(schema["$defs"]["Line"]["required"], json!(["sku"]));
}

#[test]
fn what_cannot_be_followed_is_refused_where_it_is() {
    let found = webhooks(&document()).unwrap();
    for name in ["shop.order_lost", "shop.nothing"] {
        let one = found.iter().find(|one| one.name == name).unwrap();
        assert_eq!(
            one.body.clone().unwrap_err().pointer,
            format!("/webhooks/{name}")
        );
    }
    for (document, at) in [
        (
            json!({"openapi": "3.0.3", "webhooks": {"a.b": {}}}),
            "/openapi",
        ),
        (json!({"openapi": "3.1.0"}), "/webhooks"),
        (json!({"openapi": "3.1.0", "webhooks": {}}), "/webhooks"),
    ] {
        assert_eq!(webhooks(&document).unwrap_err().pointer, at);
    }
    let mut endless = document();
    endless["webhooks"] = json!({"a.b": {"$ref": "#/webhooks/a.b"}});
    assert!(webhooks(&endless).unwrap()[0].body.is_err());
}
