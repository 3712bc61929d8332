//! Social sign-in, with a provider of the tests' own.

mod addresses;
mod attacks;
mod failures;
mod journeys;
mod linking;
mod native;
mod services;
mod settings;
mod tokens;
mod trials;

use serde_json::{Value, json};

use crate::support::{Answer, Browser, Form, Provider, Spa, TestApp};

/// An application with two providers, which are one and the same server.
async fn two(provider: &Provider) -> TestApp {
    TestApp::with(provider.settings(&[("op", json!({})), ("second", json!({ "label": "Second Home" }))])).await
}

/// The address at the provider that a flow leads to.
async fn leave(spa: &mut Spa<'_>, form: &Form, provider: &str) -> String {
    let left = spa.submit(form, json!({ "method": "oidc", "provider": provider })).await;
    assert_eq!((left.status, left.error_id().as_deref()), (422, Some("browser_location_change_required")), "{left:?}");
    left.redirect_browser_to()
}

/// The beginning of a trip in a new flow: who makes it, its form, and the address at the provider.
async fn begin<'a>(app: &'a TestApp, kind: &str, name: &str) -> (Spa<'a>, Form, String) {
    let mut spa = Spa::new(app);
    let form = spa.open(kind).await;
    let url = leave(&mut spa, &form, name).await;
    (spa, form, url)
}

/// A whole trip in a new flow: the browser that made it, and the answer to its return.
async fn trip<'a>(app: &'a TestApp, provider: &Provider, kind: &str, name: &str) -> (Browser<'a>, Answer) {
    let (spa, _, url) = begin(app, kind, name).await;
    let mut browser = spa.browser();
    let back = browser.get(&provider.visit(&url)).await;
    (browser, back)
}

/// Who is signed in, by their address; `None` if nobody is.
async fn who(browser: &mut Browser<'_>) -> Option<String> {
    let seen = browser.fetch("/sessions/whoami").await;
    (seen.status == 200).then(|| seen.json()["identity"]["traits"]["email"].as_str().unwrap_or_default().to_owned())
}

/// How whoever is signed in proved themselves: method and provider of each proof.
async fn proofs(browser: &mut Browser<'_>) -> Vec<(String, Option<String>)> {
    let methods = browser.fetch("/sessions/whoami").await.json()["authentication_methods"].clone();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    methods.as_array().unwrap().iter().map(|m| (text(&m["method"]).unwrap(), text(&m["provider"]))).collect()
}

/// Whether an answer leads to the page of a flow, and not to that of errors.
fn leads_to(answer: &Answer, page: &str) -> bool {
    url::Url::parse(answer.location()).unwrap().path() == format!("/{page}")
}
