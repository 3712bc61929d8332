//! Whole journeys through every door: a server whose base URL has a path answers like one whose base URL has none, whether
//! clients ask at the prefix or a proxy takes it off. Chance repeats itself, so answers are compared letter by letter.

use http::header::SET_COOKIE;
use portcullis::http::ports::Port;
use serde_json::{Value, json};

use crate::support::{Answer, Jar, TestApp, UI};

const ORIGIN: &str = "https://id.example.org";
const HTML: &str = "text/html,*/*;q=0.8";
const JSON: &str = "application/json";

/// How a client's request comes to the server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    /// Prefix and all.
    Straight,
    /// Without the prefix, by a proxy that keeps the host.
    Stripped,
    /// Without the prefix, by a proxy that tells in headers what the client asked for.
    Told,
}

/// A client that notes what it was answered.
struct Visitor<'a> {
    app: &'a TestApp,
    prefix: &'a str,
    door: Door,
    jar: Jar,
    token: Option<String>,
    notes: Vec<String>,
}

impl<'a> Visitor<'a> {
    fn new(app: &'a TestApp, prefix: &'a str, door: Door) -> Self {
        Self { app, prefix, door, jar: Jar::default(), token: None, notes: Vec::new() }
    }

    /// An address on the base URL.
    fn at(&self, path: &str) -> String {
        format!("{ORIGIN}{}{path}", self.prefix)
    }

    /// Sends a request to an absolute address, or to a path below the base URL.
    async fn call(&mut self, method: &str, url: &str, accept: &str, content: Option<(&str, String)>) -> Answer {
        let url = if url.starts_with('/') { self.at(url) } else { url.to_owned() };
        let full = url.strip_prefix(ORIGIN).unwrap_or_else(|| panic!("{url} leads away"));
        let short = full.strip_prefix(self.prefix).unwrap_or_else(|| panic!("{url} lacks the prefix"));
        let path = if self.door == Door::Straight { full } else { short };
        let mut request = http::Request::builder().method(method).uri(path).header("accept", accept);
        request = match self.door {
            Door::Told => request
                .header("host", "10.0.0.7:4433")
                .header("x-forwarded-host", "id.example.org")
                .header("x-forwarded-prefix", self.prefix),
            Door::Straight | Door::Stripped => request.header("host", "id.example.org"),
        };
        request = request.header("x-forwarded-proto", "https");
        for (name, value) in [("cookie", self.jar.header()), ("x-session-token", self.token.clone())] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let (content_type, body) = content.unzip();
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = self.app.send(Port::Public, request.body(body.unwrap_or_default().into()).unwrap()).await;
        self.jar.keep(&answer);
        self.notes.push(self.note(method, &url, &answer));
        answer
    }

    /// What a client sees, as it would be without the prefix.
    fn note(&self, method: &str, url: &str, answer: &Answer) -> String {
        let mut lines = vec![format!("{method} {url}"), answer.status.to_string()];
        for (name, value) in &answer.headers {
            let value = value.to_str().unwrap();
            lines.push(format!("{name}: {}", if name == SET_COOKIE { self.jar_line(value) } else { value.to_owned() }));
        }
        lines.push(String::from_utf8_lossy(&answer.body).into_owned());
        let text = lines.join("\n");
        if self.prefix.is_empty() {
            return text;
        }
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let based = text.replace(&format!("{ORIGIN}{}", self.prefix), ORIGIN);
        let based = based.replace(&encoded(&format!("{ORIGIN}{}", self.prefix)), &encoded(ORIGIN));
        // What is left of it begins an address without a host.
        let mut out = based;
        for before in ["\"", "<", "location: "] {
            out = out.replace(&format!("{before}{}/", self.prefix), &format!("{before}/"));
        }
        out
    }

    /// The anti-CSRF cookie's name depends on the base URL.
    fn jar_line(&self, line: &str) -> String {
        match line.strip_prefix("csrf_token_") {
            Some(rest) => format!("csrf_token{}", &rest[rest.find('=').unwrap()..]),
            None => line.to_owned(),
        }
    }

