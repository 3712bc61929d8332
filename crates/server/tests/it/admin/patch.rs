//! JSON Patch.

use serde_json::{Value, json};

use super::{made, person};
use crate::support::{Admin, TestApp};

#[tokio::test]
async fn members_are_changed_one_by_one() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let path = format!("/admin/identities/{}", person(&admin, "a@example.org").await);
    let patch = json!([
        { "op": "replace", "path": "/traits/name/first", "value": "Ada" },
        { "op": "add", "path": "/metadata_admin/deep/er", "value": [1] },
        { "op": "replace", "path": "/state", "value": "inactive" },
        { "op": "add", "path": "/external_id", "value": "x" },
        { "op": "add", "path": "/region", "value": "eu" },
        { "op": "add", "path": "/nickname", "value": "passed over" },
        { "op": "replace", "path": "/schema_url", "value": "https://example.org" }
    ]);
    let before = admin.get(&path).await.json();
    app.clock.advance(std::time::Duration::from_secs(60));
    let answer = admin.send("PATCH", &path, &patch).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let after = admin.get(&path).await.json();
    assert_eq!(after["traits"]["name"]["first"], "Ada");
    assert_eq!(after["metadata_admin"], json!({ "deep": { "er": [1] } }));
    assert_eq!((after["state"].as_str(), after["external_id"].as_str()), (Some("inactive"), Some("x")));
    assert!(after.get("nickname").is_none() && after.get("region").is_none());
    assert_eq!(after["schema_url"], before["schema_url"]);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_ne!(after["state_changed_at"], before["state_changed_at"]);
    assert_eq!(after["credentials"], before["credentials"]);
}

#[tokio::test]
async fn an_empty_patch_changes_nothing() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let path = format!("/admin/identities/{}", person(&admin, "a@example.org").await);
    let before = admin.get(&path).await.json();
    app.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(admin.send("PATCH", &path, &json!([])).await.status, 200);
    assert_eq!(admin.get(&path).await.json(), before);
}

#[tokio::test]
async fn one_failure_undoes_all() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let path = format!("/admin/identities/{}", person(&admin, "a@example.org").await);
    let before = admin.get(&path).await.json();
    let good = json!({ "op": "add", "path": "/metadata_public", "value": 1 });
    for bad in [
        json!({ "op": "replace", "path": "/ID", "value": "x" }),
        json!({ "op": "remove", "path": "/credentials" }),
        json!({ "op": "add", "path": "/credentials/oidc/config", "value": {} }),
        json!({ "op": "replace", "path": "/credentials/password", "value": { "config": {} } }),
        json!({ "op": "add", "path": "/credentials/totp", "value": { "type": "password", "identifiers": [], "config": {} } }),
        json!({ "op": "replace", "path": "/credentials/password/config/hashed_password", "value": "nonsense" }),
        json!({ "op": "replace", "path": "/created_at", "value": "yesterday" }),
        json!({ "op": "replace", "path": "/traits", "value": "x" }),
        json!({ "op": "remove", "path": "/traits/email" }),
        json!({ "op": "replace", "path": "/state", "value": "asleep" }),
        json!({ "op": "replace", "path": "/organization_id", "value": "acme" }),
        json!({ "op": "replace", "path": "/schema_id", "value": "nope" }),
        json!({ "op": "replace", "path": "", "value": {} }),
        json!({ "op": "test", "path": "/traits/email", "value": "a@example.org" }),
    ] {
        let answer = admin.send("PATCH", &path, &json!([good, bad])).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
    }
    assert_eq!(admin.get(&path).await.json(), before);
    let unknown = "/admin/identities/6f1c2f33-0000-4000-8000-000000000000";
    assert_eq!(admin.send("PATCH", unknown, &json!({})).await.status, 404);
}

