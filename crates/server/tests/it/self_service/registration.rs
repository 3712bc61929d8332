//! Signing up.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Admin, Browser, Form, Native, Person, Spa, TestApp, UI};

const BEGIN: &str = "/self-service/registration/browser";

#[tokio::test]
async fn the_beginning_is_checked_in_order() {
    let app = TestApp::new().await;
    let off = TestApp::with(json!({ "selfservice": { "flows": { "registration": { "enabled": false } } } })).await;
    let forbidden = Some("self_service_flow_return_to_forbidden");
    for (app, query, status, id) in [
        (&app, "", 200, None),
        (&app, "?identity_schema=", 200, None),
        (&app, "?identity_schema=unknown", 400, None),
        (&app, "?return_to=https://evil.example&identity_schema=unknown", 400, forbidden),
        (&app, "?login_challenge=", 500, Some("invalid_configuration")),
        (&off, "", 400, Some("self_service_flow_disabled")),
        (&off, "?return_to=https://evil.example", 400, forbidden),
    ] {
        for route in ["browser", "api"] {
            let answer = Spa::new(app).get(&format!("/self-service/registration/{route}{query}")).await;
            assert_eq!((answer.status, answer.error_id().as_deref()), (status, id), "{route}{query}");
        }
    }
    let fetched = Spa::new(&off).flow("registration", "6a2b0c1e-2222-4333-8444-555566667777").await;
    assert_eq!(fetched.error_id().as_deref(), Some("self_service_flow_disabled"));
}

#[tokio::test]
async fn whoever_is_signed_in_does_not_sign_up() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    let before = spa.open("registration").await;
    spa.sign_up(&ada).await;
    for answer in [
        spa.get(BEGIN).await,
        spa.get("/self-service/registration/api").await,
        spa.submit(&before, json!({ "method": "password" })).await,
    ] {
        assert_eq!((answer.status, answer.error_id().as_deref()), (400, Some("session_already_available")));
    }
    let mut browser = spa.browser();
    assert_eq!(browser.get(&format!("{BEGIN}?return_to={UI}/x")).await.location(), format!("{UI}/x"));
    let sent = browser.submit(&before, &[("method", "password")]).await;
    assert_eq!((sent.status, sent.location()), (302, &*format!("{UI}/")));
    let mut native = Native::new(&app);
    native.token = Some("ory_st_that-means-nothing".to_owned());
    assert_eq!(native.get("/self-service/registration/api").await.status, 200);
}

#[tokio::test]
async fn all_faults_are_told_at_once() {
    let app = TestApp::new().await;
    let native = Native::new(&app);
    let form = native.open("registration").await;
    for (fields, told) in [
        (json!({ "method": "password" }), vec![("traits.email", 4_000_002), ("password", 4_000_002)]),
        (
            json!({ "method": "password", "traits": { "email": "nobody" } }),
            vec![("traits.email", 4_000_040), ("password", 4_000_002)],
        ),
        (
            json!({ "method": "password", "password": 5, "traits": { "email": 7 } }),
            vec![("traits.email", 4_000_026), ("password", 4_000_026)],
        ),
        (
            json!({ "method": "password", "password": "", "traits": { "email": "ada@example.org" } }),
            vec![("password", 4_000_002)],
        ),
        (
            json!({ "method": "password", "password": "short", "traits": { "email": "ada@example.org" } }),
            vec![("password", 4_000_032)],
        ),
    ] {
        let answer = native.submit(&form, fields.clone()).await;
        assert_eq!(answer.status, 400, "{fields}");
        for (node, id) in &told {
            assert!(answer.told_at(node).contains(id), "{fields}: {:?}", answer.told());
        }
        assert_eq!(answer.field("password").unwrap_or_default(), json!(null));
    }
    for (fields, told) in [(json!({}), 4_010_003), (json!({ "method": "Password" }), 4_010_003)] {
        assert_eq!(native.submit(&form, fields.clone()).await.told(), [told], "{fields}");
    }
    let kept = native.flow("registration", &form.id).await;
    assert_eq!(kept.field("traits.email"), Some(json!("ada@example.org")), "what was typed stays");
}

