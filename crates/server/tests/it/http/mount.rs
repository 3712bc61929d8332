//! A public base URL with a path, and what the client's address is.

use bytes::Bytes;
use portcullis::http::client::Proxies;
use portcullis::http::ports::Port;
use portcullis::http::table::Table;
use portcullis::http::{admin, public};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

async fn begin(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("accept", "application/json")], headers].concat();
    app.ask(Port::Public, "GET", path, &headers).await
}

fn based(base: &str) -> Value {
    json!({ "serve": { "public": { "base_url": base } } })
}

/// The path of a row with something in its `{}` segments.
fn path_of(pattern: &str) -> String {
    pattern.replace("{}", "6a2b0c1e-2222-4333-8444-555566667777")
}

#[tokio::test]
async fn every_public_row_answers_with_and_without_the_mount() {
    let app = TestApp::with(json!({
        "serve": { "public": { "base_url": "https://id.example.org/auth/" } },
        "selfservice": { "flows": { "login": { "ui_url": null }, "settings": { "ui_url": null }, "error": { "ui_url": null } } },
    }))
    .await;
    let mut asked = 0;
    for place in Table::new(public::rows()).places() {
        let path = path_of(place.pattern);
        for method in ["GET", "DELETE", "PATCH"] {
            let plain = app.ask(Port::Public, method, &path, &[]).await;
            let mounted = app.ask(Port::Public, method, &format!("/auth{path}"), &[]).await;
            let told = |a: &Answer| (a.status, a.header("content-type"), a.header("allow"), a.header("vary"), a.cookies().len());
            assert_eq!(told(&plain), told(&mounted), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}

#[tokio::test]
async fn the_admin_port_has_its_plain_paths_only() {
    let app = TestApp::with(json!({ "serve": { "admin": { "base_url": "https://in.example.org/a/b" } } })).await;
    let mut asked = 0;
    for place in Table::new(admin::rows()).places() {
        let path = path_of(place.pattern);
        assert_eq!(app.ask(Port::Admin, "GET", &format!("/a/b{path}"), &[]).await.status, 404, "{path}");
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
}

#[tokio::test]
async fn what_only_looks_like_the_mount_is_not_it() {
    for (base, yes, no) in [
        (
            "https://id.example.org/auth/",
            &["/health/alive", "/auth/health/alive"][..],
            &[
                "/authentic/health/alive",
                "/auth%2Fhealth/alive",
                "/auth/health%2Falive",
                "/AUTH/health/alive",
                "/auth/auth/health/alive",
                "/au/health/alive",
                "/auth",
                "/auth/",
                "/x/auth/health/alive",
                "/auth/nope",
                "/auth/health/alive/",
                "/%61uth/health/alive",
            ][..],
        ),
        ("https://id.example.org/auth", &["/auth/health/alive"], &["/authhealth/alive"]),
        (
            "https://id.example.org/a/b/",
            &["/a/b/health/alive", "/health/alive"],
            &["/a/health/alive", "/b/health/alive", "/a/bc/health/alive", "/b/a/health/alive", "/a%2Fb/health/alive"],
        ),
        ("https://id.example.org//a//b//", &["/a/b/health/alive"], &["/a/health/alive"]),
        ("https://id.example.org/health/", &["/health/alive", "/health/health/alive"], &["/health/nope"]),
        ("https://id.example.org/schemas", &["/schemas/default", "/schemas/health/alive"], &["/schemas/nope"]),
        ("https://id.example.org", &["/health/alive"], &["//id.example.org", "/auth/health/alive"]),
    ] {
        let app = TestApp::with(based(base)).await;
        for (paths, found) in [(yes, true), (no, false)] {
            for path in paths {
                let answer = app.ask(Port::Public, "GET", path, &[]).await;
                assert_eq!(answer.status == 200, found, "{base} {path} {}", answer.status);
            }
        }
    }
}

#[tokio::test]
async fn an_unclean_path_leads_to_the_clean_one_below_the_mount() {
    let app = TestApp::with(json!({
        "serve": { "public": { "base_url": "https://id.example.org/auth/" }, "admin": { "base_url": "https://in.example.org/a/b/" } },
    }))
    .await;
    for (port, path, clean) in [
        // As a proxy that takes the prefix off sends it, and as one that leaves it on does.
        (Port::Public, "/self-service//login/browser?x=1", "/auth/self-service/login/browser?x=1"),
        (Port::Public, "/auth/self-service//login/browser?x=1", "/auth/self-service/login/browser?x=1"),
        (Port::Public, "/auth//health/alive", "/auth/health/alive"),
        (Port::Public, "//auth/health/alive", "/auth/health/alive"),
        (Port::Public, "/auth/../health/alive", "/auth/health/alive"),
        (Port::Public, "/auth/x/../../../health/./alive", "/auth/health/alive"),
        (Port::Public, "/auth/..", "/auth/"),
        (Port::Public, "//evil.example/auth/x", "/auth/evil.example/auth/x"),
        (Port::Public, "/auth//nope", "/auth/nope"),
        (Port::Public, "//authentic/x", "/auth/authentic/x"),
        (Port::Admin, "/admin//identities?x", "/admin/identities?x"),
        (Port::Admin, "/a/b//identities", "/a/b/identities"),
    ] {
        for method in ["GET", "POST"] {
            let answer = app.ask(port, method, path, &[]).await;
            assert_eq!((answer.status, answer.location()), (307, clean), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn each_port_sends_to_the_other_ones_base_url() {
    let app = TestApp::with(json!({
        "serve": { "public": { "base_url": "https://id.example.org/auth" }, "admin": { "base_url": "https://in.example.org/idm/" } },
    }))
    .await;
    for (port, path, location) in [
        (Port::Public, "/identities?x=1", "https://in.example.org/idm/admin/identities?x=1"),
        (Port::Public, "/auth/identities?x=1", "https://in.example.org/idm/admin/identities?x=1"),
        (Port::Public, "/auth/admin/identities/a%2Fb", "https://in.example.org/idm/admin/identities/a%2Fb"),
        (Port::Admin, "/sessions/whoami", "https://id.example.org/auth/sessions/whoami"),
        (Port::Admin, "/admin/sessions/whoami?a=b", "https://id.example.org/auth/sessions/whoami?a=b"),
        (Port::Admin, "/schemas", "https://id.example.org/auth/schemas"),
        (Port::Admin, "/self-service/login/browser", "https://id.example.org/auth/self-service/login/browser"),
    ] {
        let answer = app.ask(port, "GET", path, &[]).await;
        assert_eq!((answer.status, answer.location()), (307, location), "{path}");
        // And there it is: on the public port whether or not a proxy takes the path off, on the admin port once one did.
        let whole = &location["https://id.example.org".len()..];
        let (other, there) = match port {
            Port::Public => (Port::Admin, vec![whole.strip_prefix("/idm").unwrap()]),
            Port::Admin => (Port::Public, vec![whole, whole.strip_prefix("/auth").unwrap()]),
        };
        for path in there {
            assert!(![404, 307].contains(&app.ask(other, "GET", path, &[]).await.status) || path.contains("a%2Fb"), "{path}");
        }
    }
}

#[tokio::test]
async fn the_admin_prefix_counts_once() {
    let app = TestApp::with(json!({ "serve": { "admin": { "base_url": "https://in.example.org/admin" } } })).await;
    for (path, status) in
        [("/identities", 200), ("/admin/identities", 200), ("/admin/admin/identities", 404), ("/administrator/identities", 404)]
    {
        assert_eq!(app.ask(Port::Admin, "GET", path, &[]).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_start_page_stands_at_the_mount_itself() {
    let mut change = based("https://id.example.org/auth");
    change["selfservice"] = json!({ "flows": { "login": { "ui_url": null } } });
    let app = TestApp::with(change).await;
    for path in ["/", "/auth", "/auth/"] {
        let answer = app.ask(Port::Public, "GET", path, &[]).await;
        assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some("text/html; charset=utf-8")), "{path}");
    }
}

#[tokio::test]
async fn lists_link_below_the_mount_where_there_is_one() {
    let app = TestApp::with(json!({
        "serve": { "public": { "base_url": "https://id.example.org/auth/" }, "admin": { "base_url": "https://in.example.org/idm/" } },
    }))
    .await;
    for (port, path, link) in [
        (Port::Public, "/schemas", "</auth/schemas?"),
        (Port::Public, "/auth/schemas", "</auth/schemas?"),
        (Port::Admin, "/identities", "</admin/identities?"),
        (Port::Admin, "/admin/sessions", "</admin/sessions?"),
    ] {
        let links = app.ask(port, "GET", path, &[]).await.header("link").unwrap();
        assert!(links.starts_with(link), "{path}: {links}");
    }
}

#[tokio::test]
async fn other_origins_are_let_in_below_the_mount_too() {
    let app = TestApp::with(json!({ "serve": { "public": {
        "base_url": "https://id.example.org/auth/",
        "cors": { "enabled": true, "allowed_origins": ["https://app.example.org"] },
    } } }))
    .await;
    let origin = ("origin", "https://app.example.org");
    for path in ["/sessions/whoami", "/auth/sessions/whoami", "/auth/nope", "/authentic"] {
        let answer = app.ask(Port::Public, "GET", path, &[origin]).await;
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin.1), "{path}");
        let preflight = app.ask(Port::Public, "OPTIONS", path, &[origin, ("access-control-request-method", "GET")]).await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-methods").as_deref()), (204, Some("GET")), "{path}");
    }
}

#[tokio::test]
async fn guarded_paths_are_the_same_below_the_mount() {
    let app = TestApp::with(based("https://id.example.org/auth/")).await;
    for (path, cookies) in [
        ("/self-service/login/browser", 1),
        ("/self-service/errors?id=stub:500", 1),
        ("/.well-known/change-password", 1),
        ("/schemas", 1),
        ("/schemas/default", 0),
        ("/self-service/login/api", 0),
        ("/sessions/whoami", 0),
        ("/health/alive", 0),
        ("/identities", 0),
        ("/nope", 0),
    ] {
        for prefix in ["", "/auth"] {
            let answer = app.ask(Port::Public, "GET", &format!("{prefix}{path}"), &[]).await;
            assert_eq!(answer.cookies().len(), cookies, "{prefix}{path}");
        }
    }
}

#[tokio::test]
async fn cookies_stay_where_the_configuration_puts_them() {
    let mut change = based("https://id.example.org/auth/");
    for (configured, expected) in [(None, "; Path=/;"), (Some("/auth"), "; Path=/auth;")] {
        if let Some(path) = configured {
            change["cookies"] = json!({ "path": path });
        }
        let app = TestApp::with(change.clone()).await;
        let cookie = app.ask(Port::Public, "GET", "/auth/self-service/login/browser", &[]).await.cookie("csrf_token_").unwrap();
        assert!(cookie.contains(expected), "{cookie}");
    }
}

#[tokio::test]
async fn metrics_count_a_route_once_by_whichever_path_it_was_asked() {
    let app = TestApp::with(based("https://id.example.org/auth/")).await;
    for path in ["/health/alive", "/auth/health/alive"] {
        app.ask(Port::Public, "GET", path, &[]).await;
    }
    let text = String::from_utf8(app.ask(Port::Admin, "GET", "/metrics/prometheus", &[]).await.body.to_vec()).unwrap();
    let counted: Vec<_> = text.lines().filter(|l| l.starts_with("http_requests_total{") && l.contains("alive")).collect();
    assert!(counted.len() == 1 && counted[0].ends_with("} 2") && !text.contains("/auth"), "{counted:?}");
}

#[tokio::test]
async fn a_reload_moves_the_mount() {
    let app = TestApp::with(based("https://id.example.org/auth/")).await;
    let begun = begin(&app, "/auth/self-service/login/browser", &[]).await;
    let moved = app.reconfigured(based("https://login.example.org/a/b")).await;
    app.app.snapshot.store(moved.app.snapshot.load_full());
    assert_eq!(app.ask(Port::Public, "GET", "/auth/health/alive", &[]).await.status, 404);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let cookie = begun.cookie("csrf_token_").unwrap();
    let seen =
        begin(&app, &format!("/a/b/self-service/login/flows?id={id}"), &[("cookie", cookie.split(';').next().unwrap())]).await;
    // The cookie's name follows the base URL, so a form that was open is begun anew.
    assert_ne!(seen.status, 200);
    let fresh = begin(&app, "/a/b/self-service/login/browser", &[("host", "login.example.org")]).await;
    assert!(fresh.action().starts_with("https://login.example.org/a/b/self-service/login?flow="), "{}", fresh.action());
    let unclean = app.ask(Port::Public, "GET", "/a/b//health/alive", &[]).await;
    assert_eq!(unclean.location(), "/a/b/health/alive");
}

#[tokio::test]
async fn the_request_url_is_what_the_client_sees() {
    let app = TestApp::with(json!({ "serve": { "public": { "base_url": "https://id.example.org/auth/" } } })).await;
    let start = "/self-service/login/browser?x=1";
    let mounted = "/auth/self-service/login/browser?x=1";
    let outside = "https://id.example.org/auth/self-service/login/browser?x=1";
    let host = |name: &'static str| ("x-forwarded-host", name);
    let https = ("x-forwarded-proto", "https");
    let prefix = |path: &'static str| ("x-forwarded-prefix", path);
    for (path, headers, expected) in [
        // Somebody who knows us by another name and no proxy sees what was asked.
        (start, &[][..], "http://127.0.0.1:4433/self-service/login/browser?x=1"),
        (mounted, &[], "http://127.0.0.1:4433/auth/self-service/login/browser?x=1"),
        (start, &[host("id.example.org"), https], outside),
        (mounted, &[host("id.example.org"), https], outside),
        (start, &[host("ID.example.org"), https], "https://ID.example.org/auth/self-service/login/browser?x=1"),
        (start, &[host("id.example.org:443"), https], "https://id.example.org:443/auth/self-service/login/browser?x=1"),
        (start, &[host("id.example.org:8443"), https], "https://id.example.org:8443/self-service/login/browser?x=1"),
        (start, &[host("id.example.org, inner.example.org"), ("x-forwarded-proto", "https, http")], outside),
        (start, &[host("other.example.org")], "http://other.example.org/self-service/login/browser?x=1"),
        // Only the proxy that takes off our prefix is believed to have done so.
        (start, &[host("other.example.org"), prefix("/auth")], "http://other.example.org/auth/self-service/login/browser?x=1"),
        (start, &[host("other.example.org"), prefix("/auth/")], "http://other.example.org/auth/self-service/login/browser?x=1"),
        (start, &[host("other.example.org"), prefix("/oath")], "http://other.example.org/self-service/login/browser?x=1"),
        (start, &[host("other.example.org"), prefix("/aut")], "http://other.example.org/self-service/login/browser?x=1"),
        (mounted, &[host("other.example.org"), prefix("/auth")], "http://other.example.org/auth/self-service/login/browser?x=1"),
        (start, &[("forwarded", "host=id.example.org;proto=https")], "http://127.0.0.1:4433/self-service/login/browser?x=1"),
    ] {
        let answer = begin(&app, path, headers).await;
        assert_eq!(answer.json()["request_url"], expected, "{headers:?}");
    }
}

#[tokio::test]
async fn strangers_do_not_forge_where_they_come_from() {
    let app = TestApp::behind(based("https://id.example.org/auth/"), Proxies::named(Some("192.0.2.1")).unwrap()).await;
    for (peer, expected) in [
        ("192.0.2.1", "https://id.example.org/auth/self-service/login/api"),
        ("192.0.2.2", "http://127.0.0.1:4433/self-service/login/api"),
        ("127.0.0.1", "http://127.0.0.1:4433/self-service/login/api"),
    ] {
        let request = http::Request::get("/self-service/login/api").header("host", "127.0.0.1:4433");
        let request = request
            .header("x-forwarded-host", "id.example.org")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-prefix", "/auth");
        let answer = app.send_from(peer, Port::Public, request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.json()["request_url"], expected, "{peer}");
    }
}
