//! Odd bodies and values: lines 11 to 13 of the acceptance list of settings.

use serde_json::json;

use super::{profile, signed_up};
use crate::support::{Browser, Native, Person, TestApp, schema};

/// Traits of many kinds.
async fn rich() -> TestApp {
    let name = json!({ "credentials": { "password": { "identifier": true } } });
    let properties = json!({
        "email": { "type": "string", "format": "email", "title": "E-mail", "ory.sh/kratos": name },
        "work": { "type": "string", "format": "email" },
        "seats": { "type": "integer", "maximum": 99 },
        "height": { "type": "number", "multipleOf": 0.5 },
        "newsletter": { "type": "boolean" },
        "nick": { "type": "string", "minLength": 3, "pattern": "^[a-z]+$" },
        "tags": { "type": "array", "items": { "type": "string" }, "maxItems": 3 },
        "address": {
            "type": "object", "additionalProperties": false, "required": ["city"],
            "properties": { "city": { "type": "string" }, "street": { "type": "string" } },
        },
    });
    TestApp::with(schema(properties, &["email"])).await
}

#[tokio::test]
async fn line_11_odd_bodies_never_succeed_by_accident() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let mail = &ada.email;
    let whole = json!({ "csrf_token": form.csrf, "method": "profile", "traits": { "email": mail, "name": { "first": "Eve" } } });
    for (body, told) in [
        (format!("{whole} trailing"), vec![4_000_001]),
        (format!("{whole}{whole}"), vec![4_000_001]),
        (format!("[{whole}]"), vec![4_000_001]),
        ("null".to_owned(), vec![4_000_001]),
        ("\"profile\"".to_owned(), vec![4_000_001]),
        ("{".to_owned(), vec![4_000_001]),
        ("{}".to_owned(), vec![4_010_004]),
        (json!({ "csrf_token": form.csrf, "method": ["profile"] }).to_string(), vec![4_010_004]),
        (json!({ "csrf_token": form.csrf, "method": "Profile" }).to_string(), vec![4_010_004]),
    ] {
        let answer = spa.post_raw(&form.action, "application/json", body.clone()).await;
        assert_eq!((answer.status, answer.told()), (400, told), "{body}");
    }
    for fields in [
        json!({ "method": "password", "password": 1_234_567_890_123_u64 }),
        json!({ "method": "password", "password": ["heron-Qx7-58-lantern"] }),
        json!({ "method": "password", "password": true }),
        json!({ "method": "profile", "traits": "email" }),
        json!({ "method": "profile", "traits": [mail] }),
        json!({ "method": "profile", "traits": 7 }),
        json!({ "method": "profile", "traits": { "email": [mail] } }),
        json!({ "method": "profile", "traits": { "email": mail, "name": "Eve" } }),
        json!({ "method": "profile", "traits": { "email": mail }, "transient_payload": "text" }),
        json!({ "method": "profile", "traits": { "email": mail }, "transient_payload": [1] }),
    ] {
        let answer = spa.submit(&form, fields.clone()).await;
        assert_eq!(answer.status, 400, "{fields}");
        assert!(!answer.told().is_empty(), "{fields}");
        assert_eq!(answer.state(), "show_form", "{fields}");
    }
    for media_type in ["text/plain", "multipart/form-data; boundary=x", "application/json-patch+json", "application/xml"] {
        let answer = spa.post_raw(&form.action, media_type, whole.to_string()).await;
        assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]), "{media_type}");
    }
    assert_eq!(spa.traits().await, json!({ "email": mail, "name": {} }));
    assert_eq!(Native::new(&app).try_sign_in(&ada).await.status, 200);
}

