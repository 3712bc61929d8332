//! Making many identities at once.

use serde_json::{Value, json};

use super::person;
use crate::support::{Admin, TestApp};

const PATH: &str = "/admin/identities";

fn batch(emails: &[&str]) -> Value {
    let creates: Vec<Value> = emails.iter().map(|e| json!({ "create": { "traits": { "email": e } } })).collect();
    json!({ "identities": creates })
}

fn actions(answer: &Value) -> Vec<(String, u64)> {
    let entries = answer["identities"].as_array().unwrap();
    entries.iter().map(|e| (e["action"].as_str().unwrap().to_owned(), e["error"]["code"].as_u64().unwrap_or_default())).collect()
}

fn expected(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|(action, code)| ((*action).to_owned(), *code)).collect()
}

#[tokio::test]
async fn each_stands_or_falls_alone() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    person(&admin, "taken@example.org").await;
    let emails = ["a@example.org", "taken@example.org", "nonsense", "b@example.org", "A@example.org"];
    let answer = admin.send("PATCH", PATH, &batch(&emails)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let want = [("create", 0), ("error", 409), ("error", 400), ("create", 0), ("error", 409)];
    assert_eq!(actions(&answer.json()), expected(&want));
    assert_eq!(admin.get(PATH).await.json().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_batch_of_one_that_conflicts_is_a_conflict() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    person(&admin, "taken@example.org").await;
    assert_eq!(admin.send("PATCH", PATH, &batch(&["taken@example.org"])).await.status, 409);
    let invalid = admin.send("PATCH", PATH, &batch(&["nonsense"])).await;
    assert_eq!((invalid.status, actions(&invalid.json())), (200, expected(&[("error", 400)])));
}

#[tokio::test]
async fn a_bad_body_stops_all() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let good = json!({ "create": { "traits": { "email": "a@example.org" } } });
    for bad in [
        Value::Null,
        json!({}),
        json!({ "delete": "x" }),
        json!({ "create": { "traits": { "email": "b@example.org" }, "state": "asleep" } }),
        json!({ "create": { "traits": { "email": "b@example.org" }, "nickname": 1 } }),
        json!({ "create": { "traits": { "email": "b@example.org" } }, "patch_id": "one" }),
        json!({ "create": { "traits": { "email": "b@example.org" }, "credentials": { "password": { "config": { "hashed_password": "x" } } } } }),
    ] {
        let answer = admin.send("PATCH", PATH, &json!({ "identities": [good, bad] })).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(400)), "{bad}");
    }
    assert_eq!(admin.get(PATH).await.json(), json!([]));
    for empty in [json!({}), json!({ "identities": null }), json!({ "identities": [] })] {
        assert_eq!(admin.send("PATCH", PATH, &empty).await.json(), json!({ "identities": [] }));
    }
}
