//! The worker: takes messages from the outbox, sends them, and writes down what came of it.
//!
//! A message is claimed for a limited time, so several workers on one database never send it at once, and one that dies
//! only delays its messages. Each message stands for itself: none waits for or fails with another. A message leaves at
//! least once; it leaves twice only if a worker dies, or the database stays away, between sending and writing that down.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_model::clock::{self, Clock, Rng};
use portcullis_model::identity::Via;
use portcullis_store::outbox::{self, ClaimedMessage};
use portcullis_store::{Changes, Durability, Store, StoreError};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backoff;
use super::compose::{Content, open};
use super::counts::{Counts, Outcome};
use super::desk::Desk;
use super::failure::Failure;
use super::gateway::{self, Posted};
use super::kind::Kind;
use super::render::{self, Rendered};
use super::smtp::{Mail, Mailer, Reach};
use crate::app::App;
use crate::config::Config;
use crate::config::courier::{DeliveryStrategy, Smtp};
use crate::jobs::rounds::{self, Work};
use crate::jsonnet::Jsonnet;

/// How many messages are sent at once.
const AT_ONCE: u32 = 8;
/// The longest that handing over one message may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// For how long a message is claimed. Longer than sending one can take.
const LEASE: Duration = Duration::from_secs(150);
/// How often more than allowed a message may have been begun, by workers that died over it, before it is given up unsent.
const DEATHS: u64 = 5;

/// Sends messages until `shutdown` is cancelled; then those on their way are finished, within ten seconds.
pub async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let desk = {
        let app = Arc::clone(&app);
        move || -> Arc<dyn Desk> { app.snapshot.load_full() }
    };
    let office = Office {
        store: app.store.clone(),
        clock: Arc::clone(&app.clock),
        rng: Arc::clone(&app.rng),
        bell: Arc::clone(&app.outbox_bell),
        counts: Arc::clone(&app.courier_counts),
        jsonnet: app.jsonnet.clone(),
        desk: Box::new(desk),
        time_limit: TIME_LIMIT,
    };
    Worker::new(office).run(shutdown).await;
}

/// Where a worker works.
pub(super) struct Office {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) bell: Arc<Notify>,
    pub(super) counts: Arc<Counts>,
    /// Makes bodies of calls.
    pub(super) jsonnet: Jsonnet,
    /// Gives the configuration as it is now.
    pub(super) desk: Box<dyn Fn() -> Arc<dyn Desk> + Send + Sync>,
    /// The longest that handing over one message may take.
    pub(super) time_limit: Duration,
}

pub(super) struct Worker {
    office: Office,
    id: Uuid,
    /// The mailer with the configuration that it was made from.
    mailer: Mutex<Option<(Smtp, Reach, Arc<Mailer>)>>,
    /// The end of the last message to each recipient: whoever asks for a second code finds it above the first.
    last_to: std::sync::Mutex<HashMap<String, oneshot::Receiver<()>>>,
    /// Whether it was told that there is no way to send messages.
    warned: AtomicBool,
}

impl Worker {
    pub(super) fn new(office: Office) -> Arc<Self> {
        let id = clock::new_id(&*office.clock, &*office.rng);
        Arc::new(Self { office, id, mailer: Mutex::default(), last_to: Default::default(), warned: AtomicBool::new(false) })
    }

