//! The settings flow: beginning it, fetching it, the order of checks of a submit, and where success leads.

use bytes::Bytes;
use portcullis::http::ports::Port;
use serde_json::{Value, json};

use crate::support::{Admin, Answer, Browser, Form, Native, Person, Spa, TestApp, UI};

const BEGIN: &str = "/self-service/settings/browser";

fn told(answer: &Answer) -> (u16, Option<String>) {
    (answer.status, answer.error_id())
}

fn name(who: &Person, first: &str) -> Value {
    json!({ "method": "profile", "traits": { "email": who.email, "name": { "first": first } } })
}

#[tokio::test]
async fn without_a_session_scripts_get_401_and_pages_go_to_login_with_return_to() {
    let app = TestApp::new().await;
    for path in [BEGIN, "/self-service/settings/api", "/self-service/settings/flows?id=x", "/self-service/settings?flow=x"] {
        let answer = Spa::new(&app).get(path).await;
        assert_eq!(told(&answer), (401, Some("session_inactive".to_owned())), "{path}");
    }
    let submit = Spa::new(&app).post("/self-service/settings?flow=x", &json!({})).await;
    assert_eq!(told(&submit), (401, Some("session_inactive".to_owned())));
    let mut browser = Browser::new(&app);
    let login = "http://127.0.0.1:4433/self-service/login/browser";
    assert_eq!(browser.get(BEGIN).await.location(), login);
    let with = browser.get(&format!("{BEGIN}?return_to=https://elsewhere.example/x&foo=bar")).await;
    assert_eq!((with.status, with.location()), (303, &*format!("{login}?return_to=https%3A%2F%2Felsewhere.example%2Fx")));
    let native_route = browser.get("/self-service/settings/api").await;
    assert_eq!(told(&native_route), (401, Some("session_inactive".to_owned())), "always JSON");
    for path in ["/self-service/settings/flows?id=x", "/self-service/settings?flow=x"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.location()), (302, &*format!("{UI}/login")), "{path}");
    }
}

#[tokio::test]
async fn a_flow_begins_in_the_form_that_the_route_gives() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let page = browser.get(BEGIN).await;
    assert!(page.location().starts_with(&format!("{UI}/settings?flow=")), "{page:?}");
    let flow = browser.fetch(BEGIN).await.json();
    for (member, value) in [("type", json!("browser")), ("state", json!("show_form")), ("return_to", Value::Null)] {
        assert_eq!(flow[member], value, "{member}");
    }
    assert_eq!(flow["request_url"], format!("http://127.0.0.1:4433{BEGIN}"));
    assert_eq!(flow["ui"]["method"], "POST");
    let identity = flow["identity"].as_object().unwrap();
    assert_eq!(identity["traits"]["email"], ada.email.as_str());
    assert!(!identity.contains_key("credentials") && !identity.contains_key("metadata_admin"));
    let mut app_of_hers = Native::new(&app);
    app_of_hers.sign_in(&ada).await;
    let native = app_of_hers.get("/self-service/settings/api").await.json();
    assert_eq!(native["type"], "api");
    assert_eq!(native["ui"]["nodes"][0]["attributes"]["value"], "");
}