#[tokio::test]
async fn a_whole_number_is_written_as_one() {
    let age = json!({ "type": "integer" });
    let (email, identifier) = (json!({ "type": "string", "format": "email" }), json!({ "password": { "identifier": true } }));
    let mut traits =
        json!({ "email": email, "age": age, "years": { "type": "array", "items": age }, "ratio": { "type": "number" } });
    traits["email"]["ory.sh/kratos"] = json!({ "credentials": identifier });
    let schema = json!({ "properties": { "traits": { "type": "object", "properties": traits } } }).to_string();
    let url = format!("base64://{}", BASE64_STANDARD.encode(schema));
    let app = TestApp::with(json!({ "identity": { "schemas": [{ "id": "default", "url": url }] } })).await;
    let native = Native::new(&app);
    let form = native.open("registration").await;
    let submit = async |traits: Value| {
        let fields = json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": traits });
        native.submit(&form, fields).await
    };
    for (traits, node) in [(json!({ "age": 20.0 }), "traits.age"), (json!({ "years": [1, 2.0] }), "traits.years")] {
        let answer = submit(traits).await;
        assert_eq!((answer.status, answer.told_at(node)), (400, vec![4_000_026]), "{answer:?}");
    }
    let done = submit(json!({ "email": "ada@example.org", "age": 20, "years": [1, 2], "ratio": 1.0 })).await;
    assert_eq!(done.status, 200, "{done:?}");

    // What a person types is a text, and is read for its value.
    let mut browser = Browser::new(&app);
    let form = browser.open("registration").await;
    let typed = [("traits.email", "grace@example.org"), ("traits.age", "20.0"), ("traits.years", "1")];
    let fields = [("method", "password"), ("password", "heron-Qx7-58-lantern")];
    browser.submit(&form, &[&typed[..], &fields].concat()).await;
    let who = Admin::new(&app).get("/admin/identities?credentials_identifier=grace@example.org").await.json();
    assert_eq!(who[0]["traits"], json!({ "email": "grace@example.org", "age": 20, "years": [1] }));
}

#[tokio::test]
async fn an_organization_is_kept_and_offered_no_method() {
    let app = TestApp::new().await;
    let organization = "6a2b0c1e-2222-4333-8444-555566667777";
    for (asked, kept) in [(organization, json!(organization)), ("not-an-id", json!(null)), ("", json!(null))] {
        let mut spa = Spa::new(&app);
        let begun = spa.get(&format!("{BEGIN}?organization={asked}")).await;
        let fetched = spa.flow("registration", begun.json()["id"].as_str().unwrap()).await;
        for shown in [begun, fetched] {
            let shown = shown.json();
            assert_eq!(shown["organization_id"], kept, "{asked}");
            assert_eq!(shown["ui"]["nodes"].is_null(), !kept.is_null(), "{asked}");
        }
    }
}

#[tokio::test]
async fn a_taken_address_is_told_however_it_is_spelled() {
    let app = TestApp::new().await;
    Spa::new(&app).sign_up(&Person::named("ada")).await;
    for email in ["ada@example.org", "ADA@example.org", "Ada@Example.ORG"] {
        let native = Native::new(&app);
        let form = native.open("registration").await;
        let fields = json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": { "email": email } });
        let answer = native.submit(&form, fields).await;
        assert_eq!((answer.status, answer.told()), (400, vec![4_000_007]), "{email}");
        assert_eq!(answer.field("traits.email"), Some(json!(email)));
    }
    let mut browser = Browser::new(&app);
    let form = browser.open("registration").await;
    let fields = [("method", "password"), ("password", "heron-Qx7-58-lantern"), ("traits.email", "ada@example.org")];
    let sent = browser.submit(&form, &fields).await;
    assert_eq!((sent.status, sent.parameter("flow")), (302, Some(form.id)));
}

#[tokio::test]
async fn success_is_told_to_each_client_in_its_way() {
    let app = TestApp::new().await;
    let mut native = Native::new(&app);
    let answer = native.sign_up(&Person::named("native")).await;
    let last = answer.json()["continue_with"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["action"].as_str(), answer.cookies()), (Some("set_ory_session_token"), vec![]));
    assert_eq!(native.get("/sessions/whoami").await.status, 200);
    let mut spa = Spa::new(&app);
    let answer = spa.sign_up(&Person::named("spa")).await;
    assert_eq!(answer.json()["continue_with"][0]["redirect_browser_to"], format!("{UI}/"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("ory_st_"));
    assert_eq!(spa.get("/sessions/whoami").await.status, 200);
    let mut browser = Browser::new(&app);
    assert_eq!(browser.sign_up(&Person::named("page")).await.location(), format!("{UI}/"));
}

#[tokio::test]
async fn without_the_hook_nobody_is_signed_in() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "registration": { "after": null } } } })).await;
    let mut spa = Spa::new(&app);
    let answer = spa.sign_up(&Person::named("ada")).await;
    assert!(answer.json().get("session").is_none() && answer.cookie("ory_kratos_session=").is_none());
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);
    let native = Native::new(&app);
    let form = native.open("registration").await;
    let fields = json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": { "email": "eve@example.org" } });
    let answer = native.submit(&form, fields).await;
    assert_eq!((answer.status, &answer.json()["continue_with"]), (200, &json!(null)));
    assert!(answer.json().get("session_token").is_none());
}

