//! Whatever is sent, the answer is never a fault of the server, and the next request is answered.

use bytes::Bytes;
use portcullis::http::ports::Port;
use serde_json::{Value, json};

use crate::support::{Admin, Form, Native, Person, Spa, TestApp, UI};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Bodies that are odd in themselves.
fn odd_bodies() -> Vec<(&'static str, &'static str, Bytes)> {
    let deep = 20_000;
    let list = |open: &str, close: &str| format!("{{\"traits\":{}1{}}}", open.repeat(deep), close.repeat(deep));
    let steps = "a.".repeat(deep);
    let pairs = (0..20_000).map(|n| format!("traits.x{n}=1")).collect::<Vec<_>>().join("&");
    let mut out: Vec<(&str, &str, Vec<u8>)> = vec![
        ("nothing", JSON, vec![]),
        ("a null", JSON, b"null".to_vec()),
        ("a list", JSON, b"[]".to_vec()),
        ("a number", JSON, b"1e999".to_vec()),
        ("half an object", JSON, b"{\"method\":".to_vec()),
        ("bytes that are no text", JSON, vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}']),
        ("a lone surrogate", JSON, br#"{"method":"password","password":"\ud800"}"#.to_vec()),
        ("lists 20000 deep", JSON, list("[", "]").into_bytes()),
        ("objects 20000 deep", JSON, list("{\"a\":", "}").into_bytes()),
        ("open lists", JSON, vec![b'['; 1_000_000]),
        ("a number that fits nothing", JSON, br#"{"method":"profile","traits":{"email":1e400}}"#.to_vec()),
        ("a number of 100000 digits", JSON, format!("{{\"traits\":{{\"email\":{}}}}}", "9".repeat(100_000)).into_bytes()),
        ("repeated keys", JSON, br#"{"method":1,"method":"password","password":[],"password":"x"}"#.to_vec()),
        ("nothing", FORM, vec![]),
        ("broken escapes", FORM, b"method=%zz&password=%&%=%u0041&traits.email=%ff%fe%00".to_vec()),
        (
            "NUL characters",
            FORM,
            b"method=password&password=%00%00%00%00%00%00%00%00%00&identifier=%00&traits.email=%00@%00".to_vec(),
        ),
        ("only separators", FORM, b"&&&&===&=&.=.&traits.=1&traits..=1&.traits=2".to_vec()),
        ("names at odds", FORM, b"traits=1&traits.email=2&traits.email.x=3&traits.email.x.y=4&method=profile".to_vec()),
        ("a name of 20000 steps", FORM, format!("method=profile&traits.{steps}x=1").into_bytes()),
        ("20000 fields", FORM, format!("method=profile&{pairs}").into_bytes()),
        ("a payload 20000 deep", FORM, format!("method=profile&transient_payload={}", "[".repeat(deep)).into_bytes()),
        ("no known type", "text/plain", b"method=password".to_vec()),
        ("a file", "multipart/form-data; boundary=x", b"--x\r\n\r\n--x--".to_vec()),
        ("a type that is none", "\u{1}", b"{}".to_vec()),
    ];
    out.retain(|(_, media_type, _)| http::HeaderValue::from_str(media_type).is_ok());
    out.into_iter().map(|(name, media_type, body)| (name, media_type, body.into())).collect()
}

/// Values of the wrong kind.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("\u{feff}\u{202e}\u{200d}"),
        json!("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}@example.org"),
        json!("ﬀ@ﬀ.ﬀ"),
        json!("İ@example.org"),
        json!("x".repeat(200_000)),
        json!("'; DROP TABLE identities; --"),
        json!("${jndi:ldap://x}{{7*7}}<script>"),
        json!("../../../etc/passwd"),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({ "a": { "b": "c" } }),
    ]
}

const FIELDS: [&str; 12] = [
    "method",
    "password",
    "identifier",
    "traits",
    "csrf_token",
    "transient_payload",
    "screen",
    "code",
    "email",
    "refresh",
    "session_token",
    "password_identifier",
];

async fn app() -> TestApp {
    TestApp::with(
        json!({ "selfservice": { "flows": { "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } } } }),
    )
    .await
}

/// Somebody signed in, and a form of each kind of flow: (kind, form, whether it takes the session).
async fn forms(app: &TestApp) -> (Native<'_>, Vec<(&'static str, Form, bool)>) {
    let mut native = Native::new(app);
    let strangers = Native::new(app);
    native.sign_up(&Person::named("ada")).await;
    let mut forms = vec![("settings", native.open("settings").await, true)];
    for kind in ["login", "registration", "verification"] {
        forms.push((kind, strangers.open(kind).await, false));
    }
    (native, forms)
}

#[tokio::test]
async fn odd_bodies_of_flows_are_refused_with_words() {
    let app = app().await;
    let (native, forms) = forms(&app).await;
    for (kind, form, with_session) in &forms {
        let client = if *with_session { native.clone() } else { Native::new(&app) };
        for (name, media_type, body) in odd_bodies() {
            let answer = client.post_raw(&form.action, media_type, body).await;
            assert!((400..500).contains(&answer.status), "{kind}: {name} ({media_type}): {} {answer:?}", answer.status);
        }
    }
    assert_eq!(
        native.get("/sessions/whoami").await.json()["identity"]["traits"],
        json!({ "email": "ada@example.org", "name": {} })
    );
}

#[tokio::test]
async fn odd_values_of_fields_are_refused_with_words() {
    let app = app().await;
    let (native, forms) = forms(&app).await;
    for (kind, form, with_session) in &forms {
        let client = if *with_session { native.clone() } else { Native::new(&app) };
        for field in FIELDS {
            for value in odd_values() {
                for method in ["password", "profile", "code"] {
                    let mut fields =
                        json!({ "method": method, "password": "heron-Qx7-58-lantern", "identifier": "ada@example.org" });
                    fields["traits"] = json!({ "email": value });
                    fields[field] = value.clone();
                    let answer = client.submit(form, fields).await;
                    let shown = value.to_string().chars().take(60).collect::<String>();
                    assert!(answer.status < 500, "{kind} {method} {field}={shown}: {answer:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn odd_bodies_of_the_admin_api_are_refused_with_words() {
    let app = app().await;
    let mut native = Native::new(&app);
    let id = native.sign_up(&Person::named("ada")).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let admin = Admin::new(&app);
    let one = format!("/admin/identities/{id}");
    let routes = [
        ("POST", "/admin/identities"),
        ("PATCH", "/admin/identities"),
        ("PUT", one.as_str()),
        ("PATCH", one.as_str()),
        ("POST", "/admin/sessions"),
    ];
    for (method, path) in routes {
        for (name, _, body) in odd_bodies() {
            let answer = admin.send_raw(method, path, body.clone()).await;
            // A patch of no operations changes nothing, and says so.
            let fine = method == "PATCH" && path == one && body.as_ref() == b"[]";
            assert!((400..500).contains(&answer.status) || (fine && answer.status == 200), "{method} {path} {name}: {answer:?}");
        }
    }
    for value in odd_values() {
        for field in [
            "traits",
            "schema_id",
            "state",
            "external_id",
            "credentials",
            "metadata_public",
            "metadata_admin",
            "verifiable_addresses",
        ] {
            let mut body = json!({ "schema_id": "default", "traits": { "email": "grace@example.org" } });
            body[field] = value.clone();
            let shown = value.to_string().chars().take(60).collect::<String>();
            let answer = admin.send("POST", "/admin/identities", &body).await;
            assert!(answer.status < 500, "{field}={shown}: {answer:?}");
            if answer.status == 201 {
                // What was taken can be read, listed and removed again.
                let made = answer.json()["id"].as_str().unwrap().to_owned();
                assert_eq!(admin.get(&format!("/admin/identities/{made}")).await.status, 200, "{field}={shown}");
                assert_eq!(admin.get("/admin/identities").await.status, 200, "{field}={shown}");
                assert_eq!(admin.send("DELETE", &format!("/admin/identities/{made}"), &json!({})).await.status, 204);
            }
            let patch = json!([{ "op": "add", "path": format!("/{field}"), "value": value }]);
            assert!(admin.send("PATCH", &one, &patch).await.status < 500, "{field}={shown}");
        }
        let patch = json!([value]);
        assert!(admin.send("PATCH", &one, &patch).await.status < 500, "{value}");
    }
}

#[tokio::test]
async fn patches_of_deep_paths_do_not_bring_the_server_down() {
    let app = app().await;
    let mut native = Native::new(&app);
    let id = native.sign_up(&Person::named("ada")).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let admin = Admin::new(&app);
    let one = format!("/admin/identities/{id}");
    for steps in [100, 20_000, 1_000_000] {
        for step in ["/a", "/0"] {
            let patch = json!([{ "op": "add", "path": format!("/metadata_public{}", step.repeat(steps)), "value": 1 }]);
            let answer = admin.send("PATCH", &one, &patch).await;
            assert!(answer.status < 500, "{steps}");
            assert_eq!(admin.get(&one).await.status, 200, "{steps}");
        }
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_everywhere() {
    let app = app().await;
    let (_, forms) = forms(&app).await;
    let large = Bytes::from(vec![b'x'; 6 * 1024 * 1024]);
    let paths = forms.iter().map(|(_, form, _)| (Port::Public, form.action["http://127.0.0.1:4433".len()..].to_owned()));
    let others = [(Port::Public, "/self-service/logout/api".to_owned()), (Port::Admin, "/admin/sessions".to_owned())];
    for (port, path) in paths.chain(others) {
        let method = if path.ends_with("logout/api") { "DELETE" } else { "POST" };
        for media_type in [JSON, FORM] {
            let request = http::Request::builder().method(method).uri(&path).header("content-type", media_type);
            let answer = app.send(port, request.body(large.clone()).unwrap()).await;
            // The admin port tells it as it tells everything that is wrong with a body.
            assert_eq!(answer.status, if port == Port::Admin { 400 } else { 413 }, "{path}");
        }
    }
}

#[tokio::test]
async fn odd_queries_cookies_and_headers_are_refused_with_words() {
    let app = app().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let long = "x".repeat(60_000);
    for odd in
        ["%00", "%ff%fe", "a&flow=b", "6a2b0c1e22224333844455556666777", "%F0%9F%98%80", long.as_str(), "..%2f..", "'%22%3c"]
    {
        for path in [
            "flows?id=",
            "browser?return_to=",
            "api?return_to=",
            "browser?aal=",
            "browser?identity_schema=",
            "browser?login_challenge=",
        ] {
            for kind in ["settings", "login", "registration", "verification"] {
                let answer = spa.get(&format!("/self-service/{kind}/{path}{odd}")).await;
                let fine = path.ends_with("login_challenge=") && answer.error_id().as_deref() == Some("invalid_configuration");
                assert!(answer.status < 500 || fine, "{kind}/{path}{odd}: {answer:?}");
            }
        }
        for path in [
            "/sessions?page=",
            "/sessions?per_page=",
            "/sessions/whoami?tokenize_as=",
            "/self-service/errors?id=",
            "/schemas/",
            "/sessions/",
        ] {
            assert!(spa.get(&format!("{path}{odd}")).await.status < 500, "{path}{odd}");
        }
        for path in [
            "/admin/identities?ids=",
            "/admin/identities?page_token=",
            "/admin/identities?page_size=",
            "/admin/identities/by/external/",
            "/admin/identities?credentials_identifier=",
            "/admin/identities?preview_credentials_identifier_similar=",
            "/admin/sessions?page_token=",
            "/admin/sessions/",
            "/admin/identities/",
        ] {
            let answer = Admin::new(&app).get(&format!("{path}{odd}")).await;
            assert!(answer.status < 500, "{path}{odd}: {answer:?}");
        }
    }
    let session = spa.jar.get("ory_kratos_session").unwrap().to_owned();
    for (header, value) in [
        ("cookie", "ory_kratos_session=rubbish"),
        ("cookie", &*format!("ory_kratos_session={}", &session[..session.len() / 2])),
        ("cookie", ";;;=;=;;a;b=;=c"),
        ("cookie", &*format!("a={}", "x".repeat(60_000))),
        ("x-session-token", ""),
        ("x-session-token", "\u{fc}\u{fc}"),
        ("authorization", "Bearer"),
        ("authorization", "bearer  "),
        ("authorization", "Basic dTpw"),
        ("accept", ";q=;,,,*"),
        ("x-forwarded-for", "::::,,1.2.3.4.5"),
        ("true-client-ip", "not an address"),
        ("user-agent", &*"\u{fc}".repeat(2000)),
    ] {
        for path in ["/sessions/whoami", "/self-service/settings/browser", "/self-service/login/browser"] {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let request = http::Request::get(path).header("host", "127.0.0.1:4433").header(header, value);
            let answer = app.send(Port::Public, request.body(Bytes::new()).unwrap()).await;
            assert!(answer.status < 500, "{header} {path}: {answer:?}");
        }
    }
}