#[tokio::test]
async fn return_to_must_be_allowed() {
    let change =
        json!({ "selfservice": { "allowed_return_urls": [UI, "https://*.example.org", "https://shop.example.com/welcome"] } });
    let app = TestApp::with(change).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let forbidden = Some("self_service_flow_return_to_forbidden");
    for (wish, status, id) in [
        ("http://127.0.0.1:4455/x", 200, None),
        ("HTTP://127.0.0.1:4455/x", 200, None),
        ("/x", 200, None),
        ("", 200, None),
        ("http://127.0.0.1:4433/self-service/settings/browser", 200, None),
        ("https://a.example.org/x", 200, None),
        ("https://a.b.example.org/", 200, None),
        ("https://shop.example.com/welcome/x", 200, None),
        ("https://shop.example.com/welcomed", 200, None),
        ("https://shop.example.com/Welcome", 400, forbidden),
        ("https://shop.example.com/welcome/../admin", 400, forbidden),
        ("https://example.org/", 400, forbidden),
        ("https://example.org.evil.example/", 400, forbidden),
        ("https://evilexample.org/", 400, forbidden),
        ("https://a.example.org@evil.example/", 400, forbidden),
        ("http://a.example.org/", 400, forbidden),
        ("http://127.0.0.1:4456/x", 400, forbidden),
        ("http://127.0.0.1:4433/", 400, forbidden),
        ("//evil.example/x", 400, forbidden),
        ("javascript:alert(1)", 400, forbidden),
        ("https://", 400, None),
        ("http://[", 400, None),
        ("\\\\evil.example", 400, None),
    ] {
        let wish: String = url::form_urlencoded::byte_serialize(wish.as_bytes()).collect();
        let answer = spa.get(&format!("{BEGIN}?return_to={wish}")).await;
        assert_eq!((answer.status, answer.error_id().as_deref()), (status, id), "{wish}");
        let page = spa.browser().get(&format!("{BEGIN}?return_to={wish}")).await;
        let leads_to = if status == 200 { "/settings?flow=" } else { "/error?id=" };
        assert!(page.location().starts_with(&format!("{UI}{leads_to}")), "{wish}: {page:?}");
    }
    let first = spa.get(&format!("{BEGIN}?return_to=http://127.0.0.1:4455/1&return_to=https://evil.example")).await;
    assert_eq!(first.json()["return_to"], "http://127.0.0.1:4455/1", "of repeated ones the first counts");
}

#[tokio::test]
async fn fetching_looks_at_session_flow_owner_and_expiry_in_this_order() {
    let app = TestApp::new().await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = Form::of(&spa.get(&format!("{BEGIN}?return_to={UI}/x")).await);
    let mut stranger = Spa::new(&app);
    stranger.sign_up(&grace).await;
    for id in ["", "x", "6a2b0c1e-2222-4333-8444-555566667777"] {
        assert_eq!(spa.flow("settings", id).await.status, 404, "{id}");
    }
    assert_eq!(told(&stranger.flow("settings", &form.id).await), (403, Some("security_identity_mismatch".to_owned())));
    let login = spa.get("/self-service/login/browser?refresh=true").await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(spa.flow("settings", &login).await.status, 404, "a flow of another kind");
    app.wait(3601);
    assert_eq!(stranger.flow("settings", &form.id).await.status, 403, "the owner before the expiry");
    let gone = spa.flow("settings", &form.id).await;
    assert_eq!(told(&gone), (410, None));
    let details = &gone.json()["error"]["details"];
    let again = format!("http://127.0.0.1:4433{BEGIN}?return_to=http%3A%2F%2F127.0.0.1%3A4455%2Fx");
    assert_eq!((&details["redirect_to"], &details["return_to"]), (&json!(again), &json!(format!("{UI}/x"))));
}

#[tokio::test]
async fn an_expired_submit_gets_a_new_flow_before_anything_else_is_looked_at() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let old = Form::of(&spa.get(&format!("{BEGIN}?return_to={UI}/x")).await);
    app.wait(3601);
    // No token, no method: the expiry is told all the same.
    let answer = spa.post(&old.action, &json!({})).await;
    assert_eq!(told(&answer), (410, Some("self_service_flow_expired".to_owned())));
    let new = answer.json()["use_flow_id"].as_str().unwrap().to_owned();
    assert_eq!(answer.json()["since"], 1_000_000_000);
    let fetched = spa.flow("settings", &new).await;
    assert_eq!((fetched.told(), &fetched.json()["return_to"]), (vec![4_050_001], &json!(format!("{UI}/x"))));
    let page = spa.browser().post(&old.action, &[]).await;
    assert!(page.location().starts_with(&format!("{UI}/settings?flow=")) && page.parameter("flow") != Some(old.id));
}

