//! A mail server for tests that behaves as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the server behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Takes mails.
    Takes,
    /// Answers so to `DATA`'s content.
    Answers(&'static str),
    /// Answers so to the greeting, before anything else.
    Greets(&'static str),
    /// Says nothing.
    Hangs,
    /// Closes the connection in the middle of a mail.
    Drops,
}

#[derive(Clone)]
pub(super) struct Sink {
    pub(super) port: u16,
    manner: Arc<Mutex<Manner>>,
    mails: Arc<Mutex<Vec<(String, String)>>>,
    connections: Arc<Mutex<usize>>,
}

impl Sink {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let sink = Self { port, manner: Arc::new(Mutex::new(manner)), mails: Arc::default(), connections: Arc::default() };
        let server = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *server.connections.lock().expect("a lock") += 1;
                let server = server.clone();
                tokio::spawn(async move { drop(server.serve(stream).await) });
            }
        });
        sink
    }

    pub(super) fn behave(&self, manner: Manner) {
        *self.manner.lock().expect("a lock") = manner;
    }

    /// The mails that came: recipient and content.
    pub(super) fn mails(&self) -> Vec<(String, String)> {
        self.mails.lock().expect("a lock").clone()
    }

    pub(super) fn connections(&self) -> usize {
        *self.connections.lock().expect("a lock")
    }

    fn manner(&self) -> Manner {
        *self.manner.lock().expect("a lock")
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        if self.manner() == Manner::Hangs {
            tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        }
        match self.manner() {
            Manner::Greets(answer) => return write.write_all(format!("{answer}\r\n").as_bytes()).await,
            _ => write.write_all(b"220 sink ESMTP\r\n").await?,
        }
        let mut recipient = String::new();
        while let Some(line) = lines.next_line().await? {
            let command = line.to_ascii_uppercase();
            let answer = if command.starts_with("EHLO") {
                "250-sink\r\n250 8BITMIME".to_owned()
            } else if command.starts_with("RCPT") {
                recipient = line.trim_start_matches(|c| c != '<').trim_matches(['<', '>']).to_owned();
                "250 ok".to_owned()
            } else if command == "DATA" {
                write.write_all(b"354 go on\r\n").await?;
                let mut content = String::new();
                while let Some(line) = lines.next_line().await? {
                    if self.manner() == Manner::Drops {
                        return Ok(());
                    }
                    if line == "." {
                        break;
                    }
                    content.push_str(&line);
                    content.push('\n');
                }
                match self.manner() {
                    Manner::Answers(answer) => answer.to_owned(),
                    _ => {
                        self.mails.lock().expect("a lock").push((recipient.clone(), content));
                        "250 taken".to_owned()
                    }
                }
            } else {
                "250 ok".to_owned()
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