    async fn page(&mut self, url: &str) -> Answer {
        self.call("GET", url, HTML, None).await
    }

    async fn fetch(&mut self, url: &str) -> Answer {
        self.call("GET", url, JSON, None).await
    }

    /// Goes to a page and on where it leads, as long as that is here.
    async fn follow(&mut self, url: &str) -> Answer {
        let mut answer = self.page(url).await;
        for _ in 0..6 {
            let Some(next) = answer.header("location").filter(|l| l.starts_with('/') || l.starts_with(ORIGIN)) else { break };
            let next = if next.starts_with('/') { format!("{ORIGIN}{next}") } else { next };
            answer = self.page(&next).await;
        }
        answer
    }

    async fn form(&mut self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.call("POST", action, HTML, Some(("application/x-www-form-urlencoded", body))).await
    }

    async fn script(&mut self, action: &str, fields: &Value) -> Answer {
        self.call("POST", action, JSON, Some((JSON, fields.to_string()))).await
    }

    /// Reads the flow to whose page an answer leads.
    async fn flow(&mut self, kind: &str, answer: &Answer) -> (String, String) {
        let id = answer.parameter("flow").unwrap_or_else(|| panic!("no flow: {answer:?}"));
        filled(&self.fetch(&format!("/self-service/{kind}/flows?id={id}")).await)
    }
}

/// Where a form is sent, and its token.
fn filled(answer: &Answer) -> (String, String) {
    let token = answer.field("csrf_token").unwrap_or_else(|| panic!("no form: {answer:?}"));
    (answer.action(), token.as_str().unwrap_or_default().to_owned())
}

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "kestrel-Zw4-91-mortar";
const OTHER: &str = "heron-Qp7-28-quarry";

/// A person with forms: sign-up, sign-in with a way back, settings, a fresh sign-in in between, an end.
async fn with_forms(mut v: Visitor<'_>) -> Vec<String> {
    let mine = v.at("/self-service/settings/browser");
    v.page(&mine).await;
    let there = v.page("/self-service/registration/browser").await;
    let (action, token) = v.flow("registration", &there).await;
    let taken = [("csrf_token", token.as_str()), ("method", "password"), ("password", PASSWORD), ("traits.email", EMAIL)];
    v.form(&action, &[taken[0], taken[1], ("password", "short"), ("traits.email", "x")]).await;
    assert_eq!(v.form(&action, &taken).await.status, 303);
    let there = v.page(&format!("/self-service/settings/browser?return_to={UI}/after")).await;
    let (action, token) = v.flow("settings", &there).await;
    let profile = [("csrf_token", token.as_str()), ("method", "profile"), ("traits.email", EMAIL), ("traits.name.first", "Ada")];
    v.form(&action, &[profile[0], profile[1], ("traits.email", "x")]).await;
    assert_eq!(v.form(&action, &profile).await.status, 303);
    // A password takes a fresh sign-in, and the way back leads through the mount.
    v.app.wait(7200);
    let there = v.page("/self-service/settings/browser").await;
    let (action, token) = v.flow("settings", &there).await;
    let login = v.form(&action, &[("csrf_token", &token), ("method", "password"), ("password", OTHER)]).await;
    assert!(login.location().starts_with(&v.at("/self-service/login/browser?")), "{login:?}");
    let there = v.page(login.location()).await;
    let (action, token) = v.flow("login", &there).await;
    let back =
        v.form(&action, &[("csrf_token", &token), ("method", "password"), ("identifier", EMAIL), ("password", PASSWORD)]).await;
    assert!(back.location().starts_with(&v.at("/self-service/settings?flow=")), "{back:?}");
    v.page(back.location()).await;
    // Out, and in again by an address of our own.
    let out = v.fetch("/self-service/logout/browser").await.json()["logout_url"].as_str().unwrap().to_owned();
    assert!(out.starts_with(&v.at("/self-service/logout?token=")), "{out}");
    v.page(&out).await;
    let login = v.page(&format!("/self-service/settings/browser?return_to={mine}")).await;
    let there = v.page(login.location()).await;
    let (action, token) = v.flow("login", &there).await;
    let wrong = [("csrf_token", token.as_str()), ("method", "password"), ("identifier", EMAIL), ("password", PASSWORD)];
    v.form(&action, &wrong).await;
    let back = v.form(&action, &[wrong[0], wrong[1], wrong[2], ("password", OTHER)]).await;
    assert_eq!(back.location(), mine);
    v.page(&mine).await;
    v.notes
}