#[tokio::test]
async fn addresses_follow_the_traits() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let path = format!("/admin/identities/{}", person(&admin, "a@example.org").await);
    let verify = json!([{ "op": "replace", "path": "/verifiable_addresses/0/verified", "value": true }]);
    let verified = admin.send("PATCH", &path, &verify).await.json();
    assert_eq!(verified["verifiable_addresses"][0]["verified"], true);
    let stranger =
        json!([{ "op": "add", "path": "/verifiable_addresses/-", "value": { "value": "x@example.org", "verified": true } }]);
    let same = admin.send("PATCH", &path, &stranger).await.json();
    assert_eq!(same["verifiable_addresses"], verified["verifiable_addresses"]);
    let removed =
        json!([{ "op": "remove", "path": "/verifiable_addresses/0" }, { "op": "remove", "path": "/recovery_addresses" }]);
    let back = admin.send("PATCH", &path, &removed).await.json();
    assert_eq!(back["verifiable_addresses"][0]["verified"], false);
    assert_eq!(back["recovery_addresses"], verified["recovery_addresses"]);
    let identifiers = json!([{ "op": "replace", "path": "/credentials/password/identifiers", "value": ["x@example.org"] }]);
    assert_eq!(admin.send("PATCH", &path, &identifiers).await.status, 200);
    assert_eq!(admin.get(&path).await.json()["credentials"]["password"]["identifiers"], json!(["a@example.org"]));
}

#[tokio::test]
async fn patches_at_once_all_count() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let body = json!({ "traits": { "email": "a@example.org" }, "metadata_admin": {} });
    let path = format!("/admin/identities/{}", made(&admin, &body).await);
    let add = |name: &str| json!([{ "op": "add", "path": format!("/metadata_admin/{name}"), "value": 1 }]);
    let (a, b, c) = (add("a"), add("b"), add("c"));
    let (a, b, c) = tokio::join!(admin.send("PATCH", &path, &a), admin.send("PATCH", &path, &b), admin.send("PATCH", &path, &c));
    assert_eq!([a.status, b.status, c.status], [200; 3]);
    assert_eq!(admin.get(&path).await.json()["metadata_admin"], json!({ "a": 1, "b": 1, "c": 1 }));
}

#[tokio::test]
async fn secrets_are_written_and_shown_in_clear_and_kept_encrypted() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let url = "otpauth://totp/x:y?secret=JBSWY3DPEHPK3PXP&issuer=x";
    let body = json!({
        "traits": { "email": "a@example.org" },
        "credentials": {
            "totp": { "config": { "totp_url": url } },
            "lookup_secret": { "config": { "codes": [{ "code": "abcd1234" }] } }
        }
    });
    let id = made(&admin, &body).await;
    let path = format!("/admin/identities/{id}");
    let shown = admin.get(&format!("{path}?include_credential=totp&include_credential=lookup_secret")).await.json();
    assert_eq!(shown["credentials"]["totp"]["config"]["totp_url"], url);
    assert_eq!(shown["credentials"]["lookup_secret"]["config"]["recovery_codes"][0]["code"], "abcd1234");
    let stored = portcullis_store::identities::get_with_credentials(&app.app.store, id.parse().unwrap()).await.unwrap().unwrap();
    let all: String = stored.credentials.iter().map(|c| c.config.to_string()).collect();
    assert!(!all.contains("JBSWY3DPEHPK3PXP") && !all.contains("abcd1234"), "{all}");

    // A patch elsewhere leaves them as they are stored; one of them is encrypted anew.
    let other = json!([{ "op": "add", "path": "/metadata_public", "value": 1 }]);
    assert_eq!(admin.send("PATCH", &path, &other).await.status, 200);
    let again = portcullis_store::identities::get_with_credentials(&app.app.store, id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(again.credentials, stored.credentials);
    let new = json!([{ "op": "replace", "path": "/credentials/totp/config/totp_url", "value": format!("{url}&x=2") }]);
    assert_eq!(admin.send("PATCH", &path, &new).await.status, 200);
    let shown = admin.get(&format!("{path}?include_credential=totp")).await.json();
    assert_eq!(shown["credentials"]["totp"]["config"]["totp_url"], format!("{url}&x=2"));
    assert_eq!(shown["credentials"]["totp"]["identifiers"], json!([id]));
    assert_ne!(shown["credentials"]["totp"]["config"], Value::Null);
}
