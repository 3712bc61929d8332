//! Deleting single credentials.

use serde_json::{Value, json};

use super::{made, person};
use crate::support::{Admin, TestApp};

async fn delete(admin: &Admin<'_>, id: &str, rest: &str) -> u16 {
    admin.send("DELETE", &format!("/admin/identities/{id}/credentials/{rest}"), &Value::Null).await.status
}

#[tokio::test]
async fn the_last_first_factor_stays() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = person(&admin, "a@example.org").await;
    for (rest, status) in [
        ("password", 400),
        ("totp", 404),
        ("bogus", 404),
        ("code", 400),
        ("passkey", 404),
        ("deviceauthn", 400),
        ("deviceauthn?identifier=x", 404),
        ("oidc?identifier=hub:x", 404),
    ] {
        assert_eq!(delete(&admin, &id, rest).await, status, "{rest}");
    }
    assert_eq!(delete(&admin, "nope", "password").await, 404);
}

#[tokio::test]
async fn where_codes_sign_people_in_a_password_may_go() {
    let app = TestApp::with(json!({ "selfservice": { "methods": { "code": { "passwordless_enabled": true } } } })).await;
    let admin = Admin::new(&app);
    let id = person(&admin, "a@example.org").await;
    assert_eq!(delete(&admin, &id, "password").await, 204);
    let left = admin.get(&format!("/admin/identities/{id}?include_credential=password")).await.json();
    assert_eq!(left["credentials"]["password"]["config"], json!({}));
    assert_eq!(left["credentials"]["password"]["identifiers"], json!(["a@example.org"]));
    assert_eq!(delete(&admin, &id, "password").await, 400);
}

#[tokio::test]
async fn of_two_social_links_deleted_at_once_one_stays() {
    let app = TestApp::with(json!({ "selfservice": { "methods": { "oidc": { "enabled": true } } } })).await;
    let admin = Admin::new(&app);
    let links = json!([{ "provider": "hub", "subject": "1" }, { "provider": "lab", "subject": "2" }]);
    let body = json!({ "traits": { "email": "a@example.org" }, "credentials": { "oidc": { "config": { "providers": links } } } });
    let id = made(&admin, &body).await;
    assert_eq!(delete(&admin, &id, "oidc").await, 400);
    assert_eq!(delete(&admin, &id, "oidc?identifier=hub:2").await, 404);
    let (one, two) = tokio::join!(delete(&admin, &id, "oidc?identifier=hub:1"), delete(&admin, &id, "oidc?identifier=lab:2"));
    let mut got = [one, two];
    got.sort_unstable();
    assert_eq!(got, [204, 400]);
    let left = admin.get(&format!("/admin/identities/{id}?include_credential=oidc")).await.json();
    assert_eq!(left["credentials"]["oidc"]["identifiers"].as_array().unwrap().len(), 1);
    assert_eq!(left["credentials"]["oidc"]["config"]["providers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn second_factors_go_and_keys_that_sign_in_alone_stay() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let key =
        |id: &str, alone: bool| json!({ "id": id, "public_key": "bm90IGEga2V5", "display_name": id, "is_passwordless": alone });
    let body = json!({
        "traits": { "email": "a@example.org" },
        "credentials": {
            "totp": { "config": { "totp_url": "otpauth://totp/x:y?secret=JBSWY3DPEHPK3PXP" } },
            "lookup_secret": { "config": { "codes": [{ "code": "abcd1234" }] } },
            "webauthn": { "config": { "user_handle": "aGFuZGxl", "credentials": [key("YQ==", false), key("Yg==", true)] } }
        }
    });
    let id = made(&admin, &body).await;
    for kind in ["totp", "lookup_secret", "webauthn"] {
        assert_eq!(delete(&admin, &id, kind).await, 204, "{kind}");
    }
    let left = admin.get(&format!("/admin/identities/{id}?include_credential=webauthn")).await.json();
    let keys = &left["credentials"]["webauthn"]["config"]["credentials"];
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["display_name"]), (1, &json!("Yg==")));
    assert_eq!(delete(&admin, &id, "totp").await, 404);
    assert!(left["credentials"].get("lookup_secret").is_none());
}
