//! One's own other sessions.

use std::time::Duration;

use portcullis::http::ports::Port;
use serde_json::json;

use super::{sign_in, whoami};
use crate::admin::person;
use crate::support::{Admin, Answer, TestApp};

async fn ask(app: &TestApp, token: &str, method: &str, path: &str) -> Answer {
    app.ask(Port::Public, method, path, &[("x-session-token", token)]).await
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.json().as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_others_newest_first_by_pages() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    person(&admin, "b@example.org").await;
    sign_in(&app, "b@example.org").await;
    let (token, _) = sign_in(&app, "a@example.org").await;
    assert_eq!(ask(&app, &token, "GET", "/sessions").await.json(), json!([]));
    let mut others = Vec::new();
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(1));
        others.insert(0, sign_in(&app, "a@example.org").await.1);
    }
    let all = ask(&app, &token, "GET", "/sessions").await;
    assert_eq!((ids(&all), all.header("x-total-count")), (others.clone(), Some("3".to_owned())));
    assert!(all.json()[0]["identity"].get("metadata_admin").is_none());
    // Following the links gives each once.
    let mut seen = Vec::new();
    let mut next = Some("/sessions?per_page=2".to_owned());
    while let Some(path) = next {
        let answer = ask(&app, &token, "GET", &path).await;
        seen.extend(ids(&answer));
        let links = answer.header("link").unwrap();
        next = links.split(',').find_map(|l| l.strip_suffix(">; rel=\"next\"")?.strip_prefix('<').map(str::to_owned));
    }
    assert_eq!(seen, others);
}

#[tokio::test]
async fn ending_the_others() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    person(&admin, "b@example.org").await;
    let (token, session) = sign_in(&app, "a@example.org").await;
    let (two, second) = sign_in(&app, "a@example.org").await;
    let (three, _) = sign_in(&app, "a@example.org").await;
    let (stranger, foreign) = sign_in(&app, "b@example.org").await;
    for (id, status) in [(second.as_str(), 204), (&second, 204), (&foreign, 204), (&session, 400), ("nonsense", 400)] {
        assert_eq!(ask(&app, &token, "DELETE", &format!("/sessions/{id}")).await.status, status, "{id}");
    }
    assert_eq!(whoami(&app, &two).await.status, 401);
    let ended = ask(&app, &token, "DELETE", "/sessions").await;
    assert_eq!((ended.status, ended.json()), (200, json!({ "count": 1 })));
    let alive = [whoami(&app, &token).await.status, whoami(&app, &three).await.status, whoami(&app, &stranger).await.status];
    assert_eq!(alive, [200, 401, 200]);
    for (method, path) in [("GET", "/sessions"), ("DELETE", "/sessions"), ("DELETE", "/sessions/nonsense")] {
        let nobody = app.ask(Port::Public, method, path, &[]).await;
        assert_eq!((nobody.status, nobody.error_id()), (401, None), "{method} {path}");
    }
}
