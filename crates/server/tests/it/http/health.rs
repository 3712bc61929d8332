//! Health, version, metrics, revision.

use portcullis::http::ports::Port;

use crate::support::{Admin, TestApp};

#[tokio::test]
async fn both_ports_are_alive_and_ready() {
    let app = TestApp::new().await;
    for (port, path) in [
        (Port::Public, "/health/alive"),
        (Port::Public, "/health/ready"),
        (Port::Admin, "/health/alive"),
        (Port::Admin, "/health/ready"),
        (Port::Admin, "/admin/health/ready"),
    ] {
        let answer = app.ask(port, "GET", path, &[("accept", "text/html")]).await;
        assert_eq!((answer.status, answer.json()), (200, serde_json::json!({ "status": "ok" })), "{path}");
        assert_eq!(answer.cookies(), [""; 0], "{path}");
        assert_eq!(answer.header("vary"), None, "{path}");
    }
}

#[tokio::test]
async fn a_database_without_its_tables_is_not_ready() {
    let app = TestApp::new().await;
    let migrations = app.app.store.migration_status().await.unwrap().len();
    app.app.store.rollback(migrations).await.unwrap();
    let answer = app.ask(Port::Admin, "GET", "/health/ready", &[]).await;
    assert_eq!(answer.status, 503);
    assert!(answer.json()["errors"]["database"].is_string());
    assert_eq!(app.ask(Port::Admin, "GET", "/health/alive", &[]).await.status, 200);
}

#[tokio::test]
async fn version_metrics_and_revision_are_the_admin_ports() {
    let app = TestApp::with(serde_json::json!({ "revision": "r-7" })).await;
    let admin = Admin::new(&app);
    assert!(admin.get("/version").await.json()["version"].is_string());
    let revision = admin.get("/health/config").await;
    assert_eq!((&revision.body[..], revision.header("content-type").unwrap().as_str()), (&b"r-7"[..], "text/plain"));
    app.ask(Port::Public, "GET", "/nope?token=secret", &[]).await;
    let metrics = admin.get("/admin/metrics/prometheus").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(text.contains("endpoint=\"/version\"") && text.contains("code=\"404\""));
    assert!(!text.contains("secret"));
    for path in ["/version", "/metrics/prometheus", "/health/config", "/admin/health/alive"] {
        assert_eq!(app.ask(Port::Public, "GET", path, &[]).await.status, 404, "{path}");
    }
}
