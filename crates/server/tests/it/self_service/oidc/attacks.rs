//! What somebody tries who wants to come back as another person, or to have another person come back as them.

use serde_json::{Value, json};
use url::Url;

use super::{begin, leads_to, leave, trip, two, who};
use crate::support::{Admin, Answer, Browser, Form, Person, Provider, Spa, TestApp, together};

fn is_error(answer: &Answer) -> bool {
    answer.status == 303 && leads_to(answer, "error")
}

/// The error behind the page to which an answer leads.
async fn error_code(browser: &mut Browser<'_>, answer: &Answer) -> Value {
    let id = answer.parameter("id").unwrap();
    browser.fetch(&format!("/self-service/errors?id={id}")).await.json()["error"]["code"].clone()
}

fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(k, _)| k != name).collect();
    url.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
    url.into()
}

#[tokio::test]
async fn a_state_that_was_not_made_here_is_none() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (spa, _, url) = begin(&app, "login", "op").await;
    let back = provider.visit(&url);
    let state = Url::parse(&back).unwrap().query_pairs().find(|(k, _)| k == "state").unwrap().1.into_owned();
    let mut browser = spa.browser();
    let flipped = if state.ends_with('A') { 'B' } else { 'A' };
    for bad in ["", "x", &state[..state.len() - 4], &format!("{}{flipped}", &state[..state.len() - 1])] {
        let answer = browser.get(&with_parameter(&back, "state", bad)).await;
        assert!(is_error(&answer), "{bad}: {answer:?}");
        assert_eq!(error_code(&mut browser, &answer).await, 400);
    }
    // Something else that is sealed here is no state.
    let cookie = browser.jar.get("csrf_token_").unwrap().to_owned();
    assert!(is_error(&browser.get(&with_parameter(&back, "state", &cookie)).await));
    assert_eq!(provider.asked("/token"), 0, "nobody was asked");
    assert_eq!(browser.get(&back).await.location(), "http://127.0.0.1:4455/", "the real one still counts");
}

#[tokio::test]
async fn a_trip_ends_once_and_only_the_newest_counts() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (mut spa, form, old) = begin(&app, "login", "op").await;
    let new = leave(&mut spa, &form, "op").await;
    let mut browser = spa.browser();
    let answer = browser.get(&provider.visit(&old)).await;
    assert!(is_error(&answer), "the older trip: {answer:?}");
    let back = provider.visit(&new);
    assert_eq!(browser.get(&back).await.location(), "http://127.0.0.1:4455/");
    assert_eq!(browser.get(&back).await.location(), "http://127.0.0.1:4455/", "who is signed in by then just returns");
    // With the same trip's cookie but without the session.
    let mut thief = browser.clone();
    thief.jar.forget("ory_kratos_session");
    let answer = thief.get(&with_parameter(&back, "code", "another")).await;
    assert!(is_error(&answer), "{answer:?}");
    assert_eq!((who(&mut thief).await, provider.asked("/token")), (None, 1), "a state is good once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_come_back_at_once_one_gets_in() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (spa, _, url) = begin(&app, "registration", "op").await;
    let (back, browser) = (provider.visit(&url), spa.browser());
    let (back, browser) = (&back, &browser);
    let answers = together(6, |_| async move {
        let mut browser = browser.clone();
        browser.get(back).await
    });
    let in_ = answers.iter().filter(|a| a.location() == "http://127.0.0.1:4455/").count();
    assert_eq!((in_, provider.asked("/token")), (1, 1), "{answers:?}");
    assert_eq!(Admin::new(&app).get("/admin/identities").await.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn another_browser_cannot_finish_a_trip() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (spa, _, url) = begin(&app, "login", "op").await;
    let back = provider.visit(&url);
    // Somebody lures a person to the end of their own trip, to have them signed in as themselves.
    let mut bare = Browser::new(&app);
    let answer = bare.get(&back).await;
    assert!(is_error(&answer) && who(&mut bare).await.is_none(), "{answer:?}");
    assert_eq!(error_code(&mut bare, &answer).await, 400);
    // Also a browser that has a trip of its own under way.
    let (other, ..) = begin(&app, "login", "op").await;
    let mut other = other.browser();
    assert!(is_error(&other.get(&back).await));
    assert_eq!((who(&mut other).await, provider.asked("/token")), (None, 0));
    assert_eq!(spa.browser().get(&back).await.location(), "http://127.0.0.1:4455/", "the trip is still its own browser's");
}

#[tokio::test]
async fn one_providers_answer_does_not_pass_for_another_ones() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    let mut settings = honest.settings(&[("honest", json!({}))]);
    let other = evil.settings(&[("evil", json!({}))]);
    let list = "/selfservice/methods/oidc/config/providers";
    let more = other.pointer(list).unwrap().as_array().unwrap().clone();
    settings.pointer_mut(list).unwrap().as_array_mut().unwrap().extend(more);
    let app = TestApp::with(settings).await;
    let (mut spa, form, url) = begin(&app, "login", "honest").await;
    let back = honest.visit(&url);
    let mut browser = spa.browser();
    // The code of one at the other's callback.
    let answer = browser.get(&back.replace("/callback/honest", "/callback/evil")).await;
    assert!(is_error(&answer), "{answer:?}");
    assert_eq!((honest.asked("/token"), evil.asked("/token")), (0, 0), "the code is told to nobody");
    // An answer that says whom it comes from (RFC 9207).
    let answer = browser.get(&with_parameter(&back, "iss", &evil.url())).await;
    assert!(leads_to(&answer, "login") && who(&mut browser).await.is_none(), "{answer:?}");
    assert_eq!((honest.asked("/token"), evil.asked("/token")), (0, 0));
    let url = leave(&mut spa, &form, "honest").await;
    let mut browser = spa.browser();
    let back = browser.get(&with_parameter(&honest.visit(&url), "iss", &honest.url())).await;
    assert_eq!(back.location(), "http://127.0.0.1:4455/");
}

