//! Linking and unlinking in settings.

use serde_json::json;

use super::{begin, leads_to, proofs, trip, two, who};
use crate::support::{Admin, Answer, Form, Person, Provider, Spa, TestApp, together, with};

/// The buttons to link and unlink.
fn buttons(answer: &Answer) -> Vec<(String, String)> {
    let nodes = answer.json()["ui"]["nodes"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let oidc = nodes.iter().filter(|n| n["group"] == "oidc").map(|n| &n["attributes"]);
    oidc.map(|a| (text(&a["name"]), text(&a["value"]))).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn a_provider_is_linked_and_unlinked() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let ada = Person::named("someone");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let shown = spa.get("/self-service/settings/browser").await;
    assert_eq!(buttons(&shown), pairs(&[("link", "op"), ("link", "second")]));
    let form = Form::of(&shown);
    let left = spa.submit(&form, json!({ "method": "oidc", "link": "op" })).await;
    assert_eq!(left.status, 422);
    let mut browser = spa.browser();
    let back = browser.get(&provider.visit(&left.redirect_browser_to())).await;
    assert!(leads_to(&back, "settings"), "{back:?}");
    let shown = browser.flow("settings", &form.id).await;
    assert_eq!((shown.state().as_str(), shown.told()), ("success", vec![1_050_001]));
    assert_eq!(buttons(&shown), pairs(&[("unlink", "op"), ("link", "second")]));
    assert_eq!(proofs(&mut browser).await.len(), 2);
    let (mut other, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut other).await, Some(ada.email));
    let mut spa = browser.script();
    let unlinked = spa.submit(&form, json!({ "unlink": "op" })).await;
    assert_eq!((unlinked.status, buttons(&unlinked)), (200, pairs(&[("link", "op"), ("link", "second")])));
    let left = Admin::new(&app).get("/admin/identities?include_credential=oidc").await.json()[0]["credentials"].clone();
    assert!(left["password"].is_object() && left["oidc"].is_null(), "nothing empty stays: {left}");
    let (mut nobody, back) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut nobody).await.as_deref(), Some("ada@example.org"), "it is somebody new now: {back:?}");
}

#[tokio::test]
async fn the_last_first_factor_stays() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (browser, _) = trip(&app, &provider, "registration", "op").await;
    let mut spa = browser.script();
    let shown = spa.get("/self-service/settings/browser").await;
    assert_eq!(buttons(&shown), pairs(&[("link", "second")]));
    let refused = spa.submit(&Form::of(&shown), json!({ "unlink": "op" })).await;
    assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_unlink_the_last_two_at_once_one_does() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (browser, _) = trip(&app, &provider, "registration", "op").await;
    let mut spa = browser.script();
    let form = spa.open("settings").await;
    let left = spa.submit(&form, json!({ "link": "second" })).await;
    let mut browser = spa.browser();
    browser.get(&provider.visit(&left.redirect_browser_to())).await;
    let mut forms = Vec::new();
    let mut spa = browser.script();
    for _ in 0..2 {
        forms.push(spa.open("settings").await);
    }
    let (spa, forms) = (&spa, &forms);
    let answers = together(2, |number| async move {
        let mut spa = spa.clone();
        let name = if number == 0 { "op" } else { "second" };
        spa.submit(&forms[number], json!({ "unlink": name })).await.status
    });
    let mut sorted = answers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [200, 400], "{answers:?}");
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    trip(&app, &provider, "registration", "op").await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("grace")).await;
    let form = spa.open("settings").await;
    for fields in [
        json!({ "method": "oidc", "link": "nobody" }),
        json!({ "link": "op", "unlink": "second" }),
        json!({ "unlink": "op" }),
        json!({ "method": "oidc" }),
    ] {
        let refused = spa.submit(&form, fields.clone()).await;
        assert_eq!(refused.status, 400, "{fields}");
    }
    // Somebody else's connection.
    let left = spa.submit(&form, json!({ "link": "op" })).await;
    let mut browser = spa.browser();
    let back = browser.get(&provider.visit(&left.redirect_browser_to())).await;
    assert!(leads_to(&back, "settings"), "{back:?}");
    assert_eq!(browser.flow("settings", &form.id).await.told(), [4_000_007]);
    assert_eq!(who(&mut browser).await.as_deref(), Some("grace@example.org"));
}

#[tokio::test]
async fn linking_takes_a_token_and_the_browser_of_who_asked() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (mut ada, mut eve) = (Spa::new(&app), Spa::new(&app));
    ada.sign_up(&Person::named("one")).await;
    eve.sign_up(&Person::named("two")).await;
    let form = ada.open("settings").await;
    let bare = ada.post(&form.action, &json!({ "link": "op" })).await;
    assert_eq!((bare.status, bare.error_id().as_deref()), (403, Some("security_csrf_violation")));
    // Eve's own trip, ended in Ada's browser, would link Eve's connection to Ada's account or the other way round.
    let form = eve.open("settings").await;
    let left = eve.submit(&form, json!({ "link": "op" })).await;
    let back = provider.visit(&left.redirect_browser_to());
    let mut browser = ada.browser();
    let answer = browser.get(&back).await;
    assert!(leads_to(&answer, "error"), "{answer:?}");
    // Nobody is signed in: nothing happens either.
    let mut signed_out = eve.browser();
    signed_out.jar.forget("ory_kratos_session");
    let answer = signed_out.get(&back).await;
    assert_eq!((answer.status, provider.asked("/token")), (302, 0));
    let settings = ada.get("/self-service/settings/browser").await;
    assert_eq!(buttons(&settings), pairs(&[("link", "op"), ("link", "second")]));
}

#[tokio::test]
async fn an_old_sign_in_is_made_fresh_before_the_trip() {
    let provider = Provider::start().await;
    let old = json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } } });
    let app = TestApp::with(with(provider.settings(&[("op", json!({}))]), &old)).await;
    let person = Person::named("grace");
    let mut spa = Spa::new(&app);
    spa.sign_up(&person).await;
    let form = spa.open("settings").await;
    app.wait(120);
    let mut browser = spa.browser();
    let asked = browser.submit(&form, &[("link", "op")]).await;
    assert!(asked.location().contains("refresh=true"), "{asked:?}");
    let back = browser.sign_in_at(&asked, &person).await;
    let left = browser.get(back.location()).await;
    assert!(left.location().starts_with(&provider.url()), "the trip goes on: {left:?}");
    // However long it takes there.
    app.wait(600);
    let done = browser.get(&provider.visit(left.location())).await;
    assert!(leads_to(&done, "settings"), "{done:?}");
    assert_eq!(browser.flow("settings", &form.id).await.told(), [1_050_001]);
}

#[tokio::test]
async fn a_trip_that_takes_too_long_is_over() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (spa, _, url) = begin(&app, "login", "op").await;
    app.wait(31 * 60);
    let answer = spa.browser().get(&provider.visit(&url)).await;
    assert!(leads_to(&answer, "error"), "{answer:?}");
}
