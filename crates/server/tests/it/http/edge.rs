//! Unknown paths and methods, headers of every answer, bodies, panics.

use bytes::Bytes;
use portcullis::http::body::MAX_BODY;
use portcullis::http::client::Proxies;
use portcullis::http::ports::Port;
use portcullis::http::table::{Methods, operation};
use portcullis_core::flow::engine::Reply;
use portcullis_model::error::ApiError;
use serde_json::json;

use crate::support::{Log, Native, Person, RawDatabase, Spa, TestApp};

const UUID: &str = "6a2b0c1e-2222-4333-8444-555566667777";

#[tokio::test]
async fn unknown_paths_are_told_in_plain_text() {
    let app = TestApp::new().await;
    for (port, method, path) in [
        (Port::Public, "GET", "/"),
        (Port::Public, "GET", "/nope"),
        (Port::Public, "POST", "/nope"),
        (Port::Public, "GET", "/sessions/whoami/"),
        (Port::Public, "GET", "/self-service/login/browser/"),
        (Port::Public, "GET", "/schemas/"),
        (Port::Admin, "GET", "/"),
        (Port::Admin, "GET", "/admin"),
        (Port::Admin, "GET", "/administrator/identities"),
        (Port::Admin, "GET", "/admin/identities/"),
        (Port::Admin, "GET", "/ADMIN/identities"),
        (Port::Admin, "DELETE", "/admin/identities/x/credentials/"),
    ] {
        let answer = app.ask(port, method, path, &[("accept", "application/json")]).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("content-type").as_deref(), Some("text/plain; charset=utf-8"), "{path}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(answer.cookies(), [""; 0], "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_ones_a_path_knows() {
    let app = TestApp::new().await;
    let one = format!("/admin/identities/{UUID}");
    for (port, method, path, allow) in [
        (Port::Public, "POST", "/health/alive", "GET, HEAD"),
        (Port::Public, "OPTIONS", "/health/alive", "GET, HEAD"),
        (Port::Public, "PUT", "/self-service/registration", "GET, HEAD, POST"),
        (Port::Public, "GET", "/self-service/logout/api", "DELETE"),
        (Port::Public, "DELETE", "/admin/identities", "GET, HEAD, POST"),
        (Port::Public, "POST", "/sessions", "DELETE, GET, HEAD"),
        (Port::Admin, "DELETE", "/admin/identities", "GET, HEAD, PATCH, POST"),
        (Port::Admin, "POST", one.as_str(), "DELETE, GET, HEAD, PATCH, PUT"),
        (Port::Admin, "PUT", "/admin/sessions", "DELETE, GET, HEAD, POST"),
    ] {
        let answer = app.ask(port, method, path, &[("x-http-method-override", "GET")]).await;
        assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some(allow)), "{method} {path}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"));
    }
}

#[tokio::test]
async fn whoami_answers_every_method_in_json() {
    let app = TestApp::new().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
        let answer = app.ask(Port::Public, method, "/sessions/whoami", &[("accept", "text/html")]).await;
        assert_eq!(answer.status, 401, "{method}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{method}");
    }
}

#[tokio::test]
async fn answers_to_get_are_never_cached_and_vary_by_cookie() {
    let app = TestApp::new().await;
    let never = Some("private, no-cache, no-store, must-revalidate");
    for (port, method, path, cache, vary) in [
        (Port::Public, "GET", "/sessions/whoami", never, Some("Cookie")),
        (Port::Public, "HEAD", "/sessions/whoami", None, Some("Cookie")),
        (Port::Public, "GET", "/nope", never, Some("Cookie")),
        (Port::Public, "GET", "/health/alive", never, None),
        (Port::Admin, "GET", "/version", never, None),
        (Port::Admin, "POST", "/version", None, None),
    ] {
        let answer = app.ask(port, method, path, &[]).await;
        assert_eq!(answer.header("cache-control").as_deref(), cache, "{method} {path}");
        assert_eq!(answer.header("vary").as_deref(), vary, "{method} {path}");
    }
}

#[tokio::test]
async fn unclean_paths_lead_to_the_clean_one() {
    let app = TestApp::new().await;
    for (path, clean) in [
        ("/self-service//login/browser?x=1", "/self-service/login/browser?x=1"),
        ("//evil.example/x", "/evil.example/x"),
        ("/a/../sessions/whoami", "/sessions/whoami"),
    ] {
        let answer = app.ask(Port::Public, "GET", path, &[]).await;
        assert_eq!((answer.status, answer.location()), (307, clean), "{path}");
    }
}

