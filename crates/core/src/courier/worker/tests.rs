use std::fmt;
use std::sync::Mutex as StdMutex;

use portcullis_model::time::Timestamp;
use portcullis_store::OpenOptions;
use portcullis_store::outbox::{Dispatch, Message, MessageStatus};
use serde_json::{Value, json};

use super::super::compose;
use super::super::render::tests::config;
use super::super::template::samples;
use super::*;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::crypto::random::{FixedClock, SeededRng, SystemClock};
use crate::outbound::{Client, Settings};

use super::sink::{Manner, Sink};

pub(super) struct TestDesk {
    config: Config,
    keys: Keyring,
    outbound: Client,
}

impl Desk for TestDesk {
    fn config(&self) -> &Config {
        &self.config
    }
    fn keys(&self) -> &Keyring {
        &self.keys
    }
    fn outbound(&self) -> &Client {
        &self.outbound
    }
}

/// A post office: store, clock and configuration, and as many workers as wanted.
pub(super) struct Post {
    store: Store,
    pub(super) clock: Arc<FixedClock>,
    rng: Arc<SeededRng>,
    bell: Arc<Notify>,
    desk: Arc<TestDesk>,
    shutdown: CancellationToken,
    /// The longest that handing over one message may take: long, since machines that run tests are busy.
    time_limit: Duration,
}

impl Drop for Post {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Post {
    pub(super) async fn open(courier: Value) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let store = Store::open("memory", OpenOptions::default()).await.expect("a store");
        store.migrate().await.expect("migrated");
        let keys = Keyring::new(&["a-secret-of-enough-length".to_owned()], &[], &[], &[], [0; 32]);
        let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(1_700_000_000)));
        let outbound = Client::new(Settings::default(), clock.clone()).expect("a client");
        let desk = TestDesk { config: config(courier), keys, outbound };
        Self {
            store,
            clock,
            rng: Arc::new(SeededRng::new(7)),
            bell: Arc::default(),
            desk: Arc::new(desk),
            shutdown: CancellationToken::new(),
            time_limit: Duration::from_secs(10),
        }
    }

    pub(super) fn work(&self) {
        let desk = Arc::clone(&self.desk);
        let office = Office {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            rng: Arc::clone(&self.rng) as Arc<dyn Rng>,
            bell: Arc::clone(&self.bell),
            counts: Arc::default(),
            jsonnet: Jsonnet::new(crate::jsonnet::test_settings()),
            desk: Box::new(move || Arc::clone(&desk) as Arc<dyn Desk>),
            time_limit: self.time_limit,
        };
        tokio::spawn(Worker::new(office).run(self.shutdown.clone()));
    }

    pub(super) async fn post(&self, via: Via, recipient: &str) -> Uuid {
        let template = samples::all().into_iter().find(|t| t.kind() == Kind::LoginCodeValid).expect("a sample");
        let id = clock::new_id(&*self.clock, &*self.rng);
        let mut changes = Changes::new();
        let data = template.data(via, recipient);
        let kind = template.kind();
        let message = compose::message(&self.desk.keys, &*self.rng, id, self.clock.now(), kind, via, recipient, data);
        outbox::mail(&mut changes, &message);
        self.store.commit(changes).await.expect("committed");
        id
    }

    pub(super) async fn message(&self, id: Uuid) -> (Message, Vec<Dispatch>) {
        outbox::get(&self.store, id).await.expect("read").expect("a message")
    }

    /// Waits until a message satisfies a condition.
    pub(super) async fn until(&self, id: Uuid, condition: impl Fn(&Message) -> bool) -> (Message, Vec<Dispatch>) {
        for _ in 0..1000 {
            let (message, dispatches) = self.message(id).await;
            if condition(&message) {
                return (message, dispatches);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to that: {:?}", self.message(id).await);
    }

    /// What became of requests to services.
    pub(super) fn measures(&self) -> String {
        self.desk.outbound.render_measures()
    }

    pub(super) async fn until_tried(&self, id: Uuid, times: u64) -> (Message, Vec<Dispatch>) {
        self.until(id, |m| m.send_count == times && m.status != MessageStatus::Processing).await
    }
}

fn courier(port: u16) -> Value {
    json!({
        "worker": {"pull_wait": "10ms"},
        "smtp": {
            "connection_uri": format!("smtp://127.0.0.1:{port}/?disable_starttls=true"),
            "from_address": "desk@example.org", "from_name": "Büro", "headers": {"X-Tenant": "blue"},
        },
    })
}

#[tokio::test]
async fn a_message_leaves_as_a_whole_mail_once() {
    let sink = Sink::start(Manner::Takes).await;
    let post = Post::open(courier(sink.port)).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    let (message, dispatches) = post.until(id, |m| m.status == MessageStatus::Sent).await;
    assert_eq!((message.send_count, dispatches.len(), dispatches[0].error.as_deref()), (1, 1, None));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1, "once");
    let (recipient, content) = &mails[0];
    assert_eq!(recipient, "ada@example.org");
    for expected in [
        "desk@example.org",
        "To: ada@example.org\n",
        "X-Tenant: blue\n",
        "Auto-Submitted: auto-generated\n",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "\n314159\n",
        &format!("Message-ID: <{id}@example.org>"),
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
    ] {
        assert!(content.contains(expected), "{expected} in {content}");
    }
    assert!(content.find("text/plain") < content.find("text/html"), "the text comes first");
}

