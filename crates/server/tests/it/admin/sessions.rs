//! Sessions as operators see and end them.

use std::time::Duration;

use serde_json::{Value, json};

use super::person;
use crate::sessions::{sign_in, whoami};
use crate::support::{Admin, TestApp};

const NOBODY: &str = "6f1c2f33-0000-4000-8000-000000000000";

#[tokio::test]
async fn what_is_shown_is_asked_for() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let identity = person(&admin, "a@example.org").await;
    let (_, session) = sign_in(&app, "a@example.org").await;
    let plain = admin.get(&format!("/admin/sessions/{session}")).await.json();
    assert_eq!((&plain["identity"], &plain["devices"]), (&Value::Null, &json!([])));
    let full = admin.get(&format!("/admin/sessions/{session}?expand=Identity&expand=DEVICES")).await.json();
    assert_eq!(full["identity"]["id"], identity);
    assert!(full["identity"].as_object().unwrap().contains_key("metadata_admin"));
    assert_eq!(full["devices"].as_array().unwrap().len(), 1);
    let listed = admin.get("/admin/sessions").await.json();
    assert_eq!((&listed[0]["identity"], &listed[0]["devices"]), (&Value::Null, &Value::Null));
    let of_identity = admin.get(&format!("/identities/{identity}/sessions")).await;
    assert_eq!(of_identity.header("x-total-count").as_deref(), Some("1"));
    assert!(of_identity.json()[0]["identity"].get("verifiable_addresses").is_none());
    for (path, status) in [
        ("/admin/sessions/nonsense", 400),
        (&format!("/admin/sessions/{NOBODY}"), 404),
        (&format!("/admin/sessions/{session}?expand="), 400),
        ("/admin/sessions?active=maybe", 400),
        ("/admin/sessions?page_token=made-up", 400),
        ("/admin/sessions?page_size=many", 400),
        ("/admin/identities/nonsense/sessions", 400),
        (&format!("/admin/identities/{NOBODY}/sessions"), 200),
    ] {
        assert_eq!(admin.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_session_that_is_over_stays_to_be_seen() {
    let app = TestApp::with(json!({ "session": { "lifespan": "1h" } })).await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    let (token, session) = sign_in(&app, "a@example.org").await;
    let path = format!("/admin/sessions/{session}");
    for _ in 0..2 {
        assert_eq!(admin.send("DELETE", &path, &Value::Null).await.status, 204);
    }
    assert_eq!(whoami(&app, &token).await.status, 401);
    assert_eq!(admin.get(&path).await.json()["active"], false);
    let (token, session) = sign_in(&app, "a@example.org").await;
    app.clock.advance(Duration::from_secs(3600));
    assert_eq!(whoami(&app, &token).await.status, 401);
    assert_eq!(admin.get(&format!("/admin/sessions/{session}")).await.json()["active"], false);
    assert_eq!(admin.get("/admin/sessions?active=true").await.json(), json!([]));
    // What is over is not brought back.
    let extended = admin.send("PATCH", &format!("/admin/sessions/{session}/extend"), &Value::Null).await;
    assert_eq!((extended.status, &extended.json()["active"]), (200, &json!(false)));
}

#[tokio::test]
async fn extending() {
    let app = TestApp::with(json!({ "session": { "lifespan": "1h", "earliest_possible_extend": "30m" } })).await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    let (token, session) = sign_in(&app, "a@example.org").await;
    let path = format!("/admin/sessions/{session}/extend");
    let before = whoami(&app, &token).await.json()["expires_at"].clone();
    app.clock.advance(Duration::from_secs(1800));
    assert_eq!(admin.send("PATCH", &path, &Value::Null).await.json()["expires_at"], before);
    app.clock.advance(Duration::from_secs(1));
    let later = admin.send("PATCH", &path, &Value::Null).await.json()["expires_at"].clone();
    assert_ne!(later, before);
    assert_eq!(whoami(&app, &token).await.json()["expires_at"], later);
}

#[tokio::test]
async fn many_at_once() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let ada = person(&admin, "a@example.org").await;
    person(&admin, "b@example.org").await;
    let (_, one) = sign_in(&app, "a@example.org").await;
    let (two, _) = sign_in(&app, "a@example.org").await;
    let (three, _) = sign_in(&app, "b@example.org").await;
    let bulk = async |body: Value| admin.send("POST", "/admin/sessions", &body).await.json();
    let done = |processed: u64| json!({ "processed": processed, "more": false });
    assert_eq!(bulk(json!({ "action": "disable", "sessions": [one, one, NOBODY] })).await, done(1));
    assert_eq!(bulk(json!({ "action": "disable", "identities": [ada] })).await, done(1));
    assert_eq!([whoami(&app, &two).await.status, whoami(&app, &three).await.status], [401, 200]);
    assert_eq!(bulk(json!({ "action": "disable", "identities": ["*"] })).await, done(1));
    assert_eq!(bulk(json!({ "action": "disable", "identities": ["*"] })).await, done(0));
    assert_eq!(bulk(json!({ "action": "delete", "identities": ["*"] })).await, done(3));
    assert_eq!(admin.get("/admin/sessions").await.json(), json!([]));
}

#[tokio::test]
async fn pages_of_all_sessions_follow_each_other() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    let mut made = Vec::new();
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(1));
        made.insert(0, sign_in(&app, "a@example.org").await.1);
    }
    let one = admin.get("/admin/sessions?page_size=2").await;
    let ids = |answer: &crate::support::Answer| -> Vec<String> {
        answer.json().as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    let link = one.header("link").unwrap();
    let next = link.split(',').find(|l| l.contains("rel=\"next\"")).unwrap();
    let next = next.trim_start_matches('<').split('>').next().unwrap();
    let two = admin.get(next).await;
    assert_eq!((ids(&one), ids(&two)), (made[..2].to_vec(), made[2..].to_vec()));
    assert!(!two.header("link").unwrap().contains("next"));
}