/// A person with scripts: the same and more, as JSON.
async fn with_scripts(mut v: Visitor<'_>) -> Vec<String> {
    let begun = v.fetch("/self-service/registration/browser").await;
    let (action, token) = filled(&begun);
    let fields = json!({ "csrf_token": token, "method": "password", "password": PASSWORD, "traits": { "email": EMAIL } });
    assert_eq!(v.script(&action, &fields).await.status, 200);
    v.fetch("/sessions/whoami").await;
    v.fetch("/sessions").await;
    let mine = v.at("/self-service/login/browser");
    let (action, token) = filled(&v.fetch(&format!("/self-service/settings/browser?return_to={mine}")).await);
    v.script(&action, &json!({ "csrf_token": token, "method": "profile", "traits": { "email": "bea@example.org" } })).await;
    v.app.wait(7200);
    let (action, token) = filled(&v.fetch("/self-service/settings/browser").await);
    let fields = json!({ "csrf_token": token, "method": "password", "password": OTHER });
    let refused = v.script(&action, &fields).await;
    assert_eq!((refused.status, refused.error_id().as_deref()), (403, Some("session_refresh_required")));
    let (login, login_token) = filled(&v.fetch(&refused.redirect_browser_to()).await);
    let fields =
        json!({ "csrf_token": login_token, "method": "password", "identifier": "bea@example.org", "password": PASSWORD });
    v.script(&login, &fields).await;
    v.script(&action, &json!({ "csrf_token": token })).await;
    // Too late.
    let (action, token) = filled(&v.fetch("/self-service/settings/browser").await);
    v.app.wait(4000);
    v.script(&action, &json!({ "csrf_token": token, "method": "profile", "traits": { "email": EMAIL } })).await;
    let id = action.split("flow=").nth(1).unwrap().to_owned();
    assert_eq!(v.fetch(&format!("/self-service/settings/flows?id={id}")).await.status, 410);
    // Proving an address.
    let (action, token) = filled(&v.fetch("/self-service/verification/browser").await);
    v.script(&action, &json!({ "csrf_token": token, "method": "code", "email": "bea@example.org" })).await;
    let out = v.fetch("/self-service/logout/browser").await.json()["logout_url"].as_str().unwrap().to_owned();
    v.fetch(&out).await;
    v.notes
}

/// An app with a token.
async fn natively(mut v: Visitor<'_>) -> Vec<String> {
    let (action, _) = filled(&v.fetch("/self-service/registration/api").await);
    let fields = json!({ "method": "password", "password": PASSWORD, "traits": { "email": EMAIL } });
    let token = v.script(&action, &fields).await.json()["session_token"].as_str().unwrap().to_owned();
    v.token = Some(token.clone());
    let (action, _) = filled(&v.fetch("/self-service/settings/api").await);
    v.script(&action, &json!({ "method": "profile", "traits": { "email": "bea@example.org" } })).await;
    v.app.wait(7200);
    v.script(&action, &json!({ "method": "password", "password": OTHER })).await;
    let (action, _) = filled(&v.fetch("/self-service/login/api?refresh=true").await);
    v.script(&action, &json!({ "method": "password", "identifier": "bea@example.org", "password": PASSWORD })).await;
    v.fetch("/sessions?page_size=1").await;
    let body = json!({ "session_token": token });
    v.call("DELETE", "/self-service/logout/api", JSON, Some((JSON, body.to_string()))).await;
    v.fetch("/sessions/whoami").await;
    v.notes
}