#[tokio::test]
async fn a_submit_is_checked_in_the_documented_order() {
    let off = json!({ "selfservice": { "methods": { "totp": { "enabled": false }, "password": { "enabled": true } } } });
    let app = TestApp::with(off).await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = spa.open("settings").await;
    let mut stranger = Spa::new(&app);
    stranger.sign_up(&grace).await;
    for (url, status) in [
        ("/self-service/settings", 400),
        ("/self-service/settings?flow=x", 400),
        ("/self-service/settings?flow=6a2b0c1e-2222-4333-8444-555566667777", 404),
    ] {
        assert_eq!(spa.post(url, &json!({})).await.status, status, "{url}");
        let page = spa.browser().post(url, &[]).await;
        assert!(page.location().starts_with(&format!("{UI}/error?id=")), "{url}");
    }
    assert_eq!(told(&stranger.post(&form.action, &json!({})).await), (403, Some("security_identity_mismatch".to_owned())));
    // The body before the token: a missing password and bad traits are told without one.
    let without = Form { csrf: String::new(), ..form.clone() };
    for (fields, told) in [
        (json!({ "method": "password" }), 4_000_002),
        (json!({ "method": "profile", "traits": { "email": 7 } }), 4_000_026),
        (json!({ "method": "unheard-of" }), 4_010_004),
        (json!({}), 4_010_004),
    ] {
        assert_eq!(spa.submit(&without, fields.clone()).await.told(), [told], "{fields}");
    }
    // The token before the policy.
    let refused = spa.submit(&without, json!({ "method": "password", "password": "short" })).await;
    assert_eq!(told(&refused), (403, Some("security_csrf_violation".to_owned())));
    let nothing = spa.get(&form.action).await;
    assert_eq!((nothing.status, nothing.told()), (400, vec![4_000_001]), "a GET without anything that waits");
}

#[tokio::test]
async fn a_method_that_is_off_is_404() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    native.sign_up(&ada).await;
    let without = app.reconfigured(json!({ "selfservice": { "methods": { "profile": { "enabled": false } } } })).await;
    let mut there = Native::new(&without);
    there.token = native.token;
    let form = there.open("settings").await;
    let answer = there.submit(&form, name(&ada, "Ada")).await;
    assert_eq!(told(&answer), (404, None));
}

#[tokio::test]
async fn a_browser_flow_needs_the_token_of_its_browser() {
    let app = TestApp::new().await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let (form, second) = (spa.open("settings").await, spa.open("settings").await);
    let mut stranger = Spa::new(&app);
    stranger.sign_up(&grace).await;
    let theirs = stranger.open("settings").await;
    let mut other_token: Vec<char> = form.csrf.chars().collect();
    other_token[40] = if other_token[40] == 'A' { 'B' } else { 'A' };
    for (case, csrf, fine) in [
        ("the flow's", form.csrf.clone(), true),
        ("another flow's of the same browser", second.csrf, true),
        ("none", String::new(), false),
        ("another browser's", theirs.csrf, false),
        ("a changed one", other_token.into_iter().collect(), false),
        ("not base64", "!!!".to_owned(), false),
    ] {
        let answer = spa.submit(&Form { csrf, ..form.clone() }, name(&ada, case)).await;
        if fine {
            assert_eq!(answer.state(), "success", "{case}");
        } else {
            assert_eq!(told(&answer), (403, Some("security_csrf_violation".to_owned())), "{case}");
            let details = &answer.json()["error"]["details"];
            assert!(details["docs"].is_string() && details["hint"].is_string(), "{case}");
        }
    }
    // A form without the token leads a page to the error page.
    let page = spa.browser().post(&form.action, &[("method", "profile"), ("traits.email", &ada.email)]).await;
    assert!(page.location().starts_with(&format!("{UI}/error?id=")));
    let mut bare = spa.clone();
    bare.jar.forget("csrf_token_");
    assert_eq!(told(&bare.submit(&form, name(&ada, "x")).await), (403, Some("security_csrf_violation".to_owned())));
    assert_eq!(spa.traits().await["name"]["first"], "another flow's of the same browser", "nothing refused was applied");
}

