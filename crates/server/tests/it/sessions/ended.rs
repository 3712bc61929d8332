//! The other sessions of the same person: following their pages, and ending them.

use serde_json::json;

use crate::support::{Native, Person, TestApp};

/// Somebody with so many sessions; the first one is given.
async fn with_sessions<'a>(app: &'a TestApp, who: &Person, count: usize) -> (Native<'a>, Vec<Native<'a>>) {
    let mut first = Native::new(app);
    first.sign_up(who).await;
    let mut others = Vec::new();
    for _ in 1..count {
        app.wait(1);
        let mut other = Native::new(app);
        other.sign_in(who).await;
        others.push(other);
    }
    (first, others)
}

async fn id_of(native: &Native<'_>) -> String {
    native.get("/sessions/whoami").await.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn following_the_links_shows_every_session_once() {
    let app = TestApp::new().await;
    let (first, others) = with_sessions(&app, &Person::named("ada"), 6).await;
    let mut seen = Vec::new();
    let mut next = Some("/sessions?per_page=2".to_owned());
    while let Some(path) = next.take() {
        assert!(seen.len() <= others.len(), "the links do not end");
        let answer = first.get(&path).await;
        seen.extend(answer.json().as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()));
        let links = answer.header("link").unwrap_or_default();
        next = links.split(',').find(|l| l.contains("rel=\"next\"")).map(|l| l.split(['<', '>']).nth(1).unwrap().to_owned());
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (5, 5), "{seen:?}");
}

#[tokio::test]
async fn all_others_are_ended_at_once() {
    let app = TestApp::new().await;
    let (first, others) = with_sessions(&app, &Person::named("ada"), 4).await;
    let (grace, _) = with_sessions(&app, &Person::named("grace"), 1).await;
    let ended = first.delete("/sessions", &json!({})).await;
    assert_eq!((ended.status, ended.json()), (200, json!({ "count": 3 })));
    for other in &others {
        assert_eq!(other.get("/sessions/whoami").await.status, 401);
    }
    for alive in [&first, &grace] {
        assert_eq!(alive.get("/sessions/whoami").await.status, 200);
    }
    assert_eq!(first.delete("/sessions", &json!({})).await.json(), json!({ "count": 0 }), "what has ended does not count");
}

#[tokio::test]
async fn one_is_ended_by_its_id_and_strangers_are_left_alone() {
    let app = TestApp::new().await;
    let (first, others) = with_sessions(&app, &Person::named("ada"), 3).await;
    let (grace, _) = with_sessions(&app, &Person::named("grace"), 1).await;
    let (own, other, strange) = (id_of(&first).await, id_of(&others[0]).await, id_of(&grace).await);
    for (id, status) in [
        (own.as_str(), 400),
        ("x", 400),
        (strange.as_str(), 204),
        ("6a2b0c1e-2222-4333-8444-555566667777", 204),
        (other.as_str(), 204),
        (other.as_str(), 204),
    ] {
        assert_eq!(first.delete(&format!("/sessions/{id}"), &json!({})).await.status, status, "{id}");
    }
    assert_eq!(Native::new(&app).delete("/sessions/x", &json!({})).await.status, 401, "the session before the id");
    for (who, status) in [(&first, 200), (&others[0], 401), (&others[1], 200), (&grace, 200)] {
        assert_eq!(who.get("/sessions/whoami").await.status, status);
    }
}