    fn last_to(&self) -> MutexGuard<'_, HashMap<String, oneshot::Receiver<()>>> {
        self.last_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let bell = Arc::clone(&self.office.bell);
        rounds::work(self, &bell, shutdown).await;
    }

    /// Sends one message and writes down what came of it.
    async fn handle(&self, desk: &dyn Desk, message: ClaimedMessage) {
        let retries = u64::from(desk.config().courier.message_retries);
        let outcome = if message.send_count > retries.saturating_add(1).saturating_add(DEATHS) {
            Err(Failure::permanent("sending it was begun too often without an end"))
        } else {
            self.send(desk, &message).await
        };
        let now = self.office.clock.now();
        let shows = desk.config().log.leak_sensitive_values;
        let recipient = if shows { message.recipient.as_str() } else { "[hidden]" };
        let mut changes = Changes::new();
        let postponed = outcome
            .as_ref()
            .err()
            .and_then(|failure| failure.later)
            .and_then(|retry_in| backoff::postponed(now.since(message.created_at), retry_in, &*self.office.rng));
        match &outcome {
            Err(failure) if let Some(wait) = postponed => {
                outbox::postponed(changes.durability(Durability::Relaxed), message.id, self.id, now.plus(wait));
                tracing::debug!(message = %message.id, channel = message.channel, reason = failure.reason, "message waits");
            }
            Ok(()) => {
                outbox::sent(&mut changes, message.id, self.id, now);
                self.office.counts.add(&message.channel, Outcome::Sent);
                tracing::info!(
                    message = %message.id, template = message.template, channel = message.channel,
                    attempt = message.send_count, recipient, "message sent"
                );
            }
            Err(failure) => {
                let is_last = failure.permanent || message.send_count > retries;
                self.office.counts.add(&message.channel, if is_last { Outcome::Abandoned } else { Outcome::Failed });
                let pause = backoff::pause(message.send_count, &*self.office.rng);
                outbox::failed(&mut changes, message.id, self.id, (!is_last).then(|| now.plus(pause)), &failure.whole(), now);
                let reason = if shows { failure.whole() } else { failure.reason.clone() };
                tracing::warn!(
                    message = %message.id, template = message.template, channel = message.channel,
                    attempt = message.send_count, recipient, reason,
                    "message not sent, {}", if is_last { "given up" } else { "to be tried again" }
                );
            }
        }
        rounds::write_down::<Self>(&self.office.store, message.id, changes).await;
    }

    async fn send(&self, desk: &dyn Desk, message: &ClaimedMessage) -> Result<(), Failure> {
        let courier = &desk.config().courier;
        let letter = Letter::open(desk, message).await?;
        let channel = message.channel.as_str();
        // A channel of its own goes first, whatever the strategy for mails.
        let service = match courier.channels.iter().find(|c| c.id == channel) {
            Some(configured) => &configured.request_config,
            None if channel != Via::Email.as_str() => {
                return Err(Failure::passing(format!("no channel {channel:?} is configured")));
            }
            None if courier.delivery_strategy == DeliveryStrategy::Smtp => {
                return self.mail(desk.config(), message, &letter).await;
            }
            None => &courier.http.request_config,
        };
        let posted = Posted {
            id: message.id,
            via: letter.via,
            recipient: &message.recipient,
            template: &message.template,
            words: &letter.words,
            data: &letter.content.data,
            request_headers: &letter.content.request_headers,
        };
        gateway::post(desk, &self.office.jsonnet, service, &posted, self.office.time_limit).await
    }

    async fn mail(&self, config: &Config, message: &ClaimedMessage, letter: &Letter) -> Result<(), Failure> {
        let mailer = self.mailer(config).await?;
        let mail = Mail { id: message.id, recipient: &message.recipient, words: &letter.words, now: self.office.clock.now() };
        let outcome = mailer.send(&mail).await;
        if outcome.as_ref().is_err_and(|failure| !failure.answered) {
            self.forget(&mailer).await;
        }
        outcome
    }

    /// The mailer for a configuration. It is kept, with its connections, until the configuration changes or it fails.
    async fn mailer(&self, config: &Config) -> Result<Arc<Mailer>, Failure> {
        let smtp = &config.courier.smtp;
        let reach = if config.clients.smtp.disallow_private_ip_ranges { Reach::Public } else { Reach::Any };
        let mut kept = self.mailer.lock().await;
        if let Some((made_from, made_for, mailer)) = &*kept
            && (made_from, *made_for) == (smtp, reach)
        {
            return Ok(Arc::clone(mailer));
        }
        let mailer = Arc::new(Mailer::new(smtp, reach, AT_ONCE, self.office.time_limit).await?);
        *kept = Some((smtp.clone(), reach, Arc::clone(&mailer)));
        Ok(mailer)
    }

    /// Forgets a mailer that failed: its server may be at another address by now.
    async fn forget(&self, failed: &Arc<Mailer>) {
        let mut kept = self.mailer.lock().await;
        if kept.as_ref().is_some_and(|(_, _, mailer)| Arc::ptr_eq(mailer, failed)) {
            *kept = None;
        }
    }
}

impl Work for Worker {
    type Piece = ClaimedMessage;
    const NAME: &'static str = "message";
    const AT_ONCE: u32 = AT_ONCE;

    fn next_round(&self) -> (u32, Duration) {
        let desk = (self.office.desk)();
        let courier = &desk.config().courier;
        let has_way = courier.smtp.connection_uri.as_ref().is_some_and(|uri| !uri.is_empty())
            || courier.delivery_strategy == DeliveryStrategy::Http
            || !courier.channels.is_empty();
        let was_warned = self.warned.swap(!has_way, Ordering::Relaxed);
        if !has_way && !was_warned {
            tracing::warn!("courier.smtp.connection_uri is not set: messages wait in the outbox until it is");
        }
        (if has_way { courier.worker.pull_count.max(1) } else { 0 }, courier.worker.pull_wait)
    }

    async fn claim(&self, wanted: u32) -> Result<Vec<ClaimedMessage>, StoreError> {
        outbox::claim(&self.office.store, self.id, self.office.clock.now(), LEASE, wanted).await
    }

    fn begin(self: Arc<Self>, message: ClaimedMessage) -> impl Future<Output = ()> + Send + 'static {
        let claimed_at = tokio::time::Instant::now();
        let desk = (self.office.desk)();
        let (end, ended) = oneshot::channel();
        let before = self.last_to().insert(message.recipient.clone(), ended);
        async move {
            if let Some(before) = before {
                // It ends by being dropped, too.
                let _ = before.await;
            }
            // One that waited too long is left to the next claim, which comes when its lease is over.
            if claimed_at.elapsed() + self.office.time_limit < LEASE {
                self.handle(&*desk, message).await;
            }
            drop(end);
        }
    }

    fn rest(&self) {
        self.last_to().clear();
    }
}

/// A message of the outbox, opened, with its words.
pub(super) struct Letter {
    via: Via,
    content: Content,
    pub(super) words: Rendered,
}

impl Letter {
    pub(super) async fn open(desk: &dyn Desk, message: &outbox::Message) -> Result<Self, Failure> {
        let kind = Kind::parse(&message.template).ok_or_else(|| Failure::passing("its kind is not known to this version"))?;
        let via = if message.channel == Via::Email.as_str() { Via::Email } else { Via::Sms };
        let content = open(desk.keys(), message.id, &message.sealed_data)
            .ok_or_else(|| Failure::passing("it cannot be opened with the configured secrets"))?;
        let words = render::render(&desk.config().courier, desk.outbound(), kind, via, &content.data)
            .await
            .map_err(|error| Failure::passing(format!("its built-in template cannot be used: {error}")))?;
        Ok(Self { via, content, words })
    }
}

#[cfg(test)]
mod sink;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_services;
#[cfg(test)]
mod tests_of_tls;