#[tokio::test]
async fn a_native_flow_takes_neither_cookies_nor_an_origin() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    native.sign_up(&ada).await;
    let form = native.open("settings").await;
    let body = name(&ada, "Ada").to_string();
    for (header, value, fine) in [
        ("origin", "https://evil.example", false),
        ("cookie", "a=b", false),
        ("cookie", "__cf_bm=1; a=b", false),
        ("cookie", "__cf_bm=1; _cfuvid=2; cf_clearance=3", true),
        ("accept", "text/html", true),
    ] {
        let request = http::Request::post(&form.action["http://127.0.0.1:4433".len()..])
            .header("host", "127.0.0.1:4433")
            .header("content-type", "application/json")
            .header("x-session-token", native.token.clone().unwrap())
            .header(header, value);
        let answer = app.send(Port::Public, request.body(Bytes::from(body.clone())).unwrap()).await;
        assert_eq!(answer.told(), [if fine { 1_050_001 } else { 4_000_001 }], "{header}: {value}");
        assert_eq!(answer.status, if fine { 200 } else { 400 });
    }
    // Whoever is signed in by cookie may begin such a flow, not finish it.
    let mut spa = Spa::new(&app);
    spa.sign_in(&ada).await;
    let begun = Form::of(&spa.get("/self-service/settings/api").await);
    assert_eq!(spa.submit(&begun, name(&ada, "Eve")).await.told(), [4_000_001]);
}

#[tokio::test]
async fn success_leads_where_the_flow_the_method_or_the_server_says() {
    let change = json!({ "selfservice": { "flows": { "settings": { "after": {
        "default_browser_return_url": format!("{UI}/any"),
        "password": { "default_browser_return_url": format!("{UI}/password") },
    } } } } });
    let plain = TestApp::new().await;
    let configured = TestApp::with(change).await;
    for (number, (app, return_to, fields, expected)) in [
        (&plain, "", [("method", "profile"), ("traits.email", "new-1@example.org")], None),
        (&plain, "/asked", [("method", "profile"), ("traits.email", "new-2@example.org")], Some("/asked")),
        (&configured, "", [("method", "profile"), ("traits.email", "new-3@example.org")], Some("/any")),
        (&configured, "", [("method", "password"), ("password", "heron-Qx7-58-lantern")], Some("/password")),
        (&configured, "/asked", [("method", "password"), ("password", "heron-Qx7-59-lantern")], Some("/asked")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut browser = Browser::new(app);
        browser.sign_up(&Person::named(&format!("person-{number}"))).await;
        let query = if return_to.is_empty() { String::new() } else { format!("?return_to={UI}{return_to}") };
        let page = browser.get(&format!("{BEGIN}{query}")).await;
        let form = browser.arrive("settings", &page).await;
        let sent = browser.submit(&form, &fields).await;
        let expected = expected.map_or_else(|| format!("{UI}/settings?flow={}", form.id), |path| format!("{UI}{path}"));
        assert_eq!((sent.status, sent.location()), (303, expected.as_str()), "{fields:?}");
        assert!(sent.cookie("ory_kratos_session=").is_some(), "the session cookie is written anew");
        assert!(sent.cookie("csrf_token_").is_none(), "the anti-CSRF cookie stays");
    }
}

#[tokio::test]
async fn a_change_leaves_the_session_as_it_is() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let mut elsewhere = Native::new(&app);
    elsewhere.sign_in(&ada).await;
    let before = spa.get("/sessions/whoami").await.json();
    app.wait(60);
    let form = spa.open("settings").await;
    let answer = spa.submit(&form, json!({ "method": "password", "password": "heron-Qx7-58-lantern" })).await;
    assert_eq!(answer.state(), "success");
    let after = spa.get("/sessions/whoami").await.json();
    for member in ["id", "authenticated_at", "authentication_methods", "expires_at"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    assert_eq!(elsewhere.get("/sessions/whoami").await.status, 200, "others live on");
}

#[tokio::test]
async fn a_disabled_account_has_no_settings() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    let id = spa.sign_up(&ada).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let form = spa.open("settings").await;
    let patch = json!([{ "op": "replace", "path": "/state", "value": "inactive" }]);
    assert_eq!(Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
    for answer in [spa.get(BEGIN).await, spa.flow("settings", &form.id).await, spa.submit(&form, name(&ada, "x")).await] {
        assert_eq!(told(&answer), (401, Some("session_inactive".to_owned())));
    }
}
