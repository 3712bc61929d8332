//! The admin API.

mod batch;
mod courier;
mod credentials;
mod hashes;
mod identities;
mod list;
mod operations;
mod patch;
mod people;
mod rules;
mod sessions;
mod versions;

use serde_json::{Value, json};

use crate::support::Admin;

/// An identity with an address and a password; its id.
pub(crate) async fn person(admin: &Admin<'_>, email: &str) -> String {
    let body =
        json!({ "traits": { "email": email }, "credentials": { "password": { "config": { "password": "a-secret-of-mine" } } } });
    made(admin, &body).await
}

/// An identity as the body says; its id.
async fn made(admin: &Admin<'_>, body: &Value) -> String {
    let answer = admin.send("POST", "/admin/identities", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}
