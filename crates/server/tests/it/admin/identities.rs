//! Making, reading, replacing and deleting identities.

use serde_json::{Value, json};

use super::{made, person};
use crate::support::{Admin, TestApp};

#[tokio::test]
async fn a_new_identity_has_what_its_traits_give() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let answer = admin.send("POST", "/admin/identities", &json!({ "traits": { "email": "Ada@Example.org" } })).await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(answer.location(), format!("http://127.0.0.1:4434/identities/{id}"));
    assert_eq!(body["traits"]["email"], "Ada@Example.org");
    assert_eq!(body["credentials"]["password"]["identifiers"], json!(["ada@example.org"]));
    assert!(body["credentials"]["password"].get("config").is_none());
    assert_eq!(body["verifiable_addresses"][0]["value"], "ada@example.org");
    assert_eq!(body["schema_url"], "http://127.0.0.1:4433/schemas/ZGVmYXVsdA");
    assert!(body.get("metadata_admin").is_none() && body["metadata_public"].is_null());

    let read = admin.get(&format!("/admin/identities/{id}?include_credential=code")).await.json();
    assert!(read.as_object().unwrap().contains_key("metadata_admin"));
    assert_eq!(
        read["credentials"]["code"]["config"],
        json!({ "addresses": [{ "channel": "email", "address": "ada@example.org" }] })
    );
}

#[tokio::test]
async fn what_is_taken_is_refused() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let body = json!({ "traits": { "email": "a@example.org" }, "external_id": "x" });
    made(&admin, &body).await;
    for again in
        [json!({ "traits": { "email": "A@Example.org" } }), json!({ "traits": { "email": "b@example.org" }, "external_id": "x" })]
    {
        assert_eq!(admin.send("POST", "/admin/identities", &again).await.status, 409, "{again}");
    }
    made(&admin, &json!({ "traits": { "email": "b@example.org" }, "external_id": "X" })).await;
    made(&admin, &json!({ "traits": { "email": "c@example.org" }, "external_id": "" })).await;
    made(&admin, &json!({ "traits": { "email": "d@example.org" }, "external_id": "" })).await;
}

#[tokio::test]
async fn of_two_at_once_one_gets_the_address() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let body = json!({ "traits": { "email": "a@example.org" } });
    let (one, two) = tokio::join!(admin.send("POST", "/admin/identities", &body), admin.send("POST", "/admin/identities", &body));
    let mut got = [one.status, two.status];
    got.sort_unstable();
    assert_eq!(got, [201, 409]);
}

#[tokio::test]
async fn bad_bodies_are_refused() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let traits = json!({ "email": "a@example.org" });
    for (what, body) in [
        ("an unknown member", json!({ "traits": traits, "nickname": 1 })),
        ("an id", json!({ "traits": traits, "id": "6f1c2f33-0000-4000-8000-000000000000" })),
        (
            "an unknown member of a credential",
            json!({ "traits": traits, "credentials": { "password": { "config": { "plain": 1 } } } }),
        ),
        ("an unknown credential", json!({ "traits": traits, "credentials": { "fax": { "config": {} } } })),
        ("codes", json!({ "traits": traits, "credentials": { "code": { "config": {} } } })),
        ("a password that says nothing", json!({ "traits": traits, "credentials": { "password": { "config": {} } } })),
        (
            "an unknown hash",
            json!({ "traits": traits, "credentials": { "password": { "config": { "hashed_password": "md5" } } } }),
        ),
        ("an unknown state", json!({ "traits": traits, "state": "asleep" })),
        ("an unknown region", json!({ "traits": traits, "region": "atlantis" })),
        ("an unknown schema", json!({ "traits": traits, "schema_id": "nope" })),
        ("an organization that is no id", json!({ "traits": traits, "organization_id": "acme" })),
        ("null for traits", json!({ "traits": null })),
        ("a list for traits", json!({ "traits": [] })),
        ("traits that the schema refuses", json!({ "traits": { "email": "not-an-address" } })),
        ("a number for a schema", json!({ "schema_id": 7, "traits": traits })),
        ("an object for a list", json!({ "traits": traits, "verifiable_addresses": {} })),
        ("a list", json!([])),
        ("null", Value::Null),
    ] {
        let answer = admin.send("POST", "/admin/identities", &body).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert_eq!(answer.json()["error"]["code"], 400, "{what}");
    }
    assert_eq!(admin.get("/admin/identities").await.json(), json!([]));
}