#[tokio::test]
async fn bodies_over_five_mebibytes_are_refused() {
    let app = TestApp::new().await;
    for (port, path, too_large) in [(Port::Public, "/self-service/login?flow=x", 413), (Port::Admin, "/admin/identities", 400)] {
        for (size, status) in [(MAX_BODY + 1, too_large), (MAX_BODY, 400)] {
            let body = Bytes::from(vec![b' '; size]);
            let request =
                http::Request::post(path).header("content-type", "application/json").header("accept", "application/json");
            let answer = app.send(port, request.body(body).unwrap()).await;
            assert_eq!(answer.status, status, "{path} {size}");
            assert_eq!(answer.json()["error"]["code"], status);
            let told = answer.json()["error"]["reason"].as_str().unwrap_or_default().contains("is larger than");
            assert_eq!(told, size > MAX_BODY, "{path} {size}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_that_gives_nothing_away() {
    let rows = vec![
        operation(Methods::GET, "/broken", |_, _| Box::pin(async { panic!("the secret is 42") })),
        operation(Methods::GET, "/sound", |_, _| Box::pin(async { Reply::no_content() })),
    ];
    let app = TestApp::new().await.with_public(rows);
    let answer = app.ask(Port::Public, "GET", "/broken", &[]).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (500, &500.into()));
    assert!(!String::from_utf8_lossy(&answer.body).contains("42"));
    assert_eq!(answer.header("cache-control").as_deref(), Some("private, no-cache, no-store, must-revalidate"));
    assert_eq!(app.ask(Port::Public, "GET", "/sound", &[]).await.status, 204);
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let rows = vec![operation(Methods::GET, "/busy", |_, _| {
        Box::pin(async { Reply::error(ApiError::new(503, "busy").retry_after(7)) })
    })];
    let app = TestApp::new().await.with_public(rows);
    let answer = app.ask(Port::Public, "GET", "/busy", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("7")));
}

#[tokio::test]
async fn an_error_names_the_request_as_the_client_did() {
    let app = TestApp::new().await;
    for (given, told) in [(Some("6a2b-7"), Some("6a2b-7")), (Some("<script>"), None), (None, None)] {
        let headers: Vec<_> = given.map(|id| ("x-request-id", id)).into_iter().collect();
        let answer = app.ask(Port::Public, "GET", "/sessions/whoami", &headers).await;
        assert_eq!(answer.json()["error"]["request"].as_str(), told, "{given:?}");
        assert_eq!(answer.header("x-request-id"), None);
    }
}

#[tokio::test]
async fn the_log_ties_lines_by_the_id_of_a_trusted_proxy_and_has_no_query() {
    let log = Log::start();
    let app = TestApp::behind(json!({}), Proxies::named(Some("192.0.2.1")).unwrap()).await;
    for (peer, id) in [("192.0.2.1", "trusted-4711"), ("192.0.2.9", "forged-4711")] {
        let request = http::Request::get("/self-service/logout?token=s3cr3t-in-a-query").header("x-request-id", id);
        let request = request.header("cookie", "ory_kratos_session=s3cr3t-in-a-cookie").header("authorization", "Bearer s3cr3t");
        app.send_from(peer, Port::Public, request.body(Bytes::new()).unwrap()).await;
    }
    let text = log.text();
    let line = text.lines().find(|l| l.contains("trusted-4711")).unwrap();
    for part in ["method=\"GET\"", "path=\"/self-service/logout\"", "status=", "port=\"public\""] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!text.contains("forged-4711") && !text.contains("s3cr3t"));
}

#[tokio::test]
async fn head_is_answered_like_get_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let app = TestApp::stored_at(&path, json!({})).await;
    let raw = RawDatabase::at(&path);
    let mut native = Native::new(&app);
    native.sign_up(&Person::named("ada")).await;
    let token = native.token.clone().unwrap();
    let before = raw.count("flows");
    for (kind, of) in [("login", 200), ("registration", 200), ("verification", 200), ("recovery", 200), ("settings", 200)] {
        let headers = [("accept", "application/json"), ("x-session-token", token.as_str())];
        let refresh = if kind == "login" { "?refresh=true" } else { "" };
        let start = format!("/self-service/{kind}/api{refresh}");
        let seen = app.ask(Port::Public, "HEAD", &start, if kind == "registration" { &headers[..1] } else { &headers }).await;
        if !["verification", "recovery"].contains(&kind) {
            assert_eq!((seen.status, seen.body.len()), (of, 0), "{kind}: {seen:?}");
        }
        let submit = app.ask(Port::Public, "HEAD", &format!("/self-service/{kind}?flow=x&code=123456"), &headers).await;
        assert_eq!(submit.status, 200, "{kind}");
    }
    assert_eq!(raw.count("flows"), before);

    // A program that looks at a link before its reader does signs nobody out.
    let mut spa = Spa::new(&app);
    spa.sign_in(&Person::named("ada")).await;
    let out = spa.get("/self-service/logout/browser").await.json()["logout_url"].as_str().unwrap().to_owned();
    let path = out.strip_prefix("http://127.0.0.1:4433").unwrap();
    app.ask(Port::Public, "HEAD", path, &[("cookie", &spa.jar.header().unwrap())]).await;
    assert_eq!(spa.get("/sessions/whoami").await.status, 200);
    assert_eq!(spa.get(&out).await.status, 204);
}
