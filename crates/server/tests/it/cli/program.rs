//! The program itself, as people start it: its commands, and servers in a folder of their own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which commands run.
pub(super) struct Place {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    pub(super) fn json(&self) -> Value {
        portcullis_model::json::parse(self.out.as_bytes()).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// It failed, in words that contain all of these, the last line being the reason, and without a panic.
    #[track_caller]
    pub(super) fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(words.iter().all(|w| self.err.contains(w)), "{words:?}: {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }

    #[track_caller]
    pub(super) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Place {
    pub(super) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The name of a database file in the folder.
    pub(super) fn dsn(&self, name: &str) -> String {
        format!("sqlite://{}", self.path(name).display())
    }

    /// A command that inherits nothing that could configure it.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, &[], "")
    }

    pub(super) fn run_with(&self, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Ended {
        let mut command = self.command(args);
        command.envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // A command that reads nothing may be gone already.
        let _ = input.write_all(stdin.as_bytes());
        drop(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A server without configuration, but for its ports and these variables.
    pub(super) fn serve(&self, args: &[&str], env: &[(&str, &str)]) -> Server {
        Server::start(self.command(&[&["serve"], args].concat()), env, self.path("log.txt"))
    }
}

/// A running server. It is asked to end when it is dropped, so that it tidies up behind itself, and else killed.
pub(super) struct Server {
    child: Child,
    admin: String,
    public: String,
    log: PathBuf,
}

impl Server {
    /// Starts a server by a command that ends in `serve` and its arguments, and waits until it is ready.
    pub(super) fn start(mut command: Command, env: &[(&str, &str)], log: PathBuf) -> Self {
        let (public, admin) = (free_port(), free_port());
        command.envs(env.iter().copied()).env("SERVE_PUBLIC_PORT", public.to_string()).env("SERVE_ADMIN_PORT", admin.to_string());
        let file = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        let mut server = Self { child, admin: format!("127.0.0.1:{admin}"), public: format!("127.0.0.1:{public}"), log };
        let end = Instant::now() + PATIENCE;
        while server.get("/health/ready").0 != 200 {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "it is not ready: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The address for `--endpoint`.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// Asks the admin port: status and body; 0 if nobody answers.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        ask(&self.admin, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    /// Asks the public port, likewise.
    pub(super) fn get_public(&self, path: &str) -> (u16, String) {
        ask(&self.public, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        ask(&self.admin, &request)
    }

    #[track_caller]
    pub(super) fn eventually(&self, what: &str, check: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !check() {
            assert!(Instant::now() < end, "{what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request, and reads until the connection is closed.
fn ask(address: &str, request: &str) -> (u16, String) {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = answer().unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The permissions of a file.
pub(super) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