#[tokio::test]
async fn a_server_that_comes_to_its_senses_gets_the_mail() {
    for (manner, told) in [
        (Manner::Answers("451 not now, ada@example.org"), "the mail server answered with 451: "),
        (Manner::Greets("421 closing"), "the mail server answered with 421: "),
        (Manner::Hangs, "the mail server "),
        (Manner::Drops, "the mail server cannot be used: "),
    ] {
        let sink = Sink::start(manner).await;
        let mut post = Post::open(courier(sink.port)).await;
        if manner == Manner::Hangs {
            post.time_limit = Duration::from_millis(400);
        }
        post.work();
        let id = post.post(Via::Email, "ada@example.org").await;
        let (message, dispatches) = post.until_tried(id, 1).await;
        assert_eq!(message.status, MessageStatus::Queued);
        let error = dispatches[0].error.clone().expect("an error");
        assert!(error.starts_with(told), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(post.message(id).await.0.send_count, 1, "not before its time");
        sink.behave(Manner::Takes);
        post.clock.advance(Duration::from_secs(3));
        let (message, dispatches) = post.until(id, |m| m.status == MessageStatus::Sent).await;
        assert_eq!((message.send_count, dispatches.len(), sink.mails().len()), (2, 2, 1));
    }
}

#[tokio::test]
async fn a_server_that_is_away_costs_a_retry_only() {
    let sink = Sink::start(Manner::Takes).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let mut post = Post::open(courier(closed)).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    let (message, _) = post.until_tried(id, 1).await;
    assert_eq!(message.status, MessageStatus::Queued);
    // Another process with the right address takes over.
    post.shutdown.cancel();
    post.shutdown = CancellationToken::new();
    let desk = TestDesk {
        config: config(courier(sink.port)),
        keys: Keyring::new(&["a-secret-of-enough-length".to_owned()], &[], &[], &[], [0; 32]),
        outbound: Client::new(Settings::default(), Arc::new(SystemClock)).expect("a client"),
    };
    post.desk = Arc::new(desk);
    post.work();
    post.clock.advance(Duration::from_secs(3));
    post.until(id, |m| m.status == MessageStatus::Sent).await;
}

#[tokio::test]
async fn what_no_server_could_send_ends_at_once_and_what_one_refuses_is_tried_again() {
    let sink = Sink::start(Manner::Answers("550 no such person")).await;
    let post = Post::open(courier(sink.port)).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    assert_eq!(post.until_tried(id, 1).await.0.status, MessageStatus::Queued);
    let nowhere = post.post(Via::Email, "no address").await;
    assert_eq!(post.until_tried(nowhere, 1).await.0.status, MessageStatus::Abandoned);
    sink.behave(Manner::Takes);
    post.clock.advance(Duration::from_secs(3));
    post.until(id, |m| m.status == MessageStatus::Sent).await;
}

#[tokio::test]
async fn a_message_is_given_up_after_its_retries() {
    let sink = Sink::start(Manner::Answers("451 not now")).await;
    let mut settings = courier(sink.port);
    settings["message_retries"] = json!(2);
    let post = Post::open(settings).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    for attempt in 1..=3 {
        let (message, dispatches) = post.until_tried(id, attempt).await;
        assert_eq!(dispatches.len() as u64, attempt);
        assert_eq!(message.status == MessageStatus::Abandoned, attempt == 3);
        post.clock.advance(Duration::from_secs(60));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(post.message(id).await.0.send_count, 3);
}

#[tokio::test]
async fn a_worker_that_dies_delays_its_message_only() {
    let sink = Sink::start(Manner::Takes).await;
    let post = Post::open(courier(sink.port)).await;
    let id = post.post(Via::Email, "ada@example.org").await;
    let dead = Uuid::from_u128(1);
    let claimed = outbox::claim(&post.store, dead, post.clock.now(), LEASE, 10).await.expect("claimed");
    assert_eq!(claimed.len(), 1);
    post.work();
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(post.message(id).await.0.status, MessageStatus::Processing, "the lease holds");
    post.clock.advance(LEASE + Duration::from_secs(1));
    post.until(id, |m| m.status == MessageStatus::Sent).await;
    assert_eq!(sink.mails().len(), 1);
    // Should the dead one have been slow only, its word does not count any more.
    let mut changes = Changes::new();
    outbox::failed(&mut changes, id, dead, None, "late", post.clock.now());
    assert!(post.store.commit(changes).await.is_err_and(|e| e.is_conflict()));
}

#[tokio::test]
async fn many_workers_send_each_message_once() {
    let sink = Sink::start(Manner::Takes).await;
    let post = Post::open(courier(sink.port)).await;
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(post.post(Via::Email, &format!("p{n}@example.org")).await);
    }
    for _ in 0..4 {
        post.work();
    }
    for id in ids {
        post.until(id, |m| m.status == MessageStatus::Sent).await;
    }
    let mut recipients: Vec<_> = sink.mails().into_iter().map(|(to, _)| to).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!((recipients.len(), sink.mails().len()), (60, 60));
    assert!(sink.connections() < 60, "connections are used again: {}", sink.connections());
}

#[tokio::test]
async fn the_bell_spares_the_pause() {
    let sink = Sink::start(Manner::Takes).await;
    let mut settings = courier(sink.port);
    settings["worker"]["pull_wait"] = json!("1h");
    let post = Post::open(settings).await;
    post.work();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let id = post.post(Via::Email, "ada@example.org").await;
    post.bell.notify_one();
    post.until(id, |m| m.status == MessageStatus::Sent).await;
}

#[tokio::test]
async fn without_a_mail_server_messages_wait() {
    let post = Post::open(json!({"worker": {"pull_wait": "10ms"}})).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let (message, dispatches) = post.message(id).await;
    assert_eq!((message.status, message.send_count, dispatches.len()), (MessageStatus::Queued, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_delivered_says_why_and_waits() {
    let sink = Sink::start(Manner::Takes).await;
    let post = Post::open(courier(sink.port)).await;
    post.work();
    let id = post.post(Via::Sms, "+4915112345678").await;
    let (message, dispatches) = post.until_tried(id, 1).await;
    assert_eq!(message.status, MessageStatus::Queued);
    assert_eq!(dispatches[0].error.as_deref(), Some("no channel \"sms\" is configured"));
}

#[tokio::test]
async fn a_message_that_no_key_opens_is_kept() {
    let sink = Sink::start(Manner::Takes).await;
    let mut post = Post::open(courier(sink.port)).await;
    let id = post.post(Via::Email, "ada@example.org").await;
    let other = Keyring::new(&["quite-another-secret-of-length".to_owned()], &[], &[], &[], [0; 32]);
    let desk = TestDesk {
        config: config(courier(sink.port)),
        keys: other,
        outbound: Client::new(Settings::default(), Arc::new(SystemClock)).expect("a client"),
    };
    post.desk = Arc::new(desk);
    post.work();
    let (message, _) = post.until_tried(id, 1).await;
    assert_eq!((message.status, sink.mails().len()), (MessageStatus::Queued, 0));
}

/// Keeps everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<StdMutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.lock().expect("a lock").push_str(&format!("{field}={value:?} "));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_log_holds_neither_addresses_nor_codes() {
    let log = Log::default();
    // With a single dispatcher, events that another test's thread meets first would be switched off for this one, too.
    let _second = tracing::Dispatch::new(Log::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let sink = Sink::start(Manner::Answers("450 <ada@example.org> is busy")).await;
    let post = Post::open(courier(sink.port)).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    post.until_tried(id, 1).await;
    sink.behave(Manner::Takes);
    post.clock.advance(Duration::from_secs(3));
    let (_, dispatches) = post.until(id, |m| m.status == MessageStatus::Sent).await;
    assert!(dispatches.iter().any(|d| d.error.as_deref().is_some_and(|e| e.contains("ada@example.org"))), "the history may");
    let logged = log.0.lock().expect("a lock").clone();
    assert!(logged.contains("message sent") && logged.contains("answered with 450"), "{logged}");
    assert!(!logged.contains("ada@example.org") && !logged.contains("314159"), "{logged}");
}