#[tokio::test]
async fn in_two_steps_the_traits_come_first() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "registration": { "style": "profile_first" } } } })).await;
    let native = Native::new(&app);
    let form = native.open("registration").await;
    let bad = native.submit(&form, json!({ "method": "profile", "traits": { "email": "nobody" } })).await;
    assert_eq!((bad.status, bad.told_at("traits.email")), (400, vec![4_000_040]));
    let traits = json!({ "email": "ada@example.org" });
    let step = native.submit(&form, json!({ "method": "profile", "traits": traits })).await;
    assert_eq!((step.status, step.told()), (400, vec![1_040_009]));
    assert!(step.nodes().contains(&"password".to_owned()) && step.nodes().contains(&"screen".to_owned()));
    let back = native.submit(&form, json!({ "method": "profile", "screen": "previous", "traits": traits })).await;
    assert!(!back.nodes().contains(&"password".to_owned()));
    assert_eq!(back.field("traits.email"), Some(json!("ada@example.org")));
    let unknown = native.submit(&form, json!({ "method": "profile", "screen": "nowhere", "traits": traits })).await;
    assert_eq!(unknown.told_at("screen"), [4_000_001]);
    let fields = json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": traits });
    assert_eq!(native.submit(&form, fields).await.status, 200, "a client may skip the first step");
}

#[tokio::test]
async fn a_field_that_was_made_empty_stays_empty_in_the_second_step() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "registration": { "style": "profile_first" } } } })).await;
    let mut browser = Browser::new(&app);
    let begun = browser.get("/self-service/registration/browser").await;
    let page = format!("/self-service/registration/flows?id={}", begun.parameter("flow").unwrap());
    let form = browser.script().get(&page).await;
    let token = form.field("csrf_token").unwrap();
    let long = "x".repeat(201);
    for (last, expected) in [(long.as_str(), Some(json!(long))), ("", None)] {
        let fields = [
            ("method", "profile"),
            ("csrf_token", token.as_str().unwrap()),
            ("traits.email", "ada@example.org"),
            ("traits.name.last", last),
        ];
        assert!(matches!(browser.post(&form.action(), &fields).await.status, 302 | 303));
        let shown = browser.script().get(&page).await;
        assert_eq!(shown.field("traits.name.last").filter(|v| !v.is_null()), expected);
        assert_eq!(shown.field("traits.email"), Some(json!("ada@example.org")));
    }
}

#[tokio::test]
async fn trait_nodes_stand_in_the_group_of_the_feature_flag() {
    for (flag, group) in [(json!(null), "default"), (json!("default"), "default"), (json!("password"), "password")] {
        let app = TestApp::with(json!({ "feature_flags": { "password_profile_registration_node_group": flag } })).await;
        let begun = Native::new(&app).get("/self-service/registration/api").await.json();
        let nodes = begun["ui"]["nodes"].as_array().unwrap();
        let groups: Vec<_> = nodes
            .iter()
            .filter(|node| node["attributes"]["name"].as_str().is_some_and(|name| name.starts_with("traits.")))
            .map(|node| node["group"].clone())
            .collect();
        assert!(!groups.is_empty() && groups.iter().all(|g| g == group), "{flag}: {groups:?}");
    }
}

#[tokio::test]
async fn a_sign_up_form_belongs_to_its_browser() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    let form = spa.open("registration").await;
    let fields = json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": { "email": "ada@example.org" } });
    let mut other = Spa::new(&app);
    other.open("registration").await;
    for answer in [
        other.flow("registration", &form.id).await,
        other.submit(&form, fields.clone()).await,
        spa.submit(&Form { csrf: String::new(), ..form.clone() }, fields.clone()).await,
    ] {
        assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("security_csrf_violation")));
    }
    assert_eq!(spa.submit(&form, fields).await.status, 200);
}

#[tokio::test]
async fn an_expired_sign_up_gets_a_new_flow() {
    let app = TestApp::new().await;
    let native = Native::new(&app);
    let form = native.open("registration").await;
    app.wait(3601);
    let fetched = native.flow("registration", &form.id).await;
    assert_eq!((fetched.status, fetched.error_id().as_deref()), (410, Some("self_service_flow_expired")));
    assert_eq!(fetched.json()["error"]["details"]["api"], "http://127.0.0.1:4433/self-service/registration/api");
    let answer = native.submit(&form, json!({ "method": "password" })).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (410, Some("self_service_flow_expired")));
    let new = answer.json()["use_flow_id"].as_str().unwrap().to_owned();
    assert_eq!(native.flow("registration", &new).await.told(), [4_040_001]);
}
