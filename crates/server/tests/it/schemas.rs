//! The schemas API.

use portcullis::http::ports::Port;
use portcullis_core::config::first_run;
use serde_json::{Value, json};

use crate::support::{Admin, TestApp};

#[tokio::test]
async fn schemas_by_id_and_by_pages() {
    let app = TestApp::new().await;
    let get = async |path: &str| app.ask(Port::Public, "GET", path, &[]).await;
    let document: Value = serde_json::from_str(first_run::IDENTITY_SCHEMA).unwrap();
    for name in ["default", "ZGVmYXVsdA"] {
        let answer = get(&format!("/schemas/{name}")).await;
        assert_eq!((answer.status, answer.json()), (200, document.clone()), "{name}");
        assert_eq!(answer.cookies(), [""; 0]);
    }
    for name in ["nobody", "bm9ib2R5"] {
        assert_eq!(get(&format!("/schemas/{name}")).await.status, 404, "{name}");
    }
    let all = get("/schemas").await;
    assert_eq!(all.json(), json!([{ "id": "default", "schema": document }]));
    assert_eq!(all.header("x-total-count").as_deref(), Some("1"));
    assert_eq!(get("/schemas?page=3&per_page=1").await.json(), json!([]));
    assert_eq!(get("/schemas?page_size=0").await.status, 200);
}

#[tokio::test]
async fn a_source_that_is_gone_is_told_and_hurts_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("person.schema.json");
    std::fs::write(&file, first_run::IDENTITY_SCHEMA).unwrap();
    let schemas = json!([{ "id": "default", "url": format!("file://{}", file.display()) }]);
    let app = TestApp::with(json!({ "identity": { "schemas": schemas } })).await;
    assert_eq!(app.ask(Port::Public, "GET", "/schemas/default", &[]).await.status, 200);
    std::fs::remove_file(&file).unwrap();
    for path in ["/schemas/default", "/schemas"] {
        let answer = app.ask(Port::Public, "GET", path, &[]).await;
        assert_eq!((answer.status, answer.error_id().as_deref()), (500, Some("invalid_configuration")), "{path}");
    }
    crate::admin::person(&Admin::new(&app), "a@example.org").await;
}