/// Everything beside the flows.
async fn around(mut v: Visitor<'_>) -> Vec<String> {
    for path in [
        "/health/alive",
        "/health/ready",
        "/schemas?page_size=1",
        "/schemas/default",
        "/.well-known/change-password",
        "/nope",
        "/identities",
        "/self-service/errors?id=stub:500",
        "/self-service/login/browser?return_to=https://elsewhere.example.org/",
        "/self-service//login/browser?x=%2F",
        "/sessions/./whoami",
    ] {
        v.page(path).await;
        v.fetch(path).await;
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"] {
        for path in ["/sessions/whoami", "/schemas", "/self-service/settings", "/nope"] {
            v.call(method, path, JSON, None).await;
        }
    }
    v.notes
}

/// The built-in pages.
async fn on_pages(mut v: Visitor<'_>) -> Vec<String> {
    let address = |page: &Answer, before: &str| {
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        text.split_once(before)
            .and_then(|(_, rest)| rest.split_once('"'))
            .unwrap_or_else(|| panic!("no {before}: {text}"))
            .0
            .to_owned()
    };
    let page = v.follow("/").await;
    for before in [r#"rel="stylesheet" href=""#, r#"<script src=""#] {
        let file = address(&page, before);
        assert_eq!(v.page(&format!("{ORIGIN}{file}")).await.status, 200, "{file}");
    }
    for path in ["/login", "/settings", "/error", "/error?id=stub:500", "/self-service/login/browser?return_to=x"] {
        v.follow(path).await;
    }
    let page = v.follow("/registration").await;
    let action = address(&page, r#"<form method="post" action=""#);
    let token = address(&page, r#"name="csrf_token" value=""#).replace("&#43;", "+").replace("&#61;", "=");
    let fields = [("csrf_token", token.as_str()), ("method", "password"), ("password", PASSWORD), ("traits.email", EMAIL)];
    assert_eq!(v.form(&action, &fields).await.status, 303);
    let page = v.follow("/settings").await;
    assert_eq!(page.status, 200);
    v.follow("/").await;
    v.notes
}

/// Opens a server with this base URL and goes all journeys through a door.
async fn journeys(prefix: &str, slash: &str, door: Door) -> Vec<String> {
    let serve = json!({ "public": { "base_url": format!("{ORIGIN}{prefix}{slash}") } });
    let none = json!({ "ui_url": null });
    let with_ui = json!({
        "serve": serve,
        "selfservice": { "flows": { "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } } },
    });
    let built_in = json!({
        "serve": serve,
        "selfservice": { "flows": { "login": none, "registration": none, "settings": none, "error": none } },
    });
    let mut notes = Vec::new();
    let app = TestApp::with(with_ui.clone()).await;
    notes.extend(with_forms(Visitor::new(&app, prefix, door)).await);
    let app = TestApp::with(with_ui.clone()).await;
    notes.extend(with_scripts(Visitor::new(&app, prefix, door)).await);
    let app = TestApp::with(with_ui.clone()).await;
    notes.extend(natively(Visitor::new(&app, prefix, door)).await);
    let app = TestApp::with(with_ui).await;
    notes.extend(around(Visitor::new(&app, prefix, door)).await);
    let app = TestApp::with(built_in).await;
    notes.extend(on_pages(Visitor::new(&app, prefix, door)).await);
    notes
}

#[tokio::test]
async fn every_door_leads_through_the_same_journeys() {
    let plain = journeys("", "/", Door::Straight).await;
    assert!(plain.len() > 90, "{}", plain.len());
    for (prefix, slash, door) in [
        ("/auth", "/", Door::Straight),
        ("/auth", "/", Door::Stripped),
        ("/auth", "/", Door::Told),
        ("/auth", "", Door::Straight),
        ("/auth", "", Door::Stripped),
        ("/a/b", "/", Door::Straight),
        ("/a/b", "/", Door::Told),
        // A prefix that looks like one of the routes.
        ("/login", "/", Door::Straight),
        ("/schemas", "/", Door::Stripped),
    ] {
        let found = journeys(prefix, slash, door).await;
        for (found, expected) in found.iter().zip(&plain) {
            assert_eq!(found, expected, "{prefix}{slash} {door:?}");
        }
        assert_eq!(found.len(), plain.len(), "{prefix}{slash} {door:?}");
    }
}
