//! Signing in: beginning, answering, what a session and its cookies go through.

use serde_json::json;

use crate::support::{Admin, Browser, Form, Native, Person, Spa, TestApp, UI};

const BEGIN: &str = "/self-service/login/browser";

#[tokio::test]
async fn the_parameters_of_the_beginning_are_checked_in_order() {
    let app = TestApp::new().await;
    let forbidden = Some("self_service_flow_return_to_forbidden");
    for (query, status, id) in [
        ("", 200, None),
        ("?return_to=https://evil.example", 400, forbidden),
        ("?return_to=https://evil.example&aal=aal9", 400, forbidden),
        ("?aal=aal9", 400, None),
        ("?aal=AAL1", 200, None),
        ("?aal=", 200, None),
        ("?aal=aal2", 401, Some("session_aal1_required")),
        ("?aal=aal2&identity_schema=unknown", 401, Some("session_aal1_required")),
        ("?identity_schema=unknown", 400, None),
        ("?identity_schema=default", 200, None),
        ("?refresh=true", 200, None),
    ] {
        for route in ["browser", "api"] {
            let answer = Spa::new(&app).get(&format!("/self-service/login/{route}{query}")).await;
            assert_eq!((answer.status, answer.error_id().as_deref()), (status, id), "{route}{query}");
        }
        let page = Browser::new(&app).get(&format!("{BEGIN}{query}")).await;
        let leads_to = if status == 200 { "login?flow=" } else { "error?id=" };
        assert!(page.location().starts_with(&format!("{UI}/{leads_to}")), "{query}: {page:?}");
    }
}

