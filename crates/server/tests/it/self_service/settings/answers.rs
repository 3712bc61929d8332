//! Clear answers: lines 20 to 26 of the acceptance list of settings.

use serde_json::{Value, json};

use super::{parked_by_script, password, profile, signed_up, stale};
use crate::support::{Answer, Form, Log, Native, Person, Spa, TestApp, UI, schema};

#[tokio::test]
async fn line_20_each_answer_tells_of_its_own_submit_only() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let wrong_mail = profile(json!({ "email": "nobody" }));
    let short = json!({ "method": "password", "password": "Zq7-x" });
    let fine = profile(json!({ "email": ada.email, "name": { "first": "Ada" } }));
    for (fields, told, state) in [
        (&wrong_mail, vec![4_000_040], "show_form"),
        (&wrong_mail, vec![4_000_040], "show_form"),
        (&short, vec![4_000_032], "show_form"),
        (&wrong_mail, vec![4_000_040], "show_form"),
        (&fine, vec![1_050_001], "success"),
        (&short, vec![4_000_032], "show_form"),
        (&fine, vec![1_050_001], "success"),
    ] {
        let answer = spa.submit(&form, fields.clone()).await;
        assert_eq!((answer.told(), answer.state()), (told.clone(), state.to_owned()), "{fields}");
        let fetched = spa.flow("settings", &form.id).await;
        assert_eq!((fetched.told(), fetched.state()), (told, state.to_owned()), "fetched after {fields}");
    }
}

#[tokio::test]
async fn line_21_a_lost_session_is_told_by_the_same_name_on_every_route() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    app.wait(25 * 3600);
    for answer in [
        spa.get("/self-service/settings/browser").await,
        spa.get("/self-service/settings/api").await,
        spa.flow("settings", &form.id).await,
        spa.submit(&form, password("heron-Qx7-58-lantern")).await,
        spa.finish(&form).await,
        spa.get(&form.action).await,
    ] {
        assert_eq!((answer.status, answer.error_id().as_deref()), (401, Some("session_inactive")));
    }
}

#[tokio::test]
async fn line_22_the_action_names_its_own_flow_and_return_to_stays() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let to = "http://127.0.0.1:4455/after";
    let begun = spa.get(&format!("/self-service/settings/browser?return_to={to}")).await;
    let form = Form::of(&begun);
    for fields in [profile(json!({ "email": "nobody" })), profile(json!({ "email": ada.email }))] {
        let answer = spa.submit(&form, fields).await;
        let fetched = spa.flow("settings", &form.id).await;
        for seen in [&answer, &fetched] {
            assert_eq!(seen.action(), format!("http://127.0.0.1:4433/self-service/settings?flow={}", form.id));
            assert_eq!(seen.json()["return_to"], to);
            assert_eq!(seen.json()["id"], form.id.as_str());
        }
    }
}

#[tokio::test]
async fn the_form_that_comes_with_a_success_begins_at_its_submit() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let own = "http://127.0.0.1:4433/self-service/settings";
    for (query, kept) in
        [("", ""), ("?return_to=http://127.0.0.1:4455/after", "&return_to=http%3A%2F%2F127.0.0.1%3A4455%2Fafter")]
    {
        let begun = spa.get(&format!("/self-service/settings/browser{query}")).await;
        let begun_at = begun.json()["request_url"].clone();
        let form = Form::of(&begun);
        let mut submit = async |form: &Form, email: &str| {
            let answer = spa.submit(form, profile(json!({ "email": email }))).await;
            (answer.json()["request_url"].clone(), Form::of(&answer))
        };
        assert_eq!(submit(&form, "nobody").await.0, begun_at, "nothing was done yet");
        let (url, after) = submit(&form, &ada.email).await;
        assert_eq!(url, begun_at);
        assert_eq!(submit(&form, &ada.email).await.0, begun_at, "the form that was there before");
        let again = format!("{own}?flow={}{kept}", form.id);
        for email in ["nobody", &ada.email] {
            assert_eq!(submit(&after, email).await.0, again.as_str());
        }
    }
}

