//! The worker: takes messages from the outbox, sends them, and writes down what came of it.
//!
//! A message is claimed for a limited time, so several workers on one database never send it at once, and one that dies
//! only delays its messages. Each message stands for itself: none waits for or fails with another. A message leaves at
//! least once; it leaves twice only if a worker dies, or the database stays away, between sending and writing that down.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_model::clock::{self, Clock, Rng};
use portcullis_model::identity::Via;
use portcullis_store::outbox::{self, ClaimedMessage};
use portcullis_store::{Changes, Store, StoreError};
use tokio::sync::oneshot;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
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
use crate::jsonnet::Jsonnet;

/// How many messages are sent at once.
const AT_ONCE: u32 = 8;
/// The longest that handing over one message may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// For how long a message is claimed. Longer than sending one can take.
const LEASE: Duration = Duration::from_secs(150);
/// How often more than allowed a message may have been begun, by workers that died over it, before it is given up unsent.
const DEATHS: u64 = 5;
/// The pause after the database failed, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long messages on their way may take when the process is to end.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often writing down an outcome is tried.
const REPORTS: u32 = 6;

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
}

impl Worker {
    pub(super) fn new(office: Office) -> Arc<Self> {
        let id = clock::new_id(&*office.clock, &*office.rng);
        Arc::new(Self { office, id, mailer: Mutex::new(None) })
    }

    pub(super) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut on_their_way = JoinSet::new();
        // The end of the last message to each recipient: whoever asks for a second code finds it above the first.
        let mut last_to = HashMap::<String, oneshot::Receiver<()>>::new();
        let mut pause_after_failure = Duration::ZERO;
        let mut warned = false;
        while !shutdown.is_cancelled() {
            while on_their_way.try_join_next().is_some() {}
            if on_their_way.is_empty() {
                last_to.clear();
            }
            let desk = (self.office.desk)();
            let courier = &desk.config().courier;
            let has_way = courier.smtp.connection_uri.as_ref().is_some_and(|uri| !uri.is_empty())
                || courier.delivery_strategy == DeliveryStrategy::Http
                || !courier.channels.is_empty();
            if !has_way && !warned {
                tracing::warn!("courier.smtp.connection_uri is not set: messages wait in the outbox until it is");
            }
            warned = !has_way;

            let free = AT_ONCE.saturating_sub(u32::try_from(on_their_way.len()).unwrap_or(AT_ONCE));
            let wanted = if has_way { free.min(courier.worker.pull_count.max(1)) } else { 0 };
            let mut wait = courier.worker.pull_wait.max(Duration::from_millis(10));
            match self.claim(wanted).await {
                Ok(claimed) => {
                    pause_after_failure = Duration::ZERO;
                    let may_be_more = wanted > 0 && claimed.len() >= usize::try_from(wanted).unwrap_or(usize::MAX);
                    for message in claimed {
                        let (worker, desk) = (Arc::clone(&self), Arc::clone(&desk));
                        let (end, ended) = oneshot::channel();
                        let before = last_to.insert(message.recipient.clone(), ended);
                        on_their_way.spawn(async move {
                            let claimed_at = tokio::time::Instant::now();
                            if let Some(before) = before {
                                // It ends by being dropped, too.
                                let _ = before.await;
                            }
                            // One that waited too long is left to the next claim, which comes when its lease is over.
                            if claimed_at.elapsed() + worker.office.time_limit < LEASE {
                                worker.handle(&*desk, message).await;
                            }
                            drop(end);
                        });
                    }
                    if may_be_more && wanted < free {
                        continue;
                    }
                }
                Err(error) => {
                    pause_after_failure = (pause_after_failure * 2).clamp(wait, LONGEST_PAUSE.max(wait));
                    wait = pause_after_failure;
                    tracing::error!(%error, "the outbox cannot be read");
                }
            }
            let is_full = on_their_way.len() >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            tokio::select! {
                () = shutdown.cancelled() => {}
                // With all hands full the bell and the clock change nothing; a free hand does.
                _ = on_their_way.join_next(), if is_full => {}
                () = self.office.bell.notified(), if !is_full => {}
                () = tokio::time::sleep(wait), if !is_full => {}
            }
        }
        let finished = async { while on_their_way.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, finished).await.is_err() {
            tracing::warn!("messages were left on their way: they will be sent again once their lease is over");
        }
    }

    async fn claim(&self, wanted: u32) -> Result<Vec<ClaimedMessage>, StoreError> {
        if wanted == 0 {
            return Ok(Vec::new());
        }
        outbox::claim(&self.office.store, self.id, self.office.clock.now(), LEASE, wanted).await
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
        match &outcome {
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
        self.report(message.id, changes).await;
    }

    /// Writes down an outcome. It is worth some patience: what is not written down is sent again.
    async fn report(&self, id: Uuid, changes: Changes) {
        let mut pause = Duration::from_millis(100);
        for _ in 0..REPORTS {
            match self.office.store.commit(changes.clone()).await {
                Ok(_) => return,
                Err(error) if error.is_conflict() => {
                    tracing::warn!(message = %id, "another worker took the message over while it was being sent");
                    return;
                }
                Err(error) => tracing::error!(message = %id, %error, "what came of the message cannot be written down"),
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
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
