//! Addresses that other programs know by heart.

use serde_json::json;

use crate::support::{Browser, TestApp, UI};

#[tokio::test]
async fn password_managers_are_led_to_settings() {
    let app = TestApp::new().await;
    let answer = Browser::new(&app).get("/.well-known/change-password").await;
    assert!((300..400).contains(&answer.status));
    assert_eq!(answer.location(), format!("{UI}/settings"));
}

#[tokio::test]
async fn without_pages_of_the_operators_own_they_are_led_to_ours() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "settings": { "ui_url": null } } } })).await;
    let answer = Browser::new(&app).get("/.well-known/change-password").await;
    assert_eq!(answer.location(), "http://127.0.0.1:4433/settings");
}