#[tokio::test]
async fn whoever_is_signed_in_is_not_asked_again_unless_it_is_a_refresh() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    for (query, status) in
        [("", 400), ("?refresh=false", 400), ("?refresh=nonsense", 400), ("?refresh=1", 200), ("?refresh=t", 200)]
    {
        let answer = spa.get(&format!("{BEGIN}{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        if status == 400 {
            assert_eq!(answer.error_id().as_deref(), Some("session_already_available"));
        } else {
            assert_eq!((answer.told(), answer.field("identifier")), (vec![1_010_003], Some(json!(ada.email))));
        }
    }
    let mut browser = spa.browser();
    assert_eq!(browser.get(BEGIN).await.location(), format!("{UI}/"));
    assert_eq!(browser.get(&format!("{BEGIN}?return_to={UI}/x")).await.location(), format!("{UI}/x"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_person_are_told_alike() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    Spa::new(&app).sign_up(&ada).await;
    let mut spa = Spa::new(&app);
    let mut seen = Vec::new();
    for (identifier, password) in [
        (ada.email.as_str(), "wrong-password-1"),
        ("nobody@example.org", "wrong-password-1"),
        ("nobody@example.org", ada.password.as_str()),
        ("not an address", "x"),
        ("\u{202e}", "\u{0}"),
    ] {
        let form = spa.open("login").await;
        let fields = json!({ "method": "password", "identifier": identifier, "password": password });
        let answer = spa.submit(&form, fields).await;
        assert_eq!((answer.status, answer.told()), (400, vec![4_000_006]), "{identifier:?}");
        assert_eq!(answer.field("identifier"), Some(json!(identifier)), "what was typed stays");
        assert_eq!(answer.field("password").unwrap_or_default(), json!(null), "but no password");
        seen.push(answer.json()["ui"]["messages"].clone());
    }
    assert!(seen.iter().all(|messages| *messages == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn what_is_missing_is_told_at_its_node() {
    let app = TestApp::new().await;
    let native = Native::new(&app);
    let form = native.open("login").await;
    for (fields, at, told) in [
        (json!({ "method": "password" }), "identifier", 4_000_002),
        (json!({ "method": "password", "identifier": "", "password": "x" }), "identifier", 4_000_002),
        (json!({ "method": "password", "identifier": "x" }), "password", 4_000_002),
        (json!({ "method": "password", "identifier": "x", "password": 5 }), "password", 4_000_026),
        (json!({ "method": "password", "identifier": ["x"], "password": "y" }), "identifier", 4_000_026),
    ] {
        let answer = native.submit(&form, fields.clone()).await;
        assert_eq!(answer.status, 400, "{fields}");
        assert!(answer.told_at(at).contains(&told), "{fields}: {:?}", answer.told());
    }
    for (fields, told) in
        [(json!({}), 4_000_001), (json!({ "method": "nothing" }), 4_010_002), (json!({ "identifier": "x" }), 4_010_002)]
    {
        let answer = native.submit(&form, fields.clone()).await;
        assert_eq!((answer.status, answer.told()), (400, vec![told]), "{fields}");
    }
}

#[tokio::test]
async fn any_spelling_of_an_identifier_signs_in() {
    let app = TestApp::new().await;
    let ada = Person::named("Ada.Lovelace");
    let mut native = Native::new(&app);
    let traits = native.sign_up(&ada).await.json()["identity"]["traits"]["email"].clone();
    assert_eq!(traits, "Ada.Lovelace@example.org", "traits keep their spelling");
    for spelling in [
        "ada.lovelace@example.org",
        " ADA.LOVELACE@EXAMPLE.ORG ",
        "ａｄａ.lovelace@example.org",
        "ada\u{200b}.lovelace@example.org",
    ] {
        let answer = Native::new(&app).try_sign_in(&Person { email: spelling.to_owned(), ..ada.clone() }).await;
        assert_eq!(answer.status, 200, "{spelling:?}");
    }
    let form = native_form(&app).await;
    let alias = json!({ "method": "password", "password_identifier": "ada.lovelace@example.org", "password": ada.password });
    assert_eq!(Native::new(&app).submit(&form, alias).await.status, 200);
}

async fn native_form(app: &TestApp) -> Form {
    Native::new(app).open("login").await
}

#[tokio::test]
async fn a_disabled_account_is_told_after_the_right_password_only() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    let id = native.sign_up(&ada).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let patch = json!([{ "op": "replace", "path": "/state", "value": "inactive" }]);
    assert_eq!(Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
    assert_eq!(Native::new(&app).try_sign_in(&ada).await.told(), [4_010_011]);
    assert_eq!(Native::new(&app).try_sign_in(&ada.with_password("wrong-password-1")).await.told(), [4_000_006]);
}

#[tokio::test]
async fn a_refresh_keeps_the_session_and_moves_its_times_on() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let before = spa.get("/sessions/whoami").await.json();
    let csrf = spa.cookie("csrf_token_").unwrap().to_owned();
    app.wait(600);
    let answer = spa.refresh(&ada).await;
    let after = spa.get("/sessions/whoami").await.json();
    assert_eq!((&before["id"], &before["devices"]), (&after["id"], &after["devices"]));
    for moved in ["authenticated_at", "expires_at"] {
        assert!(before[moved].as_str() < after[moved].as_str(), "{moved}");
    }
    assert_eq!(before["issued_at"], after["issued_at"]);
    assert_eq!(after["authentication_methods"].as_array().unwrap().len(), 2);
    assert!(answer.json().get("session_token").is_none(), "browsers see no token");
    assert_eq!(spa.cookie("csrf_token_"), Some(csrf.as_str()), "a refresh keeps the anti-CSRF secret");
}

#[tokio::test]
async fn a_sign_in_gives_a_new_session_and_a_new_anti_csrf_secret() {
    let app = TestApp::new().await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    Native::new(&app).sign_up(&grace).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let first = spa.get("/sessions/whoami").await.json()["id"].clone();
    // Somebody else proves themselves on top of it: a session of their own, and the first one lives on.
    let native_view = spa.jar.clone();
    let csrf = spa.cookie("csrf_token_").unwrap().to_owned();
    spa.refresh(&grace).await;
    assert_ne!(spa.get("/sessions/whoami").await.json()["id"], first);
    assert_eq!(spa.traits().await["email"], grace.email.as_str());
    assert_ne!(spa.cookie("csrf_token_"), Some(csrf.as_str()));
    let mut old = Spa::new(&app);
    old.jar = native_view;
    assert_eq!(old.get("/sessions/whoami").await.json()["id"], first);
}

#[tokio::test]
async fn older_forms_are_out_of_reach_after_a_sign_in() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let mut spa = Spa::new(&app);
    let old = spa.open("login").await;
    spa.sign_in(&ada).await;
    let fetched = spa.flow("login", &old.id).await;
    assert_eq!((fetched.status, fetched.error_id().as_deref()), (403, Some("security_csrf_violation")));
}

#[tokio::test]
async fn a_login_form_belongs_to_its_browser() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("login").await;
    let mut other = Spa::new(&app);
    let theirs = other.open("login").await;
    for answer in [
        other.flow("login", &form.id).await,
        Spa::new(&app).flow("login", &form.id).await,
        other.submit(&form, json!({ "method": "password", "identifier": ada.email, "password": ada.password })).await,
        spa.submit(&theirs, json!({ "method": "password", "identifier": ada.email, "password": ada.password })).await,
    ] {
        assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("security_csrf_violation")));
    }
    app.wait(3601);
    assert_eq!(other.flow("login", &form.id).await.status, 403, "before the expiry is told");
    assert_eq!(spa.flow("login", &form.id).await.status, 410);
}

