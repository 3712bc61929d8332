//! A service that web hooks call: it keeps what it was sent, and answers well or badly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to whoever calls.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// An answer with a status and this text.
    Says(u16, String),
    /// No answer at all.
    Hangs,
    /// The connection ends.
    Drops,
    /// Something that is no HTTP.
    Babbles,
    /// An answer that never ends.
    Floods,
    /// A redirect.
    LeadsTo(String),
}

/// What the service was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }
}

#[derive(Default)]
struct Kept {
    sent: Vec<Sent>,
    manners: BTreeMap<String, Manner>,
}

/// The service. It ends with its test.
pub(crate) struct Target {
    pub(crate) url: String,
    kept: Arc<Mutex<Kept>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Target {
    /// Starts one that says `{}` to everybody.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let task = tokio::spawn({
            let kept = Arc::clone(&kept);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&kept)));
                }
            }
        });
        Self { url, kept, task }
    }

    /// From now on whoever calls a path is treated so.
    pub(crate) fn treat(&self, path: &str, manner: Manner) {
        self.kept.lock().unwrap().manners.insert(path.to_owned(), manner);
    }

    /// Forgets what it was sent, and treats everybody well.
    pub(crate) fn forget(&self) {
        *self.kept.lock().unwrap() = Kept::default();
    }

    pub(crate) fn says(&self, path: &str, status: u16, body: &Value) {
        self.treat(path, Manner::Says(status, body.to_string()));
    }

    /// What was sent to a path, oldest first.
    pub(crate) fn sent(&self, path: &str) -> Vec<Sent> {
        self.kept.lock().unwrap().sent.iter().filter(|s| s.path == path).cloned().collect()
    }

    /// The paths that were called, in order.
    pub(crate) fn order(&self) -> Vec<String> {
        self.kept.lock().unwrap().sent.iter().map(|s| s.path.clone()).collect()
    }

    /// A web hook of this service, with more of its configuration.
    pub(crate) fn hook(&self, path: &str, more: Value) -> Value {
        let mut config = json!({
            "url": format!("{}{path}", self.url),
            "method": "POST",
            "body": jsonnet("function(ctx) { flow: ctx.flow.id, who: if 'identity' in ctx then ctx.identity.traits.email else null }"),
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "hook": "web_hook", "config": config })
    }
}

/// A Jsonnet program as configurations hold it.
pub(crate) fn jsonnet(program: &str) -> String {
    format!("base64://{}", STANDARD.encode(program))
}

async fn serve(mut stream: TcpStream, kept: Arc<Mutex<Kept>>) {
    let Some(sent) = read(&mut stream).await else { return };
    let manner = {
        let mut kept = kept.lock().unwrap();
        let manner = kept.manners.get(&sent.path).cloned();
        kept.sent.push(sent);
        manner.unwrap_or(Manner::Says(200, "{}".to_owned()))
    };
    match manner {
        Manner::Says(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
        Manner::LeadsTo(url) => {
            let head = format!("HTTP/1.1 302 X\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        }
        Manner::Hangs => std::future::pending().await,
        Manner::Drops => {}
        Manner::Babbles => {
            let _ = stream.write_all(b"\x00\x01 this is no HTTP\r\n\r\n").await;
        }
        Manner::Floods => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n").await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Sent> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: BTreeMap<_, _> =
        lines.filter_map(|l| l.split_once(':')).map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned())).collect();
    let length: usize = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
    Some(Sent { path, headers, body })
}
