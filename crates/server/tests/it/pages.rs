//! The built-in pages: where they exist, what they say, and where they lead. Browsers proper are in `tests/browser`.

use std::time::Duration;

use portcullis::http::ports::Port;
use serde_json::{Value, json};

use crate::support::{Admin, Answer, Browser, Provider, TestApp, UI};

const PASSWORD: &str = "correct horse battery";

/// All pages built in, over the base configuration.
fn built_in() -> Value {
    let none = json!({ "ui_url": null });
    json!({ "selfservice": { "flows": { "login": none, "registration": none, "settings": none, "error": none } } })
}

fn html(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type").as_deref(), Some("text/html; charset=utf-8"), "{answer:?}");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// The text between the first `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} after {before}")).0
}

fn heading(page: &str) -> &str {
    between(page, "<h1>", "</h1>")
}

fn token(page: &str) -> String {
    between(page, r#"name="csrf_token" value=""#, "\"").replace("&#43;", "+").replace("&#61;", "=")
}

fn action(page: &str) -> &str {
    between(page, r#"<form method="post" action=""#, "\"")
}

/// Follows redirects to a page.
async fn visit(browser: &mut Browser<'_>, url: &str) -> Answer {
    let mut answer = browser.get(url).await;
    for _ in 0..5 {
        if answer.status != 303 {
            return answer;
        }
        let next = answer.location().to_owned();
        answer = browser.get(&next).await;
    }
    panic!("{url} leads round in a circle: {answer:?}");
}

async fn sign_up(browser: &mut Browser<'_>, email: &str) {
    let page = html(&visit(browser, "/registration").await);
    let fields = [
        ("csrf_token", token(&page)),
        ("traits.email", email.to_owned()),
        ("password", PASSWORD.to_owned()),
        ("method", "password".to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let answer = browser.post(action(&page), &fields).await;
    assert_eq!((answer.status, answer.location()), (303, format!("{UI}/").as_str()));
}

#[tokio::test]
async fn a_page_exists_where_none_is_configured() {
    let app = TestApp::new().await;
    for path in ["/", "/login", "/registration", "/settings", "/settings/sessions", "/error"] {
        for method in ["GET", "POST"] {
            let answer = app.ask(Port::Public, method, path, &[]).await;
            assert_eq!((answer.status, answer.cookies().len()), (404, 0), "{method} {path}");
        }
    }
    let app = TestApp::with(built_in()).await;
    for (path, status) in
        [("/", 200), ("/login", 303), ("/registration", 303), ("/settings", 303), ("/error", 404), ("/login/", 404)]
    {
        assert_eq!(app.ask(Port::Public, "GET", path, &[]).await.status, status, "{path}");
    }
    for (method, path, allow) in
        [("POST", "/", "GET, HEAD"), ("PUT", "/login", "GET, HEAD"), ("GET", "/settings/sessions", "POST")]
    {
        let answer = app.ask(Port::Public, method, path, &[]).await;
        assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some(allow)), "{method} {path}");
    }
    assert_eq!(app.ask(Port::Admin, "GET", "/login", &[]).await.status, 404);
}

#[tokio::test]
async fn pages_begin_their_flows_and_keep_the_way_back() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    let begin = browser.get(&format!("/login?return_to={UI}/next&refresh=true")).await;
    assert_eq!(
        begin.location(),
        "http://127.0.0.1:4433/self-service/login/browser?return_to=http%3A%2F%2F127.0.0.1%3A4455%2Fnext&refresh=true"
    );
    let page = html(&visit(&mut browser, &format!("/login?return_to={UI}/next")).await);
    assert_eq!(heading(&page), "Sign in");
    let sign_up = between(&page, "No account yet? <a href=\"", "\"");
    assert!(sign_up.ends_with("/self-service/registration/browser?return_to=http%3A%2F%2F127.0.0.1%3A4455%2Fnext"), "{sign_up}");
}

#[tokio::test]
async fn every_page_keeps_others_out() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    for path in ["/", "/login", "/registration", "/error?id=none"] {
        let answer = visit(&mut browser, path).await;
        let policy = answer.header("content-security-policy").unwrap();
        // A form may lead to where the operator lets flows end: browsers apply the rule to the redirects behind it.
        assert_eq!(
            policy,
            format!(
                "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' http://127.0.0.1:4433 {UI}"
            ),
            "{path}"
        );
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "same-origin")]
        {
            assert_eq!(answer.header(name).as_deref(), Some(value), "{path}");
        }
        assert!(answer.header("cache-control").unwrap().contains("no-store"), "{path}");
        let page = html(&answer);
        for inline in ["<script>", "<style", " style=", " onclick", "javascript:"] {
            assert!(!page.contains(inline), "{inline} in {path}");
        }
    }
}