#[tokio::test]
async fn line_23_the_order_of_nodes_is_stable() {
    let app = TestApp::new().await;
    let (mut spa, first) = signed_up(&app, &Person::named("ada")).await;
    let expected = ["csrf_token", "traits.email", "traits.name.first", "traits.name.last", "method", "password", "method"];
    for _ in 0..8 {
        let form = spa.open("settings").await;
        for id in [&first.id, &form.id] {
            assert_eq!(spa.flow("settings", id).await.nodes(), expected);
        }
    }
    for (off, expected) in [
        (json!({ "profile": { "enabled": false } }), &["csrf_token", "password", "method"][..]),
        (
            json!({ "password": { "enabled": false } }),
            &["csrf_token", "traits.email", "traits.name.first", "traits.name.last", "method"],
        ),
    ] {
        let app = TestApp::new().await;
        let ada = Person::named("ada");
        let mut native = Native::new(&app);
        native.sign_up(&ada).await;
        let other = app.reconfigured(json!({ "selfservice": { "methods": off } })).await;
        let mut native_there = Native::new(&other);
        native_there.token = native.token;
        let form = native_there.get("/self-service/settings/api").await;
        assert_eq!(form.nodes(), expected);
    }
}

#[tokio::test]
async fn line_24_every_new_address_is_written_to_at_once_in_the_schemas_order() {
    let mail = json!({ "verification": { "via": "email" } });
    let properties = json!({
        "email": { "type": "string", "format": "email", "ory.sh/kratos": { "credentials": { "password": { "identifier": true } } } },
        "zulu": { "type": "string", "format": "email", "ory.sh/kratos": mail },
        "alfa": { "type": "string", "format": "email", "ory.sh/kratos": mail },
        "mike": { "type": "string", "format": "email", "ory.sh/kratos": mail },
    });
    let mut change = schema(properties, &["email"]);
    change["selfservice"] = json!({ "flows": { "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } } });
    let app = TestApp::with(change).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let traits = json!({ "email": ada.email, "mike": "m@example.org", "alfa": "a@example.org", "zulu": "z@example.org" });
    let answer = spa.submit(&form, profile(traits.clone())).await;
    assert_eq!(answer.state(), "success");
    let values = |answer: &Answer| -> Vec<String> {
        let addresses = answer.json()["identity"]["verifiable_addresses"].clone();
        addresses.as_array().unwrap().iter().map(|a| a["value"].as_str().unwrap().to_owned()).collect()
    };
    let order = ["z@example.org", "a@example.org", "m@example.org"];
    assert_eq!(values(&answer), order);
    assert_eq!(values(&spa.flow("settings", &form.id).await), order);
    let mut to: Vec<_> = app.mails().await.into_iter().map(|m| m.to).collect();
    to.sort();
    assert_eq!(to, ["a@example.org", "m@example.org", "z@example.org"], "each once");
    spa.submit(&form, profile(traits)).await;
    assert_eq!(app.mails().await.len(), 3, "and not again at the next save");
}

#[tokio::test]
async fn line_25_one_cause_gives_one_message_each_time() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let long = "b7Q-".repeat(18) + "x";
    for (password, told) in [
        ("", 4_000_002),
        ("Zq7-x", 4_000_032),
        (ada.email.as_str(), 4_000_031),
        (long.as_str(), 4_000_033),
        (ada.password.as_str(), 4_000_039),
    ] {
        for _ in 0..3 {
            let answer = spa.submit(&form, json!({ "method": "password", "password": password })).await;
            assert_eq!((answer.told(), answer.told_at("password")), (vec![told], vec![told]), "{password}");
            assert_eq!(answer.field("password").unwrap_or_default(), Value::Null, "a password never comes back");
        }
    }
}

#[tokio::test]
async fn line_20_a_page_that_is_loaded_again_tells_of_the_submit_and_not_of_itself() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.refresh(&ada).await;
    let mut browser = spa.browser();
    for _ in 0..3 {
        assert_eq!(browser.get(&form.action).await.parameter("flow"), Some(form.id.clone()));
        let flow = browser.flow("settings", &form.id).await;
        assert_eq!((flow.state(), flow.told()), ("success".to_owned(), vec![1_050_001]));
    }
    assert_eq!(spa.get(&form.action).await.told(), [4_000_001], "whoever asks is told");
}

#[tokio::test]
async fn line_26_a_hook_that_is_not_run_is_told_at_the_start() {
    let log = Log::start();
    let hook = json!({ "hook": "web_hook", "config": {
        "url": "http://127.0.0.1:4999/line-26", "method": "POST", "response": { "parse": true },
    } });
    let app = TestApp::with(json!({ "selfservice": { "flows": { "settings": { "after": { "hooks": [hook] } } } } })).await;
    let known = app.app.hooks.get("web_hook").is_some();
    let told = log.text().lines().any(|line| line.contains("settings after") && line.contains("web_hook"));
    assert!(known || told, "neither run nor told");
}
