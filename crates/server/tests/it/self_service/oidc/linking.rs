//! Somebody whose address belongs to an account joins it by proving that it is theirs.

use serde_json::{Value, json};

use super::{leads_to, leave, proofs, trip, two, who};
use crate::support::{Admin, Authenticator, Form, Person, Provider, Spa, TestApp, second_factors, with};

#[tokio::test]
async fn signing_in_joins() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let ada = Person::named("ada");
    Spa::new(&app).sign_up(&ada).await;
    let (mut browser, back) = trip(&app, &provider, "registration", "op").await;
    assert!(leads_to(&back, "login") && back.location().ends_with("&no_org_ui=true"), "{back:?}");
    let id = back.parameter("flow").unwrap();
    let shown = browser.flow("login", &id).await;
    assert_eq!((shown.told(), shown.field("identifier")), (vec![1_010_016], Some(json!("ada@example.org"))));
    let mut spa = browser.script();
    let form = Form::of(&shown);
    let fields = |password: &str| json!({ "method": "password", "identifier": ada.email, "password": password });
    assert_eq!(spa.submit(&form, fields("wrong-password-77")).await.told(), [4_000_006]);
    assert_eq!(spa.submit(&form, fields(&ada.password)).await.status, 200);
    let mut browser = spa.browser();
    let both = [("password".to_owned(), None), ("oidc".to_owned(), Some("op".to_owned()))];
    assert_eq!(proofs(&mut browser).await, both);
    let (mut later, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut later).await, Some(ada.email.clone()));
    // The form is done: signing in by it once more does not join anything else.
    let mut other = Spa::new(&app);
    other.jar = browser.jar.clone();
    other.jar.forget("ory_kratos_session");
    let again = other.submit(&form, fields(&ada.password)).await;
    assert!(again.status == 200 || again.status == 403, "{again:?}");
}

#[tokio::test]
async fn another_account_is_not_joined() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (ada, eve) = (Person::named("ada"), Person::named("eve"));
    for person in [&ada, &eve] {
        Spa::new(&app).sign_up(person).await;
    }
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    let form = Form::of(&browser.flow("login", &back.parameter("flow").unwrap()).await);
    let mut spa = browser.script();
    let fields = json!({ "method": "password", "identifier": eve.email, "password": eve.password });
    let refused = spa.submit(&form, fields).await;
    assert_eq!((refused.status, refused.told()), (400, vec![4_010_009]));
    assert_eq!(who(&mut spa.browser()).await, None);
    let linked = Admin::new(&app).get("/admin/identities?credentials_identifier=op:sub-ada").await.json();
    assert_eq!(linked, json!([]));
}

#[tokio::test]
async fn an_account_of_two_factors_is_joined_after_both() {
    let provider = Provider::start().await;
    let strict = json!({ "session": { "whoami": { "required_aal": "highest_available" } } });
    let settings = with(with(provider.settings(&[("op", json!({}))]), &second_factors()), &strict);
    let app = TestApp::with(settings).await;
    let ada = Person::named("ada");
    let mut own = Spa::new(&app);
    own.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut own).await;
    let linked = || async { Admin::new(&app).get("/admin/identities?credentials_identifier=op:sub-ada").await.json() };

    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    let form = Form::of(&browser.flow("login", &back.parameter("flow").unwrap()).await);
    let mut spa = browser.script();
    let fields = json!({ "method": "password", "identifier": ada.email, "password": ada.password });
    let up = spa.submit(&form, fields).await;
    assert_eq!(up.status, 422, "{up:?}");
    assert_eq!(linked().await, json!([]), "one factor is not enough");
    let url = up.redirect_browser_to();
    // Somebody who knows the password lures the owner into the second step: nothing of theirs is joined.
    let stolen = Form::of(&own.get(&format!("{url}&refresh=true")).await);
    let code = |app: &TestApp| json!({ "method": "totp", "totp_code": device.code(app, 0) });
    assert_eq!(own.submit(&stolen, code(&app)).await.status, 200);
    assert_eq!(linked().await, json!([]), "it waits for another session");
    app.wait(30);
    let form = Form::of(&spa.get(&url).await);
    assert_eq!(spa.submit(&form, code(&app)).await.status, 200);
    assert_eq!(linked().await.as_array().map(Vec::len), Some(1));
    let methods = proofs(&mut spa.browser()).await;
    assert!(methods.contains(&("oidc".to_owned(), Some("op".to_owned()))), "{methods:?}");
}

#[tokio::test]
async fn another_provider_of_the_account_joins_too_and_says_only_what_it_may() {
    let provider = Provider::start().await;
    let hints = json!({ "selfservice": { "flows": { "registration": { "login_hints": true } } } });
    for (more, told) in [(json!({}), false), (hints, true)] {
        let app = TestApp::with(with(provider.settings(&[("op", json!({})), ("second", json!({}))]), &more)).await;
        let credentials = json!({ "oidc": { "config": { "providers": [{ "provider": "second", "subject": "sub-ada" }] } } });
        let body = json!({ "schema_id": "default", "traits": { "email": "ada@example.org" }, "credentials": credentials });
        assert_eq!(Admin::new(&app).send("POST", "/admin/identities", &body).await.status, 201);
        let (mut browser, back) = trip(&app, &provider, "registration", "op").await;
        let shown = browser.flow("login", &back.parameter("flow").unwrap()).await;
        let context = shown.json()["ui"]["messages"][0]["context"].clone();
        let expected: (Value, bool) = if told { (json!(["second"]), false) } else { (json!([]), true) };
        assert_eq!(context["available_providers"], expected.0);
        assert_eq!(
            shown.nodes().contains(&"password".to_owned()),
            expected.1,
            "what it does not have is left out if that is told"
        );
        let mut spa = browser.script();
        let url = leave(&mut spa, &Form::of(&shown), "second").await;
        let mut browser = spa.browser();
        assert_eq!(browser.get(&provider.visit(&url)).await.location(), "http://127.0.0.1:4455/");
        let names: Vec<_> = proofs(&mut browser).await.into_iter().filter_map(|(_, provider)| provider).collect();
        assert_eq!(names, ["second", "op"]);
    }
}

#[tokio::test]
async fn a_link_that_was_imported_to_announce_the_real_one_gives_way_to_it() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let links = json!([
        { "provider": "op", "subject": "announced", "use_auto_link": true }, { "provider": "second", "subject": "sub-other" },
    ]);
    let body = json!({ "schema_id": "default", "traits": { "email": "ada@example.org" }, "credentials": {
        "password": { "config": { "password": "A-long-password-1815" } }, "oidc": { "config": { "providers": links } },
    } });
    assert_eq!(Admin::new(&app).send("POST", "/admin/identities", &body).await.status, 201);
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    let form = Form::of(&browser.flow("login", &back.parameter("flow").unwrap()).await);
    let mut spa = browser.script();
    let fields = json!({ "method": "password", "identifier": "ada@example.org", "password": "A-long-password-1815" });
    assert_eq!(spa.submit(&form, fields).await.status, 200);
    let people = Admin::new(&app).get("/admin/identities?include_credential=oidc").await.json();
    let mut names = people[0]["credentials"]["oidc"]["identifiers"].as_array().unwrap().clone();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [json!("op:sub-ada"), json!("second:sub-other")]);
}