#[tokio::test]
async fn a_form_of_another_browser_is_replaced_unless_it_was_just_made() {
    let app = TestApp::with(built_in()).await;
    let mut first = Browser::new(&app);
    let begun = first.get("/self-service/login/browser").await;
    let page = begun.location().to_owned();

    let told = Browser::new(&app).get(&page).await;
    assert_eq!((told.status, heading(&html(&told))), (403, "Cookies are needed here"));
    let mut second = Browser::new(&app);
    second.get("/").await;
    let told = second.get(&page).await;
    assert_eq!((told.status, heading(&html(&told))), (403, "This form cannot be shown"));

    app.clock.advance(Duration::from_secs(60));
    let anew = second.get(&page).await;
    assert_eq!((anew.status, anew.location()), (303, "http://127.0.0.1:4433/self-service/login/browser"));
    assert_eq!(heading(&html(&visit(&mut second, &page).await)), "Sign in");
    assert_eq!(first.get(&page).await.status, 200, "its own browser still has it");
}

#[tokio::test]
async fn a_form_for_a_code_explains_itself_in_another_browser() {
    let mut change = built_in();
    change["selfservice"]["flows"]["verification"] = json!({ "enabled": true });
    let app = TestApp::with(change).await;
    let mut first = Browser::new(&app);
    let begun = first.get("/self-service/verification/browser").await;
    let page = begun.location().to_owned();
    assert_eq!(heading(&html(&first.get(&page).await)), "Verify your address");
    app.clock.advance(Duration::from_secs(60));
    let told = Browser::new(&app).get(&page).await;
    assert_eq!((told.status, heading(&html(&told))), (403, "Go back to where you asked for this"));
}

#[tokio::test]
async fn an_expired_form_is_replaced_and_keeps_its_way_back() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    let begun = browser.get(&format!("/self-service/login/browser?return_to={UI}/next")).await;
    let page = begun.location().to_owned();
    app.clock.advance(Duration::from_secs(3 * 3600));
    let anew = browser.get(&page).await;
    assert_eq!(anew.parameter("return_to").as_deref(), Some(format!("{UI}/next").as_str()));
    assert_eq!(heading(&html(&visit(&mut browser, &page).await)), "Sign in");
}