#[tokio::test]
async fn a_password_longer_than_bcrypt_takes_is_refused() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    for (length, status) in [(72, 201), (73, 400)] {
        let password = "x".repeat(length);
        let body = json!({
            "traits": { "email": format!("p{length}@example.org") },
            "credentials": { "password": { "config": { "password": password } } }
        });
        assert_eq!(admin.send("POST", "/admin/identities", &body).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn every_json_value_comes_back_as_metadata() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let deep = |n: usize| serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(n), "]".repeat(n))).unwrap();
    for (place, value) in [
        json!(7),
        json!(1.5e-7),
        json!(12_345_678_901_234_567_890_u64),
        json!("ä\u{2028}<&>"),
        json!(true),
        json!([null]),
        json!({ "\u{0}": null }),
        deep(100),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "traits": { "email": format!("m{place}@example.org") }, "metadata_public": value });
        let id = made(&admin, &body).await;
        assert_eq!(admin.get(&format!("/admin/identities/{id}")).await.json()["metadata_public"], value);
    }
    assert_eq!(admin.get("/admin/identities").await.status, 200);
}

#[tokio::test]
async fn what_is_no_id_names_no_identity() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = person(&admin, "a@example.org").await;
    assert_eq!(admin.get(&format!("/identities/{}", id.to_uppercase())).await.status, 200);
    for path in [
        "nope".to_owned(),
        id[..35].to_owned(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        "00000000-0000-0000-0000-000000000000".to_owned(),
    ] {
        let path = path.replace('{', "%7B").replace('}', "%7D");
        assert_eq!(admin.get(&format!("/admin/identities/{path}")).await.status, 404, "{path}");
        assert_eq!(admin.send("DELETE", &format!("/admin/identities/{path}"), &Value::Null).await.status, 404, "{path}");
    }
    let unknown = "/admin/identities/6f1c2f33-0000-4000-8000-000000000000?include_credential=bogus";
    assert_eq!(admin.get(unknown).await.status, 404);
    assert_eq!(admin.get(&format!("/admin/identities/{id}?include_credential=bogus")).await.status, 400);
}

#[tokio::test]
async fn replacing_leaves_nothing_that_was_not_sent() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let body = json!({
        "traits": { "email": "a@example.org" }, "metadata_public": 1, "metadata_admin": 2, "external_id": "x",
        "verifiable_addresses": [{ "value": "a@example.org", "verified": true }]
    });
    let id = made(&admin, &body).await;
    let path = format!("/admin/identities/{id}");
    let before = admin.get(&path).await.json();
    let put = admin.send("PUT", &path, &json!({ "traits": { "email": "A@example.org" }, "nickname": 1 })).await;
    assert_eq!(put.status, 200, "{put:?}");
    let after = admin.get(&path).await.json();
    assert!(after["metadata_public"].is_null() && after["metadata_admin"].is_null() && after.get("external_id").is_none());
    assert_eq!(after["verifiable_addresses"], before["verifiable_addresses"]);
    assert_eq!(after["created_at"], before["created_at"]);

    let moved = admin.send("PUT", &path, &json!({ "traits": { "email": "b@example.org" } })).await.json();
    assert_eq!(moved["verifiable_addresses"][0]["verified"], false);
    assert_ne!(moved["verifiable_addresses"][0]["id"], before["verifiable_addresses"][0]["id"]);
    assert_eq!(moved["credentials"]["password"]["identifiers"], json!(["b@example.org"]));
    person(&admin, "a@example.org").await;
    assert_eq!(admin.send("PUT", &path, &json!({ "traits": { "email": "a@example.org" } })).await.status, 409);
    assert_eq!(admin.get(&path).await.json()["traits"]["email"], "b@example.org");
}

#[tokio::test]
async fn deleting_frees_everything() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = person(&admin, "a@example.org").await;
    let path = format!("/admin/identities/{id}");
    assert_eq!(admin.send("DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(admin.send("DELETE", &path, &Value::Null).await.status, 404);
    assert_eq!(admin.get(&path).await.status, 404);
    person(&admin, "a@example.org").await;
}

#[tokio::test]
async fn an_external_id_is_one_segment() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = made(&admin, &json!({ "traits": { "email": "a@example.org" }, "external_id": "a/b ä" })).await;
    let found = admin.get("/admin/identities/by/external/a%2Fb%20%C3%A4").await;
    assert_eq!((found.status, found.json()["id"].as_str()), (200, Some(id.as_str())));
    assert_eq!(admin.get("/admin/identities/by/external/a").await.status, 404);
}
