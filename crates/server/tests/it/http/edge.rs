//! Unknown paths and methods, headers of every answer, bodies, panics.

use bytes::Bytes;
use portcullis::http::edge::MAX_BODY;
use portcullis::http::ports::Port;
use portcullis::http::table::{Methods, operation};
use portcullis_core::flow::engine::Reply;

use crate::support::TestApp;

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
        (Port::Public, "PATCH", "/admin/identities", "GET, HEAD, POST"),
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
    for (port, path) in [(Port::Public, "/self-service/login?flow=x"), (Port::Admin, "/admin/identities")] {
        for (size, status) in [(MAX_BODY + 1, 413), (MAX_BODY, 400)] {
            let body = Bytes::from(vec![b' '; size]);
            let request =
                http::Request::post(path).header("content-type", "application/json").header("accept", "application/json");
            let answer = app.send(port, request.body(body).unwrap()).await;
            assert_eq!(answer.status, status, "{path} {size}");
            assert_eq!(answer.json()["error"]["code"], status);
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
