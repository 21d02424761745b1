use super::{PROGRAM, command, ended_well, failed};
use serde_json::{Value, json};
use testkit::{ADMIN_KEY, Api, Process};

#[tokio::test]
async fn the_operator_brings_types_for_everybody_from_a_file() {
    let root = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, document: &Value| {
        let path = files.path().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.display().to_string()
    };
    let types = |example: Value| {
        json!({ "types": [{ "name": "shop.opened", "example": example,
            "schema": { "type": "object", "required": ["till"] } }] })
    };
    let good = write("types.json", &types(json!({ "till": 1 })));
    let document = write(
        "openapi.json",
        &json!({ "openapi": "3.1.0", "info": { "title": "t", "version": "1" },
            "webhooks": { "shop.closed": { "post": { "requestBody": { "content": {
                "application/json": { "schema": { "type": "object" } } } } } } } }),
    );
    let import = ["event-types", "import"];
    let server = Process::start(PROGRAM, root.path(), &[]).await;
    let run = async |args: &[&str]| -> Value {
        let args: Vec<&str> = import.iter().chain(args).copied().collect();
        serde_json::from_str(&ended_well(&command(root.path(), &args, &[]).await)).unwrap()
    };
    let operator = Api::new(&server.api_url(), ADMIN_KEY);
    let dry = run(&[&good, "--dry-run"]).await;
    assert_eq!(dry["data"][0]["result"], "created");
    let found = operator.get("/v1/event-types/shop.opened").await;
    found.expect_problem(404, "not_found");
    assert_eq!(run(&[&good]).await["data"][0]["result"], "created");
    assert_eq!(run(&[&good]).await["data"][0]["result"], "unchanged");
    assert_eq!(run(&[&document]).await["data"][0]["name"], "shop.closed");
    let found = operator.get("/v1/event-types/shop.opened").await;
    assert_eq!(found.expect(200)["origin"], "operator");
    let bad = write("bad.json", &types(json!({})));
    let output = command(root.path(), &["event-types", "import", &bad], &[]).await;
    failed(&output, 2, &["1 of the types were refused"]);
    for (name, text) in [("list.json", "[]"), ("odd.json", "{")] {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let output = command(root.path(), &["event-types", "import", &path], &[]).await;
        failed(&output, 2, &["is no JSON object"]);
    }
}
