//! Rules of the admin API beside its journeys: totals, bodies that are none, schemas that change, what credentials a PUT adds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{made, person};
use crate::support::{Admin, Native, Person, TestApp};

const PATH: &str = "/admin/identities";

/// Two schemas: people by mail address, and badges by number with an age.
fn two_schemas() -> Value {
    let badge = json!({
        "$id": "badge", "type": "object", "properties": { "traits": { "type": "object", "properties": {
            "badge": { "type": "string", "ory.sh/kratos": { "credentials": { "password": { "identifier": true } } } },
            "age": { "type": "integer" },
        } } }
    });
    let url = |text: &str| format!("base64://{}", STANDARD.encode(text));
    let person = url(portcullis_core::config::first_run::IDENTITY_SCHEMA);
    json!({ "identity": { "schemas": [{ "id": "default", "url": person }, { "id": "badge", "url": url(&badge.to_string()) }] } })
}

#[tokio::test]
async fn totals_count_what_the_filter_finds_and_links_lead_to_pages_that_exist() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let empty = admin.get(&format!("{PATH}?page=0&per_page=2")).await;
    assert_eq!((empty.json(), empty.header("x-total-count").as_deref()), (json!([]), Some("0")));
    let link = empty.header("link").unwrap_or_default();
    assert!(!link.contains("page=-1") && !link.contains("rel=\"next\"") && !link.contains("rel=\"prev\""), "{link}");
    let organization = "8d6d5a3c-4f0e-4f0e-8b5e-0a6f5b2c1d00";
    let ada = made(&admin, &json!({ "traits": { "email": "ada@example.org" }, "organization_id": organization })).await;
    let ben = person(&admin, "ben@example.org").await;
    person(&admin, "cy@example.org").await;
    for (filter, total) in [
        (String::new(), "3"),
        (format!("&ids={ada}&ids={ben}&ids={ada}"), "2"),
        (format!("&organization_id={organization}"), "1"),
        ("&credentials_identifier=CY@example.org".to_owned(), "1"),
        ("&credentials_identifier=nobody".to_owned(), "0"),
    ] {
        let answer = admin.get(&format!("{PATH}?page=0&per_page=1{filter}")).await;
        assert_eq!(answer.header("x-total-count").as_deref(), Some(total), "{filter}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_400_everywhere() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let one = format!("{PATH}/{}", person(&admin, "ada@example.org").await);
    let before = admin.get(&one).await.json();
    let long = format!("{{\"traits\": {{\"email\": \"{}\"}}}}", "x".repeat(5 << 20));
    let nested = format!("{{\"metadata_public\": {}{}, \"traits\": {{}}}}", "[".repeat(10_001), "]".repeat(10_001));
    for (method, path) in [("POST", PATH), ("PATCH", PATH), ("PUT", one.as_str()), ("PATCH", one.as_str())] {
        for body in ["", "{", "nonsense", "{} trailing", "[] []", "7", "\"x\"", "null", "\u{feff}{}", &long, &nested] {
            let answer = admin.send_raw(method, path, body.to_owned()).await;
            let shown = body.get(..40).unwrap_or(body);
            assert_eq!(answer.status, 400, "{method} {path} {shown}: {answer:?}");
            assert_eq!(answer.json()["error"]["code"], 400, "{method} {path} {shown}");
        }
    }
    assert_eq!(admin.get(&one).await.json(), before);
    assert_eq!(admin.get(PATH).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_fraction() {
    let app = TestApp::with(two_schemas()).await;
    let admin = Admin::new(&app);
    for (age, status) in [("20", 201), ("20.0", 201), ("2e1", 201), ("20.5", 400), ("\"20\"", 400)] {
        let badge = format!("b{}", age.replace('"', "x"));
        let body = format!(r#"{{"schema_id": "badge", "traits": {{"badge": "{badge}", "age": {age}}}}}"#);
        let answer = admin.send_raw("POST", PATH, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn after_another_schema_nobody_signs_in_by_the_old_identifier_and_others_may_have_it() {
    let app = TestApp::with(two_schemas()).await;
    let admin = Admin::new(&app);
    let who = Person::named("ada");
    let body =
        |traits: Value| json!({ "traits": traits, "credentials": { "password": { "config": { "password": who.password } } } });
    let id = made(&admin, &body(json!({ "email": who.email }))).await;
    let put = json!({ "schema_id": "badge", "traits": { "badge": "b-7" } });
    let answer = admin.send("PUT", &format!("{PATH}/{id}"), &put).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let now = answer.json();
    assert_eq!(now["credentials"]["password"]["identifiers"], json!(["b-7"]));
    assert!(now["credentials"].get("code").is_none(), "{now}");
    assert!(now.get("verifiable_addresses").is_none_or(|list| list.as_array().is_none_or(Vec::is_empty)), "{now}");
    assert_eq!(Native::new(&app).try_sign_in(&who).await.status, 400);
    let mut badge = Person::named("ada");
    (badge.email, badge.password) = ("B-7".to_owned(), who.password.clone());
    assert_eq!(Native::new(&app).try_sign_in(&badge).await.status, 200);
    made(&admin, &body(json!({ "email": who.email }))).await;
}

#[tokio::test]
async fn of_several_ways_to_give_a_password_the_first_one_counts() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let hash = "$2a$04$9EDmUFyT7vPyFwHZ7nFjw.gd5D6B8mc.y4/TRO7Jy1xMHQ.ySHhWe";
    let stored = async |email: &str, config: Value| {
        let body = json!({ "traits": { "email": email }, "credentials": { "password": { "config": config } } });
        let id = made(&admin, &body).await;
        admin.get(&format!("{PATH}/{id}?include_credential=password")).await.json()["credentials"]["password"]["config"].clone()
    };
    let asked = json!({ "hashed_password": "", "use_password_migration_hook": true });
    let all = json!({ "use_password_migration_hook": true, "password": "in clear", "hashed_password": hash });
    assert_eq!(stored("a@example.org", all).await, asked);
    let both = stored("b@example.org", json!({ "password": "in clear", "hashed_password": hash })).await;
    assert_ne!(both["hashed_password"], hash);
    let off = json!({ "use_password_migration_hook": false, "password": "", "hashed_password": hash });
    assert_eq!(stored("c@example.org", off).await, json!({ "hashed_password": hash }));
    let empty = json!({ "traits": { "email": "d@example.org" }, "credentials": { "oidc": { "config": { "providers": [] } } } });
    let who = admin.send("POST", PATH, &empty).await.json();
    assert!(who["credentials"].get("oidc").is_none(), "no empty link: {who}");
}

#[tokio::test]
async fn put_replaces_some_credentials_and_adds_to_others() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let totp = |secret: &str| json!({ "config": { "totp_url": format!("otpauth://totp/x:y?secret={secret}") } });
    let links = |subject: &str| json!({ "config": { "providers": [{ "provider": "hub", "subject": subject }] } });
    let codes = |code: &str| json!({ "config": { "codes": [{ "code": code }] } });
    let key = |id: &str, name: &str| json!({ "id": id, "public_key": "cHVi", "display_name": name });
    let first = json!({
        "oidc": links("1"), "saml": links("1"), "totp": totp("JBSWY3DPEHPK3PXP"), "lookup_secret": codes("aaaa1111"),
        "webauthn": { "config": { "user_handle": "aGFuZGxl", "credentials": [key("YQ==", "a"), key("Yg==", "b")] } },
        "passkey": { "config": { "user_handle": "cGFzcw==", "credentials": [key("cDE=", "p")] } },
    });
    let id = made(&admin, &json!({ "traits": { "email": "a@example.org" }, "credentials": first })).await;
    let second = json!({
        "oidc": links("2"), "saml": links("2"), "totp": totp("KRSXG5CTMVRXEZLU"), "lookup_secret": codes("bbbb2222"),
        "webauthn": { "config": { "credentials": [key("Yg==", "new b"), key("Yw==", "c")] } },
        "passkey": { "config": { "user_handle": "cGFzcw==", "credentials": [key("cDI=", "q")] } },
    });
    let one = format!("{PATH}/{id}");
    let put = json!({ "traits": { "email": "a@example.org" }, "credentials": second });
    assert_eq!(admin.send("PUT", &one, &put).await.status, 200);
    let query = ["oidc", "saml", "totp", "lookup_secret", "webauthn", "passkey"].map(|kind| format!("include_credential={kind}"));
    let read = async || admin.get(&format!("{one}?{}", query.join("&"))).await.json()["credentials"].clone();
    let now = read().await;
    for kind in ["oidc", "saml"] {
        assert_eq!(now[kind]["identifiers"], json!(["hub:1", "hub:2"]), "{kind}");
        assert_eq!(now[kind]["config"]["providers"].as_array().unwrap().len(), 2, "{kind}");
    }
    assert!(now["totp"]["config"]["totp_url"].as_str().unwrap().ends_with("KRSXG5CTMVRXEZLU"));
    assert_eq!(now["totp"]["identifiers"], json!([id]));
    let list = |kind: &str, list: &str, member: &str| -> Vec<Value> {
        now[kind]["config"][list].as_array().unwrap().iter().map(|entry| entry[member].clone()).collect()
    };
    assert_eq!(list("lookup_secret", "recovery_codes", "code"), ["aaaa1111", "bbbb2222"]);
    assert_eq!(list("webauthn", "credentials", "display_name"), ["a", "new b", "c"]);
    assert_eq!(now["webauthn"]["config"]["user_handle"], "aGFuZGxl", "a missing one keeps the old");
    assert_eq!(list("passkey", "credentials", "id"), ["cDE=", "cDI="]);
    // A PUT without credentials keeps all of them.
    assert_eq!(admin.send("PUT", &one, &json!({ "traits": { "email": "a@example.org" } })).await.status, 200);
    assert_eq!(read().await, now);
}
