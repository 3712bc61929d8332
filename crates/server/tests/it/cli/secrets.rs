//! Changing secrets while people are signed in.

use serde_json::{Value, json};

use crate::admin::person;
use crate::sessions::{sign_in, whoami};
use crate::support::{Admin, Native, TestApp};

/// Secrets by their first letters, the newest first.
fn secrets(letters: &[&str]) -> Value {
    let all = |length: usize| letters.iter().map(|letter| letter.repeat(length)).collect::<Vec<_>>();
    json!({ "secrets": { "default": all(20), "cookie": all(24), "cipher": all(32), "pagination": all(32) } })
}

#[tokio::test]
async fn secrets_are_rotated_without_anybody_noticing() {
    let app = TestApp::with(secrets(&["a"])).await;
    let mail = "ada@example.org";
    person(&Admin::new(&app), mail).await;
    let (token, _) = sign_in(&app, mail).await;
    let begun = Native::new(&app).get("/self-service/login/api").await;
    let page = Admin::new(&app).get("/admin/identities?page_size=1").await;
    assert_eq!(page.status, 200);

    // The new secret stands in front: it seals, both open.
    let both = app.reconfigured(secrets(&["b", "a"])).await;
    assert_eq!(whoami(&both, &token).await.status, 200);
    let body = json!({ "method": "password", "identifier": mail, "password": "a-secret-of-mine" });
    assert_eq!(Native::new(&both).post(&begun.action(), &body).await.status, 200, "a flow goes on");
    let (newer, _) = sign_in(&both, mail).await;

    // Once the old one is dropped, what it sealed is worthless.
    let new = both.reconfigured(secrets(&["b"])).await;
    assert_eq!(whoami(&new, &token).await.status, 401);
    assert_eq!(whoami(&new, &newer).await.status, 200);
}