#[tokio::test]
async fn line_12_values_are_judged_by_what_they_are() {
    let app = rich().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let mail = json!(ada.email);
    for (traits, told) in [
        (json!({ "email": mail, "seats": 20.0 }), vec![1_050_001]),
        (json!({ "email": mail, "seats": 20.5 }), vec![4_000_026]),
        (json!({ "email": mail, "seats": "20" }), vec![4_000_026]),
        (json!({ "email": mail, "seats": 100 }), vec![4_000_020]),
        (json!({ "email": mail, "height": 1.5 }), vec![1_050_001]),
        (json!({ "email": mail, "height": 1.25 }), vec![4_000_022]),
        (json!({ "email": mail, "address": { "city": "Oslo" } }), vec![1_050_001]),
        (json!({ "email": mail, "address": { "street": "Karl Johans gate" } }), vec![4_000_002]),
        (json!({ "email": mail }), vec![1_050_001]),
        (json!({ "email": "" }), vec![4_000_040]),
        (json!({ "email": mail, "work": "" }), vec![4_000_040]),
        (json!({ "email": "nobody" }), vec![4_000_040]),
        (json!({}), vec![4_000_002]),
        (json!({ "email": mail, "tags": ["a", "b", "c", "d"] }), vec![4_000_023]),
    ] {
        let answer = spa.submit(&form, profile(traits.clone())).await;
        assert_eq!(answer.told(), told, "{traits}");
        assert_eq!(answer.status, if told == [1_050_001] { 200 } else { 400 }, "{traits}");
    }
    assert_eq!(spa.traits().await, json!({ "email": mail }), "the last one that was good");
}

#[tokio::test]
async fn line_13_an_unknown_field_is_named_and_leaves_no_node() {
    let app = rich().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let nodes = spa.flow("settings", &form.id).await.nodes();
    for traits in [
        json!({ "email": ada.email, "shoe_size": 41 }),
        json!({ "email": ada.email, "address": { "city": "Oslo", "planet": "Earth" } }),
    ] {
        let answer = spa.submit(&form, profile(traits.clone())).await;
        assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]), "{traits}");
        let text = answer.json()["ui"].to_string();
        assert!(text.contains("shoe_size") || text.contains("planet"), "{text}");
        assert_eq!(answer.nodes(), nodes, "{traits}");
    }
    for tags in [json!(["a", "b"]), json!(["a", 1]), json!(["a", "b", "c", "d"])] {
        spa.submit(&form, profile(json!({ "email": ada.email, "tags": tags }))).await;
        assert_eq!(spa.flow("settings", &form.id).await.nodes(), nodes, "{tags}");
    }
}

#[tokio::test]
async fn all_faults_are_told_at_once_each_at_its_node_which_keeps_what_was_typed() {
    let app = rich().await;
    let (mut spa, form) = signed_up(&app, &Person::named("ada")).await;
    let answer = spa.submit(&form, profile(json!({ "email": "nobody", "nick": "X", "seats": 1000, "newsletter": "yes" }))).await;
    assert_eq!(answer.status, 400);
    for (node, told, typed) in [
        ("traits.email", vec![4_000_040], json!("nobody")),
        ("traits.nick", vec![4_000_003, 4_000_004], json!("X")),
        ("traits.seats", vec![4_000_020], json!(1000)),
        ("traits.newsletter", vec![4_000_026], json!("yes")),
    ] {
        let mut at = answer.told_at(node);
        at.sort_unstable();
        assert_eq!((at, answer.field(node)), (told, Some(typed.clone())), "{node}");
        assert_eq!(spa.flow("settings", &form.id).await.field(node), Some(typed), "{node}, fetched later");
    }
}

#[tokio::test]
async fn a_form_is_converted_by_the_schema() {
    let app = rich().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    let sent = browser
        .submit(
            &form,
            &[
                ("method", "profile"),
                ("traits.email", &ada.email),
                ("traits.seats", "20"),
                ("traits.height", "1.5"),
                ("traits.newsletter", "false"),
                ("traits.newsletter", "true"),
                ("traits.nick", ""),
                ("traits.tags", "a"),
                ("traits.tags", "b"),
                ("traits.address.city", "Oslo"),
            ],
        )
        .await;
    assert_eq!(sent.status, 303);
    assert_eq!(
        browser.script().traits().await,
        json!({
            "email": ada.email, "seats": 20, "height": 1.5, "newsletter": true, "tags": ["a", "b"], "address": { "city": "Oslo" },
        })
    );
}
