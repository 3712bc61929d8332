//! Who is answered with JSON and who with a page, route by route.

use bytes::Bytes;
use portcullis::http::ports::Port;

use crate::support::{Answer, Form, Person, Spa, TestApp, UI};

const FORM: &str = "application/x-www-form-urlencoded";

async fn ask(app: &TestApp, spa: &Spa<'_>, method: &str, url: &str, headers: &[(&str, Option<&str>)], body: &str) -> Answer {
    let path = url.strip_prefix("http://127.0.0.1:4433").unwrap_or(url);
    let cookies = ["csrf_token_", "ory_kratos_session"].map(|name| spa.jar.line(name)).into_iter().flatten();
    let mut request = http::Request::builder().method(method).uri(path).header("host", "127.0.0.1:4433");
    request = request.header("cookie", cookies.collect::<Vec<_>>().join("; "));
    for (name, value) in headers {
        if let Some(value) = value {
            request = request.header(*name, *value);
        }
    }
    app.send(Port::Public, request.body(Bytes::from(body.to_owned())).unwrap()).await
}

const ACCEPTS: [(Option<&str>, bool); 9] = [
    (None, false),
    (Some("*/*"), false),
    (Some("text/plain"), false),
    (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), false),
    (Some("application/json, text/html"), false),
    (Some("text/html;q=0.5, application/json"), true),
    (Some("application/json, text/plain, */*"), true),
    (Some("application/json"), true),
    (Some("text/html;q=0.9, application/json;q=0.8"), false),
];

#[tokio::test]
async fn the_beginning_of_a_flow_goes_by_accept_alone() {
    let app = TestApp::new().await;
    for (accept, json) in ACCEPTS {
        for content_type in [None, Some("application/json"), Some(FORM)] {
            let headers = [("accept", accept), ("content-type", content_type)];
            for path in ["/self-service/login/browser", "/self-service/registration/browser"] {
                let answer = ask(&app, &Spa::new(&app), "GET", path, &headers, "").await;
                assert_eq!(answer.status, if json { 200 } else { 303 }, "{path} {headers:?}");
            }
            let native = ask(&app, &Spa::new(&app), "GET", "/self-service/login/api", &headers, "").await;
            assert_eq!(native.status, 200, "{headers:?}: apps get JSON whatever they say");
        }
    }
}

#[tokio::test]
async fn a_submit_is_answered_by_accept_or_by_a_body_of_json() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let form = spa.open("settings").await;
    let fine = |email: &str| {
        [("csrf_token", form.csrf.as_str()), ("method", "profile"), ("traits.email", email)]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
    };
    let encoded = |email: &str| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fine(email)).finish();
    let as_json = |email: &str| {
        serde_json::json!({ "csrf_token": form.csrf, "method": "profile", "traits": { "email": email } }).to_string()
    };
    for (accept, json) in ACCEPTS {
        for (content_type, json) in [(FORM, json), ("application/json", true), ("application/json; charset=utf-8", json)] {
            let headers = [("accept", accept), ("content-type", Some(content_type))];
            for (email, status) in [("ada@example.org", 200), ("nobody", 400)] {
                let body = if content_type == FORM { encoded(email) } else { as_json(email) };
                let answer = ask(&app, &spa, "POST", &form.action, &headers, &body).await;
                if json {
                    assert_eq!((answer.status, answer.json()["id"].as_str()), (status, Some(form.id.as_str())), "{headers:?}");
                } else {
                    assert_eq!((answer.status, answer.body.len()), (303, 0), "{headers:?}");
                    assert_eq!(answer.location(), format!("{UI}/settings?flow={}", form.id), "{headers:?}");
                }
            }
            // The same for an error outside any form.
            let body = if content_type == FORM { String::new() } else { "{}".to_owned() };
            let answer = ask(&app, &spa, "POST", "/self-service/settings?flow=x", &headers, &body).await;
            assert_eq!(answer.status, if json { 400 } else { 303 }, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn fetches_and_sessions_are_json_whatever_is_accepted() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let form: Form = spa.open("settings").await;
    let fetch = format!("/self-service/settings/flows?id={}", form.id);
    for (accept, _) in ACCEPTS {
        for path in [fetch.as_str(), "/sessions/whoami", "/sessions", "/self-service/logout/browser"] {
            let answer = ask(&app, &spa, "GET", path, &[("accept", accept)], "").await;
            assert_eq!(answer.status, 200, "{path} {accept:?}");
            answer.json();
        }
    }
}
