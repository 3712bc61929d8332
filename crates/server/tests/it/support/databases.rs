//! The same test on every database that the server runs on.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::TestApp;

/// Names the URL of a PostgreSQL database in which schemas may be made.
const SERVER: &str = "PORTCULLIS_TEST_POSTGRES";
/// Set where it would be a fault to go without PostgreSQL.
const REQUIRED: &str = "PORTCULLIS_TEST_POSTGRES_REQUIRED";

/// Runs a body on a database file and on PostgreSQL, each time with an application of its own that has this change of
/// configuration. Without a PostgreSQL server the second half is left out, which is said, or fails where it is required.
pub(crate) async fn everywhere(change: Value, body: impl AsyncFn(&TestApp)) {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::stored_at(&folder.path().join("db.sqlite"), change.clone()).await;
    body(&app).await;
    app.app.store.close().await.unwrap();

    with_schema("", async |dsn| {
        let app = TestApp::at(dsn, change.clone()).await;
        body(&app).await;
        app.app.store.close().await.unwrap();
    })
    .await;
}

/// Runs a body with the name of an empty schema of a PostgreSQL server, after a script was run in it. Without a server it is
/// left out, as in [`everywhere`].
pub(crate) async fn with_schema(script: &str, body: impl AsyncFn(&str)) {
    let Some(server) = server() else { return };
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let name = format!("it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    on_server(&server, &format!("CREATE SCHEMA {name}; SET search_path TO {name}; {script}")).await;
    let separator = if server.contains('?') { '&' } else { '?' };
    body(&format!("{server}{separator}options=-csearch_path%3D{name}&max_conns=8")).await;
    on_server(&server, &format!("DROP SCHEMA {name} CASCADE")).await;
}

/// The server that is named, if one is.
fn server() -> Option<String> {
    static SAID: Once = Once::new();
    let server = std::env::var(SERVER).ok().filter(|url| !url.is_empty());
    if server.is_none() {
        assert!(std::env::var_os(REQUIRED).is_none(), "{SERVER} must name a PostgreSQL database here");
        // Past the test runner, which keeps back what tests print that succeed.
        SAID.call_once(|| {
            let told = format!("\nNot run on PostgreSQL: set {SERVER}=postgres://postgres@127.0.0.1/postgres or the like.\n");
            let _ = std::io::stderr().write_all(told.as_bytes());
        });
    }
    server
}

/// Every row of every table of the schema that a name given by [`with_schema`] means, with its table.
pub(crate) async fn rows_on_server(dsn: &str) -> Vec<(String, BTreeMap<String, Value>)> {
    // The number of connections is ours to read.
    let url = dsn.replace("&max_conns=8", "");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let task = tokio::spawn(connection);
    let tables = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()", &[]).await.unwrap();
    let mut all = Vec::new();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let rows = client.query(&format!("SELECT row_to_json(t)::text FROM {table} t"), &[]).await.unwrap();
        all.extend(rows.iter().map(|row| (table.clone(), serde_json::from_str(row.get(0)).unwrap())));
    }
    drop(client);
    let _ = task.await;
    all
}

async fn on_server(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    let task = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    let _ = task.await;
}
