//! Web hooks whose service is silent: it is left alone for a while, nobody else waits for it, and what it is owed waits without
//! spending a try.

use std::time::{Duration, Instant};

use portcullis_core::hook;
use serde_json::{Value, json};

use crate::support::{Admin, Manner, Native, Person, Spa, Target, TestApp, everywhere};

/// The text of the metrics.
async fn metrics(app: &TestApp) -> String {
    let answer = Admin::new(app).get("/admin/metrics/prometheus").await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|l| l == *line), "{line}: {text}");
    }
}

fn before(hooks: Value) -> Value {
    json!({
        "selfservice": { "flows": hooks },
        "clients": { "web_hook": { "timeout": "600ms" } },
    })
}

#[tokio::test]
async fn one_that_hangs_is_left_alone_and_flows_end_as_if_it_had_been_called() {
    let target = Target::start().await;
    let app = TestApp::with(before(json!({
        "login": { "before": { "hooks": [target.hook("/hangs", json!({}))] } },
        "recovery": { "enabled": true, "before": { "hooks": [target.hook("/well", json!({}))] } },
    })))
    .await;
    let mut other = Spa::new(&app);
    other.sign_up(&Person::named("ada")).await;
    target.treat("/hangs", Manner::Hangs);
    for _ in 0..5 {
        assert_eq!(Spa::new(&app).get("/self-service/login/browser").await.status, 504);
    }
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(Spa::new(&app).get("/self-service/login/browser").await.status, 504);
        assert_eq!(other.get("/sessions/whoami").await.status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(target.sent("/hangs").len(), 5);
    // Its neighbour behind the same address answers.
    assert_eq!(Spa::new(&app).get("/self-service/recovery/browser").await.status, 200);
    let text = metrics(&app).await;
    has(
        &text,
        &[
            "outbound_requests_total{outcome=\"timed_out\",purpose=\"web_hook\"} 5",
            "outbound_requests_total{outcome=\"left_alone\",purpose=\"web_hook\"} 10",
            "outbound_requests_total{outcome=\"answered\",purpose=\"web_hook\"} 1",
            "outbound_requests_total{outcome=\"answered\",purpose=\"oidc\"} 0",
            "outbound_requests_duration_seconds_bucket{purpose=\"web_hook\",le=\"30\"} 6",
            "outbound_requests_duration_seconds_count{purpose=\"web_hook\"} 6",
            "outbound_requests_waiting{purpose=\"web_hook\"} 0",
            "outbound_circuits_open{purpose=\"web_hook\"} 1",
            "outbound_circuits_open{purpose=\"courier\"} 0",
        ],
    );
    assert!(!text.contains("127.0.0.1"), "no address is told: {text}");

    target.says("/hangs", 200, &json!({}));
    assert_eq!(Spa::new(&app).get("/self-service/login/browser").await.status, 504, "it is still left alone");
    app.wait(20);
    for _ in 0..3 {
        assert_eq!(Spa::new(&app).get("/self-service/login/browser").await.status, 200);
    }
    has(&metrics(&app).await, &["outbound_circuits_open{purpose=\"web_hook\"} 0"]);
}

#[tokio::test]
async fn answers_are_no_silence_however_bad_they_are() {
    let target = Target::start().await;
    let app = TestApp::with(before(json!({ "login": { "before": { "hooks": [target.hook("/bad", json!({}))] } } }))).await;
    for (manner, status) in [
        (Manner::Says(418, String::new()), 502),
        (Manner::Says(503, String::new()), 500),
        (Manner::Floods, 500),
        (Manner::LeadsTo("ftp://x/".into()), 500),
    ] {
        let already = target.order().len();
        target.treat("/bad", manner.clone());
        for _ in 0..8 {
            assert_eq!(Spa::new(&app).get("/self-service/login/browser").await.status, status, "{manner:?}");
        }
        assert!(target.order().len() - already >= 8, "{manner:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_flows_wait_for_one_that_hangs() {
    let target = Target::start().await;
    // Without a body, so that nothing is computed before.
    let mut hook = target.hook("/hangs", json!({ "method": "GET" }));
    hook["config"].as_object_mut().unwrap().remove("body");
    let mut change = before(json!({ "login": { "before": { "hooks": [hook] } } }));
    change["clients"]["web_hook"]["timeout"] = json!("3s");
    let app = TestApp::with(change).await;
    let mut other = Spa::new(&app);
    other.sign_up(&Person::named("ada")).await;
    target.treat("/hangs", Manner::Hangs);
    let begin = async || Native::new(&app).get("/self-service/login/api").await.status;
    let many = async { futures_util::future::join_all((0..300).map(|_| begin())).await };
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = Instant::now();
        assert_eq!(other.get("/sessions/whoami").await.status, 200);
        assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
        let text = metrics(&app).await;
        has(&text, &["outbound_requests_waiting{purpose=\"web_hook\"} 256"]);
    };
    let (statuses, ()) = tokio::join!(many, meanwhile);
    assert!(statuses.iter().all(|status| *status == 504), "{statuses:?}");
    assert!(target.sent("/hangs").len() <= 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_service_is_owed_waits_without_spending_a_try() {
    let target = Target::start().await;
    let told = target.hook("/told", json!({ "response": { "ignore": true } }));
    let hooks = json!({ "registration": { "after": { "password": { "hooks": [{ "hook": "session" }, told] } } } });
    everywhere(before(hooks), async |app| {
        target.forget();
        target.treat("/told", Manner::Drops);
        for number in 0..8 {
            Native::new(app).sign_up(&Person::named(&format!("person{number}"))).await;
        }
        assert_eq!(hook::deliver_due(&app.app).await, Ok(8));
        assert_eq!(target.order().len(), 5);
        let calls = Admin::new(app).get("/admin/hooks/calls?status=queued").await.json();
        let tries: Vec<_> = calls.as_array().unwrap().iter().rev().map(|call| call["tries"].as_u64().unwrap()).collect();
        assert_eq!(tries, [1, 1, 1, 1, 1, 0, 0, 0]);
        has(&metrics(app).await, &["hook_calls{status=\"owed\"} 8", "hook_calls{status=\"abandoned\"} 0"]);
        target.says("/told", 200, &json!({}));
        assert_eq!(hook::deliver_due(&app.app).await, Ok(0), "not before the service is to be tried again");
        app.wait(60);
        assert_eq!(hook::deliver_due(&app.app).await, Ok(8));
        assert_eq!(target.order().len(), 13);
        has(&metrics(app).await, &["hook_calls{status=\"owed\"} 0"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_owed_for_too_long_is_given_up_although_the_service_is_left_alone() {
    let target = Target::start().await;
    let told = target.hook("/told", json!({ "response": { "ignore": true } }));
    let hooks = json!({ "registration": { "after": { "password": { "hooks": [{ "hook": "session" }, told] } } } });
    let app = TestApp::with(before(hooks)).await;
    target.treat("/told", Manner::Drops);
    for number in 0..6 {
        Native::new(&app).sign_up(&Person::named(&format!("person{number}"))).await;
    }
    for _ in 0..150 {
        app.wait(20 * 60);
        hook::deliver_due(&app.app).await.unwrap();
    }
    has(&metrics(&app).await, &["hook_calls{status=\"owed\"} 0", "hook_calls{status=\"abandoned\"} 6"]);
}
