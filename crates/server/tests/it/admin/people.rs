//! What operators do to somebody who uses the product meanwhile.

use serde_json::{Value, json};

use crate::support::{Admin, Native, Person, Spa, TestApp};

const ALL: &str = "/admin/identities";

fn body(name: &str) -> Value {
    json!({ "schema_id": "default", "traits": { "email": format!("{name}@example.org") } })
}

async fn make(admin: &Admin<'_>, body: &Value) -> String {
    let answer = admin.send("POST", ALL, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    make(&admin, &json!({ "traits": { "email": "ada@example.org" }, "external_id": "E1" })).await;
    for (change, status) in [
        (json!({ "schema_id": "unknown" }), 400),
        (json!({ "traits": {} }), 400),
        (json!({ "traits": [] }), 400),
        (json!({ "traits": { "email": "nobody" } }), 400),
        (json!({ "state": "Active" }), 400),
        (json!({ "organization_id": "x" }), 400),
        (json!({ "region": "moon" }), 400),
        (json!({ "unknown": 1 }), 400),
        (json!({ "credentials": { "password": { "config": { "unknown": 1 } } } }), 400),
        (json!({ "traits": { "email": "ADA@example.org" } }), 409),
        (json!({ "external_id": "E1" }), 409),
        (json!({ "external_id": "e1" }), 201),
    ] {
        let mut body = body("grace");
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = admin.send("POST", ALL, &body).await;
        assert_eq!(answer.status, status, "{change}: {answer:?}");
        if status >= 400 {
            assert_eq!(answer.json()["error"]["code"], status, "{change}");
            assert!(answer.json()["error"]["id"].is_null(), "{change}");
        }
    }
    assert_eq!(admin.get(ALL).await.json().as_array().unwrap().len(), 2, "nothing refused was kept");
}

#[tokio::test]
async fn an_imported_password_signs_in() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let who = Person::named("ada");
    let hash = "$2a$04$9EDmUFyT7vPyFwHZ7nFjw.gd5D6B8mc.y4/TRO7Jy1xMHQ.ySHhWe";
    let clear = json!({ "schema_id": "default", "traits": { "email": who.email }, "credentials": { "password": { "config": { "password": who.password } } } });
    let id = make(&admin, &clear).await;
    assert_eq!(Native::new(&app).try_sign_in(&who).await.status, 200);
    let shown = admin.get(&format!("{ALL}/{id}?include_credential=password")).await;
    assert!(!String::from_utf8_lossy(&shown.body).contains(&who.password), "only its hash is kept");
    let broken = json!({ "schema_id": "default", "traits": { "email": "x@example.org" }, "credentials": { "password": { "config": { "hashed_password": &hash[..20] } } } });
    assert_eq!(admin.send("POST", ALL, &broken).await.status, 400);
}

#[tokio::test]
async fn replacing_keeps_what_it_should() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let who = Person::named("ada");
    let mut spa = Spa::new(&app);
    let id = spa.sign_up(&who).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let one = format!("{ALL}/{id}");
    let before = admin.get(&one).await.json();
    let put = json!({ "schema_id": "default", "state": "", "traits": { "email": "Ada@Example.org", "name": { "first": "Ada" } }, "metadata_admin": { "n": 1 } });
    let answer = admin.send("PUT", &one, &put).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("active")));
    assert_eq!(
        answer.json()["verifiable_addresses"][0]["id"],
        before["verifiable_addresses"][0]["id"],
        "only its spelling changed"
    );
    assert_eq!(spa.get("/sessions/whoami").await.status, 200, "sessions stay");
    assert_eq!(Native::new(&app).try_sign_in(&who).await.status, 200, "and so does the password");
    admin.send("PUT", &one, &json!({ "traits": { "email": "countess@example.org" } })).await;
    let after = admin.get(&one).await.json();
    assert_eq!((&after["metadata_admin"], &after["traits"]), (&json!(null), &json!({ "email": "countess@example.org" })));
    assert_ne!(after["verifiable_addresses"][0]["id"], before["verifiable_addresses"][0]["id"]);
    assert_eq!(Native::new(&app).try_sign_in(&who).await.status, 400, "identifiers follow the traits");
    assert_eq!(admin.send("PUT", &format!("{ALL}/x"), &put).await.status, 404);
}

#[tokio::test]
async fn removing_frees_everything() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let who = Person::named("ada");
    let mut spa = Spa::new(&app);
    let id = spa.sign_up(&who).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let form = spa.open("settings").await;
    let one = format!("{ALL}/{id}");
    assert_eq!(admin.send("DELETE", &one, &json!({})).await.status, 204);
    assert_eq!(admin.send("DELETE", &one, &json!({})).await.status, 404);
    assert_eq!(admin.get(&one).await.status, 404);
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);
    let mut again = Spa::new(&app);
    again.sign_up(&who).await;
    assert_eq!(again.flow("settings", &form.id).await.status, 404, "its flows are gone");
}