#[tokio::test]
async fn an_expired_login_gets_a_new_flow() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    let page = browser.get(&format!("{BEGIN}?return_to={UI}/x")).await;
    let form = browser.arrive("login", &page).await;
    app.wait(3601);
    let sent = browser.submit(&form, &[("method", "password")]).await;
    let id = sent.parameter("flow").unwrap();
    let new = browser.flow("login", &id).await;
    assert_eq!((new.told(), &new.json()["return_to"]), (vec![4_010_001], &json!(format!("{UI}/x"))));
    let answer = browser.script().submit(&form, json!({})).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (410, Some("self_service_flow_expired")));
}

#[tokio::test]
async fn success_is_told_to_each_client_in_its_way() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    native.sign_up(&ada).await;
    native.token = None;
    let answer = native.sign_in(&ada).await;
    assert!(answer.json()["session_token"].as_str().unwrap().starts_with("ory_st_"));
    assert_eq!((answer.cookies(), &answer.json()["continue_with"]), (vec![], &json!(null)));
    let mut spa = Spa::new(&app);
    let answer = spa.sign_in(&ada).await;
    assert_eq!(answer.redirect_browser_to(), format!("{UI}/"));
    let cookie = answer.cookie("ory_kratos_session=").unwrap();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; Max-Age=86400; Path=/"), "{cookie}");
    assert!(!String::from_utf8_lossy(&answer.body).contains("ory_st_"));
    let mut browser = Browser::new(&app);
    let page = browser.get(&format!("{BEGIN}?return_to={UI}/x")).await;
    let form = browser.arrive("login", &page).await;
    let fields = [("method", "password"), ("identifier", ada.email.as_str()), ("password", ada.password.as_str())];
    let sent = browser.submit(&form, &fields).await;
    assert_eq!((sent.status, sent.location(), sent.body.len()), (303, &*format!("{UI}/x"), 0));
}

#[tokio::test]
async fn identifier_first_asks_who_then_how() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "login": { "style": "identifier_first" } } } })).await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let native = Native::new(&app);
    let form = native.open("login").await;
    let nobody = native.submit(&form, json!({ "method": "identifier_first", "identifier": "nobody@example.org" })).await;
    assert_eq!((nobody.status, nobody.told_at("identifier")), (400, vec![4_000_037]));
    let step = native.submit(&form, json!({ "method": "identifier_first", "identifier": ada.email })).await;
    assert_eq!((step.status, step.told(), &step.json()["active"]), (400, vec![], &json!("identifier_first")));
    assert!(step.nodes().contains(&"password".to_owned()));
    let fields = json!({ "method": "password", "identifier": ada.email, "password": ada.password });
    assert_eq!(native.submit(&form, fields).await.status, 200);
}
