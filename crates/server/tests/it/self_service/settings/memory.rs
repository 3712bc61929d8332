//! What a server process keeps in memory: line 29 of the acceptance list of settings.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A server in a process of its own, with a folder of its own.
struct Server {
    process: Child,
    public: u16,
    admin: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (public, admin) = (free_port(), free_port());
        let process = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["serve", "--dev"])
            .current_dir(folder.path())
            .env("PORTCULLIS_DATA", folder.path().join("data"))
            .env("SERVE_PUBLIC_PORT", public.to_string())
            .env("SERVE_ADMIN_PORT", admin.to_string())
            .env("LOG_LEVEL", "error")
            .env("HASHERS_ALGORITHM", "bcrypt")
            .env("HASHERS_BCRYPT_COST", "4")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, public, admin, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", public)).is_err() || TcpStream::connect(("127.0.0.1", admin)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What the process has taken for itself, in KiB, without mapped files.
    fn memory(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// A connection that is kept, as far as these tests need it.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(port: u16) -> Self {
        Self(BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap()))
    }

    fn ask(&mut self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\nx-session-token: {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the connection was closed");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

#[test]
fn line_29_opening_settings_hundreds_of_times_costs_no_memory() {
    let server = Server::start();
    let person = json!({
        "schema_id": "default", "traits": { "email": "ada@example.org" },
        "credentials": { "password": { "config": { "password": "kestrel-Zw4-91-mortar" } } },
    });
    let made = Connection::open(server.admin).ask("POST", "/admin/identities", "", Some(&person));
    assert!(made["id"].is_string(), "{made}");
    let mut public = Connection::open(server.public);
    let login = public.ask("GET", "/self-service/login/api", "", None);
    let fields = json!({ "method": "password", "identifier": "ada@example.org", "password": "kestrel-Zw4-91-mortar" });
    let action = format!("/self-service/login?flow={}", login["id"].as_str().unwrap());
    let signed_in = public.ask("POST", &action, "", Some(&fields));
    let token = signed_in["session_token"].as_str().unwrap_or_else(|| panic!("{signed_in}")).to_owned();
    // A flow keeps its address, so few flows with long ones weigh as much as many.
    let path = format!("/self-service/settings/api?x={}", "x".repeat(4 << 10));
    let mut open = |times| {
        for _ in 0..times {
            let flow = public.ask("GET", &path, &token, None);
            assert_eq!(flow["state"], "show_form", "{flow}");
        }
    };
    // Until what is kept on purpose (plans, pages of the database) is full.
    open(800);
    let before = server.memory();
    open(1200);
    let grown = server.memory() - before;
    assert!(grown < 3500, "1200 flows of more than 4 KiB each took {grown} KiB beside {before} KiB");
}
