//! `courier watch`: a process of its own that sends what servers put into their common database.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::config::first_run;
use portcullis_model::time::Timestamp;
use portcullis_store::{Changes, outbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{Native, Person, TestApp, UI};

const PATIENCE: Duration = Duration::from_secs(60);

/// A mail server that tells to whom mails came.
async fn mail_server() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, mails) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let _ = stream.write_all(b"220 sink\r\n").await;
                let (mut line, mut recipient, mut in_content) = (String::new(), String::new(), false);
                while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
                    let words = line.trim_end().to_owned();
                    line.clear();
                    if in_content && words != "." {
                        continue;
                    }
                    let answer = match words.get(..4).unwrap_or(&words) {
                        "." => {
                            in_content = false;
                            told.send(recipient.clone()).ok();
                            "250 taken\r\n"
                        }
                        "DATA" => {
                            in_content = true;
                            "354 go on\r\n"
                        }
                        "RCPT" => {
                            recipient = words.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                            "250 ok\r\n"
                        }
                        _ => "250 ok\r\n",
                    };
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    (address, mails)
}

fn config(dsn: &str, mail: SocketAddr, secrets: &Value) -> Value {
    let schema = format!("base64://{}", STANDARD.encode(first_run::IDENTITY_SCHEMA));
    json!({
        "dsn": dsn,
        "serve": { "admin": { "host": "127.0.0.1" } },
        "selfservice": { "default_browser_return_url": format!("{UI}/") },
        "identity": { "schemas": [{ "id": "default", "url": schema }] },
        "secrets": secrets,
        "courier": {
            "worker": { "pull_wait": "20ms" },
            "smtp": { "connection_uri": format!("smtp://{mail}/?disable_starttls=true"), "from_address": "desk@example.org" },
        },
    })
}

fn start(folder: &Path, config: &Value, more: &[&str]) -> Child {
    let file = folder.join("portcullis.json");
    std::fs::write(&file, config.to_string()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["courier", "watch", "-c"])
        .arg(file)
        .args(more)
        .current_dir(folder)
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /metrics/prometheus HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_sends_what_waits_counts_it_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let verification = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
    let app = TestApp::stored_at(&path, json!({ "selfservice": { "flows": { "verification": verification } } })).await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    native.sign_up(&ada).await;
    // The test's clock is ahead of the machine's: a first attempt that failed makes the message due by any clock.
    let (worker, now) = (uuid::Uuid::from_u128(1), app.app.clock.now());
    let claimed = outbox::claim(&app.app.store, worker, now, PATIENCE, 10).await.unwrap();
    let [message] = claimed.as_slice() else { panic!("{claimed:?}") };
    let mut changes = Changes::new();
    outbox::failed(&mut changes, message.id, worker, Some(Timestamp::from_seconds(0)), "nobody was there", now);
    app.app.store.commit(changes).await.unwrap();

    let (address, mut mails) = mail_server().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
    let secrets = json!({ "cookie": ["a-cookie-secret-of-tests"] });
    let config = config(&format!("sqlite://{}", path.display()), address, &secrets);
    let mut courier = start(folder.path(), &config, &["--expose-metrics-port", &port.to_string()]);
    assert_eq!(timeout(PATIENCE, mails.recv()).await.unwrap(), Some(ada.email));
    let counted = "courier_attempts_total{channel=\"email\",outcome=\"sent\"} 1\n";
    timeout(PATIENCE, async { while !metrics(port).await.contains(counted) {} }).await.unwrap();
    assert!(metrics(port).await.starts_with("HTTP/1.1 200 OK\r\n"));

    let id = courier.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(timeout(PATIENCE, courier.wait()).await.unwrap().unwrap().code(), Some(0));
    assert!(mails.try_recv().is_err(), "one mail, once");
}

#[tokio::test]
async fn without_the_servers_secrets_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let dsn = format!("sqlite://{}", folder.path().join("db.sqlite").display());
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let courier = start(folder.path(), &config(&dsn, nowhere, &json!({})), &[]);
    let ended = timeout(PATIENCE, courier.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), said.contains("secrets.default is not set")), (Some(1), true), "{said}");
}