#[tokio::test]
async fn an_answer_must_name_its_issuer_where_the_issuer_says_that_it_does() {
    let provider = Provider::start().await;
    provider.document(json!({ "authorization_response_iss_parameter_supported": true }));
    let app = two(&provider).await;
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    assert!(leads_to(&back, "login") && who(&mut browser).await.is_none(), "{back:?}");
    assert_eq!(provider.asked("/token"), 0);
}

#[tokio::test]
async fn a_code_is_of_no_use_without_the_verifier_that_its_trip_began_with() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    // A code that somebody got for themselves, put into another person's trip.
    let (_, _, url) = begin(&app, "login", "op").await;
    let stolen = Url::parse(&provider.visit(&url)).unwrap();
    let code = stolen.query_pairs().find(|(k, _)| k == "code").unwrap().1.into_owned();
    let (spa, _, url) = begin(&app, "login", "op").await;
    let mut browser = spa.browser();
    let answer = browser.get(&with_parameter(&provider.visit(&url), "code", &code)).await;
    assert!(is_error(&answer), "{answer:?}");
    assert_eq!(who(&mut browser).await, None);
}

#[tokio::test]
async fn leaving_for_a_provider_needs_the_flow_of_the_browser_that_comes_back() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    // A link to somebody's flow, followed by another person, begins that other browser's trip in it...
    let mut evil = Spa::new(&app);
    let form = evil.open("login").await;
    let mut ada = Browser::new(&app);
    let left = ada.get(&format!("/self-service/login?flow={}&provider=op", form.id)).await;
    let back = ada.get(&provider.visit(left.location())).await;
    // ...which signs in that person, and nobody else.
    assert_eq!((back.status, who(&mut ada).await.as_deref()), (303, Some("ada@example.org")));
    assert_eq!(evil.get("/sessions/whoami").await.status, 401);
}

#[tokio::test]
async fn an_account_with_the_same_address_is_not_taken_over() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let ada = Person::named("ada");
    Spa::new(&app).sign_up(&ada).await;
    // Whoever has the address at a provider, verified or not, proves nothing here.
    for verified in [json!(true), Value::Null] {
        provider.person(&json!({ "sub": "sub-eve", "email_verified": verified }));
        for kind in ["login", "registration"] {
            let (mut browser, back) = trip(&app, &provider, kind, "op").await;
            assert!(leads_to(&back, "login") && who(&mut browser).await.is_none(), "{back:?}");
            // Nor does another account of theirs.
            let id = back.parameter("flow").unwrap();
            let form = Form::of(&browser.flow("login", &id).await);
            let mut spa = browser.script();
            let fields = json!({ "method": "oidc", "provider": "op" });
            let again = spa.submit(&form, fields).await;
            assert_eq!(again.status, 422);
            let mut browser = spa.browser();
            let back = browser.get(&provider.visit(&again.redirect_browser_to())).await;
            assert!(leads_to(&back, "login") && who(&mut browser).await.is_none(), "{back:?}");
        }
    }
    let found = Admin::new(&app).get("/admin/identities?credentials_identifier=op:sub-eve").await.json();
    assert_eq!(found, json!([]));
}