#[tokio::test]
async fn settings_want_a_session_and_lead_to_one() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    assert_eq!(heading(&html(&visit(&mut browser, "/settings").await)), "Sign in");

    sign_up(&mut browser, "ada@example.org").await;
    let start = html(&browser.get("/").await);
    assert_eq!(heading(&start), "Welcome back");
    assert!(start.contains("<strong>ada@example.org</strong>"), "{start}");

    let begun = browser.get("/self-service/settings/browser").await;
    let page = begun.location().to_owned();
    let shown = html(&browser.get(&page).await);
    assert_eq!(heading(&shown), "Settings");
    assert_eq!(shown.matches(r#"name="csrf_token""#).count(), 2, "one form each for profile and password, none to end sessions");
    assert!(shown.contains("This device"));

    // Whoever lost the session signs in and comes back.
    let stranger = Browser::new(&app).get(&page).await;
    assert_eq!(stranger.status, 303);
    assert_eq!(stranger.parameter("return_to").as_deref(), Some(page.as_str()));
}

#[tokio::test]
async fn other_sessions_end_from_the_settings_page() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    sign_up(&mut browser, "grace@example.org").await;
    let mut other = Browser::new(&app);
    let login = html(&visit(&mut other, "/login").await);
    let token_of_login = token(&login);
    let fields = [
        ("csrf_token", token_of_login.as_str()),
        ("identifier", "grace@example.org"),
        ("password", PASSWORD),
        ("method", "password"),
    ];
    assert_eq!(other.post(action(&login), &fields).await.status, 303);
    assert_eq!(heading(&html(&other.get("/").await)), "Welcome back");

    let shown = html(&visit(&mut browser, "/settings").await);
    let (token, flow) = (token(&shown), between(&shown, r#"name="flow" value=""#, "\"").to_owned());
    let session = between(&shown, r#"name="session" value=""#, "\"").to_owned();
    let end = |token: &str| [("csrf_token", token.to_owned()), ("flow", flow.clone()), ("session", session.clone())];
    let forged = end("forged");
    let forged: Vec<(&str, &str)> = forged.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let refused = browser.post("/settings/sessions", &forged).await;
    assert_eq!((refused.status, heading(&html(&refused))), (403, "This form could not be accepted"));
    assert_eq!(heading(&html(&other.get("/").await)), "Welcome back");

    let good = end(&token);
    let good: Vec<(&str, &str)> = good.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let ended = browser.post("/settings/sessions", &good).await;
    let back = format!("http://127.0.0.1:4433/settings?flow={flow}&ended=one");
    assert_eq!((ended.status, ended.location()), (303, back.as_str()));
    let told = html(&browser.get(&back).await);
    assert!(between(&told, r#"id="sessions-notices""#, "</div>").contains("That device is signed out."), "{told}");
    assert_eq!(heading(&html(&other.get("/").await)), "Welcome");
    assert_eq!(heading(&html(&browser.get("/").await)), "Welcome back");
}

#[tokio::test]
async fn errors_are_told_in_words_with_what_support_needs() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    let sent = browser.get("/self-service/login/browser?return_to=https://elsewhere.example.org/").await;
    let page = html(&browser.get(sent.location()).await);
    assert_eq!(heading(&page), "This link cannot be followed");
    assert!(page.contains("400 self_service_flow_return_to_forbidden"), "{page}");
    for (path, status, expected) in [
        ("/error", 404, "There is nothing here"),
        ("/error?id=6a2b0c1e-2222-4333-8444-555566667777", 404, "There is nothing here"),
        ("/error?id=stub:500", 200, "Something went wrong"),
    ] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, heading(&html(&answer))), (status, expected), "{path}");
    }
}

#[tokio::test]
async fn pages_and_their_style_sheet_live_below_the_mount() {
    let mut change = built_in();
    change["serve"] = json!({ "public": { "base_url": "http://127.0.0.1:4433/auth/" } });
    let app = TestApp::with(change).await;
    let mut browser = Browser::new(&app);
    let page = html(&visit(&mut browser, "/auth/login").await);
    assert!(action(&page).starts_with("http://127.0.0.1:4433/auth/self-service/login?flow="), "{page}");
    let style = between(&page, r#"<link rel="stylesheet" href=""#, "\"").to_owned();
    assert!(style.starts_with("/auth/assets/portcullis.css?v="), "{style}");
    let sheet = app.ask(Port::Public, "GET", &style, &[]).await;
    assert_eq!(sheet.header("cache-control").as_deref(), Some("public, max-age=31536000, immutable"));
    assert_eq!(sheet.cookies(), [""; 0]);
    let tag = sheet.header("etag").unwrap();
    let known = app.ask(Port::Public, "GET", &style, &[("if-none-match", &tag)]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let old = app.ask(Port::Public, "GET", "/assets/portcullis.css?v=0", &[]).await;
    assert_eq!(old.header("cache-control").as_deref(), Some("public, no-cache"));
}

/// Sends fields of the settings page.
async fn change(browser: &mut Browser<'_>, page: &str, fields: &[(&str, &str)]) -> Answer {
    let token = token(page);
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf_token", token.as_str())]).collect();
    browser.post(action(page), &fields).await
}

#[tokio::test]
async fn what_is_told_stands_in_the_part_that_it_is_about() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    sign_up(&mut browser, "ada@example.org").await;
    let shown = html(&visit(&mut browser, "/settings").await);
    let contents = between(&shown, r#"<nav class="contents""#, "</nav>");
    let links: Vec<&str> = contents.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links, ["#profile", "#password", "#sessions"]);

    let fields = [("method", "profile"), ("traits.email", "ada@example.org"), ("traits.name.first", "Ada")];
    let saved = change(&mut browser, &shown, &fields).await;
    let page = html(&browser.get(saved.location()).await);
    let notice = between(&page, r#"id="profile-notices""#, "</div>");
    assert!(notice.contains(r#"role="status" tabindex="-1" autofocus>Your changes are saved."#), "{page}");
    assert_eq!(page.matches("Your changes are saved.").count(), 1);

    let refused = change(&mut browser, &page, &[("method", "password"), ("password", "short")]).await;
    let page = html(&browser.get(refused.location()).await);
    let password = between(&page, r#"name="password""#, "</div>");
    assert!(password.contains("autofocus") && password.contains(r#"aria-invalid="true""#), "{password}");
    assert!(!page.contains("Your changes are saved."), "{page}");
    assert!(page.contains("<title>Error: Settings"), "{page}");
    let json = browser.script().get(&format!("/self-service/settings/flows?id={}", saved.parameter("flow").unwrap())).await;
    assert_eq!(json.json().get("active"), None, "front ends are told what they always were");
}

#[tokio::test]
async fn a_sign_in_says_that_a_change_waits_for_it() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    sign_up(&mut browser, "ada@example.org").await;
    let login = html(&visit(&mut browser, "/login?refresh=true").await);
    assert!(!login.contains("Your change is not lost"), "nothing waits yet");

    app.wait(2 * 3600);
    let shown = html(&visit(&mut browser, "/settings").await);
    let asked = change(&mut browser, &shown, &[("method", "password"), ("password", "staple wagon melody")]).await;
    assert_eq!(asked.status, 303);
    let login = html(&visit(&mut browser, asked.location()).await);
    assert_eq!(heading(&login), "Confirm that it is you");
    assert!(login.contains("Your change is not lost"), "{login}");
    let (action, token) = (action(&login).to_owned(), token(&login));
    let fields = [("method", "password"), ("identifier", "ada@example.org"), ("password", PASSWORD), ("csrf_token", &token)];
    let signed_in = browser.post(&action, &fields).await;
    let done = html(&visit(&mut browser, signed_in.location()).await);
    assert!(between(&done, r#"id="password-notices""#, "</div>").contains("Your changes are saved."), "{done}");
}

#[tokio::test]
async fn what_was_typed_is_there_after_a_lost_session() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    sign_up(&mut browser, "ada@example.org").await;
    let begun = browser.get("/self-service/settings/browser").await;
    let (page, shown) = (begun.location().to_owned(), html(&browser.get(begun.location()).await));
    let admin = Admin::new(&app);
    let people = admin.get("/identities").await.json();
    let sessions = format!("/identities/{}/sessions", people[0]["id"].as_str().unwrap());
    assert_eq!(admin.send("DELETE", &sessions, &Value::Null).await.status, 204);

    // The session is over; the browser says which page the form stood on, and the way back leads there.
    let fields = [("method", "profile"), ("traits.email", "ada@example.org"), ("traits.name.first", "Augusta")];
    let lost = change(&mut browser, &shown, &fields).await;
    assert_eq!(lost.location(), "http://127.0.0.1:4433/login");
    for (referer, expected) in [
        (page.as_str(), Some(page.as_str())),
        ("http://127.0.0.1:4433/settings", None),
        ("http://127.0.0.1:4433/settings?flow=nonsense", None),
        ("http://elsewhere.example.org/settings?flow=9b9f5d5e-6a52-4b0e-8a0f-0f6f4a3f2b1c", None),
    ] {
        let login = app.ask(Port::Public, "GET", "/login", &[("referer", referer)]).await;
        assert_eq!(login.parameter("return_to").as_deref(), expected, "{referer}");
    }
    let login = html(&visit(&mut browser, &format!("/login?return_to={page}")).await);
    let (action, token) = (action(&login).to_owned(), token(&login));
    let fields = [("method", "password"), ("identifier", "ada@example.org"), ("password", PASSWORD), ("csrf_token", &token)];
    let signed_in = browser.post(&action, &fields).await;
    assert_eq!(signed_in.location(), page);
    assert!(html(&browser.get(&page).await).contains(r#"value="Augusta""#));
}

#[tokio::test]
async fn sessions_say_when_they_were_last_seen() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    sign_up(&mut browser, "ada@example.org").await;
    let mut other = Browser::new(&app);
    let login = html(&visit(&mut other, "/login").await);
    let token = token(&login);
    let fields =
        [("method", "password"), ("identifier", "ada@example.org"), ("password", PASSWORD), ("csrf_token", token.as_str())];
    other.post(action(&login), &fields).await;

    // 2027-01-15 08:00:00 UTC is when the tests' clock begins.
    let last_seen = |page: &str| between(between(page, "Last seen", "</time>"), "datetime=\"", "\"").to_owned();
    for (wait, asks, expected) in
        [(300, true, "2027-01-15T08:00:00Z"), (600, true, "2027-01-15T08:15:00Z"), (3600, false, "2027-01-15T08:15:00Z")]
    {
        app.wait(wait);
        if asks {
            assert_eq!(other.script().get("/sessions/whoami").await.status, 200);
            // The request does not wait for it to be written down.
            for _ in 0..200 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if last_seen(&html(&visit(&mut browser, "/settings").await)) == expected {
                    break;
                }
            }
        }
        assert_eq!(last_seen(&html(&visit(&mut browser, "/settings").await)), expected);
    }
}

/// As [`built_in`], with one provider of this label, and these settings of passwords.
fn with_provider(provider: &Provider, label: &str, password: &Value) -> Value {
    let mut change = provider.settings(&[("op", json!({ "label": label }))]);
    let mut flows = built_in()["selfservice"]["flows"].clone();
    flows["registration"]["after"] = change["selfservice"]["flows"]["registration"]["after"].clone();
    change["selfservice"]["flows"] = flows;
    change["selfservice"]["methods"]["password"] = password.clone();
    change
}

/// Begins a trial; its id.
async fn begin_trial(app: &TestApp) -> String {
    let begun = Admin::new(app).send("POST", "/test-login-flows", &json!({ "provider_id": "op" })).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun.json()["id"].as_str().unwrap().to_owned()
}

/// Makes the trip of a trial by its page, to the provider.
async fn leave_on_trial(browser: &mut Browser<'_>, id: &str) -> String {
    let page = html(&browser.get(&format!("/login?flow={id}")).await);
    assert_eq!(heading(&page), "Trial of A &#38; B");
    assert!(!page.contains("No account yet?") && !page.contains("Forgot"), "{page}");
    let token = token(&page);
    let left = browser.post(action(&page), &[("csrf_token", &token), ("method", "oidc"), ("provider", "op")]).await;
    assert_eq!(left.status, 303, "{left:?}");
    left.location().to_owned()
}

#[tokio::test]
async fn a_trial_is_shown_to_the_browser_that_made_it_and_deleted_there() {
    let provider = Provider::start().await;
    let app = TestApp::with(with_provider(&provider, "A & B", &json!({ "enabled": true }))).await;
    let mut browser = Browser::new(&app);
    let id = begin_trial(&app).await;
    let page = format!("/session/test-oidc?flow={id}");
    let open = browser.get(&page).await;
    assert_eq!((open.status, heading(&html(&open))), (200, "Trial of A &#38; B"));
    assert!(html(&open).contains("This trial has not been made yet."));

    provider.person(&json!({ "given_name": "<b>Ada</b>" }));
    let at = leave_on_trial(&mut browser, &id).await;
    let back = browser.get(&provider.visit(&at)).await;
    assert_eq!(back.location(), format!("http://127.0.0.1:4433{page}"));
    let shown = html(&browser.get(&page).await);
    assert!(shown.contains("Everything worked"), "{shown}");
    assert!(between(&shown, r#"id="claims""#, "</pre>").contains("&#60;b&#62;Ada&#60;/b&#62;"), "{shown}");
    assert!(between(&shown, r#"id="output""#, "</pre>").contains("verified_addresses"), "{shown}");
    assert_eq!(browser.get(&format!("/login?flow={id}")).await.location(), back.location(), "it is made once");

    let other = Browser::new(&app).get(&page).await;
    assert_eq!((other.status, heading(&html(&other))), (403, "This trial was made in another browser"));

    let (token, action) = (token(&shown), action(&shown).to_owned());
    let forged = browser.post(&action, &[("csrf_token", "forged"), ("flow", &id)]).await;
    assert_eq!((forged.status, heading(&html(&forged))), (403, "This form could not be accepted"));
    let mut second = Browser::new(&app);
    second.get("/").await;
    let stolen = second.post(&action, &[("csrf_token", &token), ("flow", &id)]).await;
    assert_eq!(stolen.status, 403);
    let gone = browser.post(&action, &[("csrf_token", &token), ("flow", &id)]).await;
    assert_eq!((gone.status, gone.location()), (303, "http://127.0.0.1:4433/session/test-oidc?deleted=true"));
    assert_eq!(heading(&html(&browser.get(gone.location()).await)), "The trial is deleted");
    for url in [page.as_str(), "/session/test-oidc", "/session/test-oidc?flow=nonsense"] {
        let none = browser.get(url).await;
        assert_eq!((none.status, heading(&html(&none))), (404, "There is no such trial"), "{url}");
    }
    assert_eq!(Admin::new(&app).get("/identities").await.json(), json!([]), "no account is made");
}

#[tokio::test]
async fn a_trial_says_which_step_failed_and_why() {
    let provider = Provider::start().await;
    let app = TestApp::with(with_provider(&provider, "A & B", &json!({ "enabled": true }))).await;
    let mut browser = Browser::new(&app);

    let id = begin_trial(&app).await;
    let at = leave_on_trial(&mut browser, &id).await;
    let back = browser.get(&provider.refuse(&at)).await;
    let shown = html(&browser.get(back.location()).await);
    assert!(between(&shown, "<dl class=\"facts\">", "</dl>").contains("access_denied"), "{shown}");
    assert!(between(&shown, "The provider agreed", "</li>").contains("Failed"), "{shown}");
    assert!(between(&shown, "The mapper ran", "</li>").contains("Not reached"), "{shown}");
    assert!(!shown.contains("id=\"claims\""), "nothing was told");

    provider.person(&json!({ "email": "no address" }));
    let id = begin_trial(&app).await;
    let at = leave_on_trial(&mut browser, &id).await;
    let back = browser.get(&provider.visit(&at)).await;
    let shown = html(&browser.get(back.location()).await);
    assert!(shown.contains("<title>Error: Trial of"), "{shown}");
    assert!(between(&shown, "<dl class=\"refused\">", "</dl>").contains("/traits/email"), "{shown}");
    assert!(between(&shown, "The mapper ran", "</li>").contains("Done"), "{shown}");
}

#[tokio::test]
async fn a_trial_has_a_page_only_where_providers_are() {
    let app = TestApp::with(built_in()).await;
    assert_eq!(app.ask(Port::Public, "GET", "/session/test-oidc", &[]).await.status, 404);
    let provider = Provider::start().await;
    let app = TestApp::with(provider.settings(&[("op", json!({}))])).await;
    let answer = app.ask(Port::Public, "GET", "/session/test-oidc", &[]).await;
    assert_eq!(answer.status, 404, "also where the sign-in is an operator's own");
    assert_eq!(heading(&html(&answer)), "There is no such trial");
}

#[tokio::test]
async fn a_connected_account_that_must_stay_is_shown_as_such() {
    let provider = Provider::start().await;
    let app = TestApp::with(with_provider(&provider, "Home & Garden", &json!({ "enabled": false }))).await;
    let mut browser = Browser::new(&app);
    let page = html(&visit(&mut browser, "/registration").await);
    let button = between(&page, r#"<button class="secondary marked""#, "</button>");
    assert!(button.contains(r#"aria-hidden="true">H</span>Sign up with Home &#38; Garden"#), "{button}");
    assert!(page.contains("What you leave empty here is taken from the account that you choose."), "{page}");
    // A browser sends the fields that were left empty, too.
    let token = token(&page);
    let left = browser.post(action(&page), &[("csrf_token", &token), ("traits.email", ""), ("provider", "op")]).await;
    assert_eq!(browser.get(&provider.visit(left.location())).await.status, 303);

    let shown = html(&visit(&mut browser, "/settings").await);
    let accounts = between(&shown, r#"id="connections""#, "</section>");
    assert!(accounts.contains("Home &#38; Garden <span class=\"tag on\">Connected</span>"), "{accounts}");
    assert!(accounts.contains("Your only way to sign in, so it must stay.") && !accounts.contains("<button"), "{accounts}");
}

#[tokio::test]
async fn whoever_confirms_that_it_is_them_need_not_type_their_name() {
    let mut change = built_in();
    change["selfservice"]["methods"] = json!({ "code": { "enabled": true, "passwordless_enabled": true } });
    let app = TestApp::with(change).await;
    let mut browser = Browser::new(&app);
    sign_up(&mut browser, "ada@example.org").await;
    let page = html(&visit(&mut browser, "/login?refresh=true").await);
    let field = between(&page, r#"name="identifier""#, ">");
    assert!(field.contains(r#"value="ada@example.org""#) && !field.contains("autofocus"), "{field}");
    assert!(between(&page, r#"name="password""#, ">").contains("autofocus"), "{page}");
}

#[tokio::test]
async fn a_sign_up_for_an_organization_leads_to_one_without() {
    let app = TestApp::with(built_in()).await;
    let mut browser = Browser::new(&app);
    let asked = "organization=6a2b0c1e-2222-4333-8444-555566667777&return_to=http://127.0.0.1:4455/after";
    let page = html(&visit(&mut browser, &format!("/self-service/registration/browser?{asked}")).await);
    assert!(page.contains("no way to sign up for this organization"), "{page}");
    assert!(!page.contains("<form"), "{page}");
    let (before, _) = page.split_once("Sign up without it").unwrap();
    let next = before.rsplit_once("href=\"").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    let page = html(&visit(&mut browser, &next).await);
    assert!(page.contains("traits.email"), "{page}");
}
