use std::fs::File;
use std::path::Path;

use serde_json::json;

use super::*;

/// Not a test: the worker that the tests below start.
#[test]
#[ignore = "runs as a worker process of other tests"]
fn worker_process() {
    // The test harness writes to standard output, so the answers go elsewhere.
    let Ok(output) = File::options().write(true).open("/dev/fd/3") else { return };
    worker::serve(std::io::stdin().lock(), output).expect("the server talks properly");
}

/// Workers that run in this test program.
pub(crate) fn settings() -> Settings {
    let this = std::env::current_exe().expect("the test has a path").into_os_string();
    let script = r#"exec "$0" --exact jsonnet::tests::worker_process --ignored --nocapture 3>&1 >/dev/null"#;
    Settings {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into(), this],
        workers: 2,
        limit: Duration::from_secs(20),
        idle: Duration::from_secs(60),
    }
}

fn resting(jsonnet: &Jsonnet) -> usize {
    jsonnet.shared.lock().workers.len()
}

#[tokio::test]
async fn a_worker_is_started_when_needed_and_used_again() {
    let jsonnet = Jsonnet::new(settings());
    assert_eq!(resting(&jsonnet), 0);
    for number in 0..5 {
        let claims = json!({ "n": number, "long": "x".repeat(200_000) });
        let input = Input { variables: &[("claims", &claims)], ctx: Some(&json!({"m": 1})) };
        let value = jsonnet.evaluate("function(ctx) { sum: ctx.m + std.extVar('claims').n }", input).await;
        assert_eq!(value, Ok(json!({ "sum": number + 1 })));
        assert_eq!(resting(&jsonnet), 1);
    }
    let failed = jsonnet.evaluate("error 'no'", Input::default()).await;
    assert_eq!(failed, Err(JsonnetError::Snippet("no on line 1".to_owned())));
    assert_eq!(resting(&jsonnet), 1, "a snippet's fault is not the worker's");
}

#[tokio::test]
async fn a_worker_that_takes_too_long_is_replaced() {
    let jsonnet = Jsonnet::new(Settings { limit: Duration::from_secs(3), ..settings() });
    let forever = "local f(n) = if n == 0 then 0 else f(n - 1) tailstrict; f(1e15)";
    assert_eq!(jsonnet.evaluate(forever, Input::default()).await, Err(JsonnetError::TimedOut));
    assert_eq!(resting(&jsonnet), 0);
    assert_eq!(jsonnet.evaluate("1", Input::default()).await, Ok(json!(1)));
}

#[tokio::test]
async fn memory_and_nesting_are_bounded() {
    let jsonnet = Jsonnet::new(settings());
    let hungry = "local d(s, n) = if n == 0 then s else d(s + s, n - 1); std.length(d('0123456789abcdef', 30))";
    assert_eq!(jsonnet.evaluate(hungry, Input::default()).await, Err(JsonnetError::Crashed));
    let long = "local d(s, n) = if n == 0 then s else d(s + s, n - 1); d('0123456789abcdef', 19)";
    assert_eq!(jsonnet.evaluate(long, Input::default()).await, Err(JsonnetError::TooLarge));
    let deep = "local d(n) = if n == 0 then [] else [d(n - 1)]; d(200)";
    assert_eq!(jsonnet.evaluate(deep, Input::default()).await, Err(JsonnetError::TooLarge));
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(jsonnet.evaluate(&nested, Input::default()).await.is_err());
    assert_eq!(jsonnet.evaluate("1", Input::default()).await, Ok(json!(1)));
}

#[tokio::test]
async fn a_worker_that_ended_while_resting_is_noticed() {
    let jsonnet = Jsonnet::new(settings());
    assert_eq!(jsonnet.evaluate("1", Input::default()).await, Ok(json!(1)));
    for (worker, _) in &mut jsonnet.shared.lock().workers {
        worker._process.start_kill().expect("it runs");
    }
    assert_eq!(jsonnet.evaluate("2", Input::default()).await, Ok(json!(2)));
}

#[tokio::test]
async fn idle_workers_end() {
    let jsonnet = Jsonnet::new(Settings { idle: Duration::from_millis(100), ..settings() });
    assert_eq!(jsonnet.evaluate("1", Input::default()).await, Ok(json!(1)));
    let id = jsonnet.shared.lock().workers.first().and_then(|(w, _)| w._process.id()).expect("it runs");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let command = std::fs::read(Path::new("/proc").join(id.to_string()).join("cmdline")).unwrap_or_default();
        if resting(&jsonnet) == 0 && command.is_empty() {
            return;
        }
    }
    panic!("the worker still runs");
}

#[tokio::test]
async fn there_are_never_more_workers_than_allowed() {
    let jsonnet = Jsonnet::new(Settings { workers: 2, ..settings() });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let jsonnet = jsonnet.clone();
        tasks.spawn(async move { jsonnet.evaluate(&number.to_string(), Input::default()).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert!((1..=2).contains(&resting(&jsonnet)));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let jsonnet = Jsonnet::new(Settings { program: "/does/not/exist".into(), ..settings() });
    assert!(matches!(jsonnet.evaluate("1", Input::default()).await, Err(JsonnetError::Start(_))));
    let jsonnet = Jsonnet::new(Settings { program: "/bin/true".into(), ..settings() });
    assert_eq!(jsonnet.evaluate("1", Input::default()).await, Err(JsonnetError::Crashed));
}
