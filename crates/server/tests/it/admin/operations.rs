//! The rules of JSON Patch, operation by operation.

use serde_json::{Value, json};

use crate::support::{Admin, Native, Person, TestApp};

async fn made(app: &TestApp) -> String {
    let mut native = Native::new(app);
    let id = native.sign_up(&Person::named("ada")).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    format!("/admin/identities/{id}")
}

fn add(path: &str, value: Value) -> Value {
    json!({ "op": "add", "path": path, "value": value })
}

#[tokio::test]
async fn operations_do_what_they_say_or_nothing() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let one = made(&app).await;
    for (operations, status) in [
        (json!([]), 200),
        (json!([add("/metadata_public", json!({ "a~b/c": [1, 2] }))]), 200),
        (json!([add("/metadata_public/a~0b~1c/1", json!(9))]), 200),
        (json!([add("/metadata_public/a~0b~1c/-", json!(3))]), 200),
        (json!([add("/metadata_public/made/on/the/way", json!(true))]), 200),
        (json!([{ "op": "replace", "path": "/metadata_public/new", "value": 1 }]), 200),
        (json!([{ "op": "replace", "path": "/metadata_public/a~0b~1c/9", "value": 1 }]), 400),
        (json!([{ "op": "remove", "path": "/metadata_public/nothing" }]), 400),
        (json!([{ "op": "remove", "path": "/metadata_public/new" }]), 200),
        (json!([{ "op": "test", "path": "/state", "value": "active" }]), 400),
        (json!([{ "op": "move", "from": "/traits", "path": "/metadata_public" }]), 400),
        (json!([{ "op": "copy", "from": "/traits", "path": "/metadata_public" }]), 400),
        (json!([{ "op": "Add", "path": "/metadata_public/x", "value": 1 }]), 400),
        (json!([add("metadata_public", json!(1))]), 400),
        (json!([add("/metadata_public/~2", json!(1))]), 400),
        (json!([add("/metadata_public/lost", json!(1)), { "op": "remove", "path": "/nothing" }]), 400),
        (json!([add("/traits/email", json!("nobody"))]), 400),
        (json!([add("/state", json!("odd"))]), 400),
        (json!({}), 400),
    ] {
        assert_eq!(admin.send("PATCH", &one, &operations).await.status, status, "{operations}");
    }
    let public = admin.get(&one).await.json()["metadata_public"].clone();
    assert_eq!(public, json!({ "a~b/c": [1, 9, 2, 3], "made": { "on": { "the": { "way": true } } } }), "one failure undoes all");
}

#[tokio::test]
async fn some_members_cannot_be_patched_in_any_spelling() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let one = made(&app).await;
    let before = admin.get(&one).await.json();
    for path in [
        "/id",
        "/ID",
        "/stateChangedAt",
        "/statechangedat",
        "/credentials",
        "/CREDENTIALS",
        "/credentials/oidc",
        "/Credentials/OIDC/config",
        "/credentials/saml/config/providers",
    ] {
        for op in ["add", "replace", "remove"] {
            let patch = json!([{ "op": op, "path": path, "value": {} }]);
            assert_eq!(admin.send("PATCH", &one, &patch).await.status, 400, "{op} {path}");
        }
    }
    let other = json!([add("/created_at", json!("2001-01-01T00:00:00Z"))]);
    admin.send("PATCH", &one, &other).await;
    assert_eq!(admin.get(&one).await.json()["created_at"], before["created_at"], "what happened stays");
}
