//! Sessions as their holders see them.

mod carriers;
mod ended;
mod mine;
mod who;

use serde_json::json;

use crate::support::{Answer, Native, TestApp};

/// Signs somebody in whom `admin::person` made: the session's token and id.
pub(crate) async fn sign_in(app: &TestApp, email: &str) -> (String, String) {
    let client = Native::new(app);
    let flow = client.get("/self-service/login/api").await;
    let body = json!({ "method": "password", "identifier": email, "password": "a-secret-of-mine" });
    let answer = client.post(&flow.action(), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&answer.json()["session_token"]), text(&answer.json()["session"]["id"]))
}

/// Asks who holds a token.
pub(crate) async fn whoami(app: &TestApp, token: &str) -> Answer {
    let mut client = Native::new(app);
    client.token = Some(token.to_owned());
    client.get("/sessions/whoami").await
}
