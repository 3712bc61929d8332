//! Writing messages: what they say is gathered from the flow and the identity, sealed, and put into the outbox with the
//! changes that are their reason.

use portcullis_model::clock::Rng;
use portcullis_model::identity::{Identity, Via};
use portcullis_model::json;
use portcullis_model::time::Timestamp;
use portcullis_store::kratos::OldMessage;
use portcullis_store::outbox::{self, Message, MessageStatus, NewMessage};
use portcullis_store::{Changes, StoreError};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::changed::SettingsChanged;
use super::kind::Kind;
use super::template::{
    AddressChanged, Circumstances, LoginCode, RecoveryCode, RecoveryLink, RegistrationCode, Template, VerificationCode,
    VerificationLink, minutes,
};
use crate::app::{App, Cx};
use crate::config::courier::DeliveryStrategy;
use crate::crypto::{Keyring, Purpose};
use crate::identity::view;
use crate::outbound::told_headers;

/// Where the request's headers stand beside the data. No template has a variable of this name.
const REQUEST_HEADERS: &str = "request_headers";

/// Puts a message into the outbox, as a part of `changes`: it is sent if they are committed, and only then. Gives its id.
///
/// After the commit, [`ring`] spares the person the courier's pause.
pub fn enqueue(cx: &Cx, changes: &mut Changes, template: &Template, via: Via, recipient: &str) -> Uuid {
    let id = cx.new_id();
    let data = data(cx, template, via, recipient);
    outbox::mail(changes, &message(cx.keys(), cx.rng(), id, cx.now, template.kind(), via, recipient, data));
    id
}

/// How many waiting messages of a recipient are looked at for a notice to add to.
const LOOKED_AT: u32 = 8;

/// Puts a notice of a change into the outbox, as a part of `changes`.
///
/// It waits for the configured delay. If a notice to the same recipient still waits, this one is added to it, so that what
/// somebody changes in one go comes in one message; that does not put it off any further. The addition is guarded: when the
/// courier takes the message meanwhile, the commit is a conflict and the caller decides again.
///
/// # Errors
/// If the outbox cannot be read.
pub async fn notify(
    cx: &Cx,
    changes: &mut Changes,
    mut notice: SettingsChanged,
    via: Via,
    recipient: &str,
) -> Result<(), StoreError> {
    let delay = cx.config().selfservice.flows.settings.change_notices.delay;
    if !delay.is_zero() {
        let waiting = outbox::list(cx.store(), Some(MessageStatus::Queued), Some(recipient), None, LOOKED_AT).await?;
        for message in waiting.iter().filter(|m| m.template == Kind::SettingsChanged.as_str() && m.send_count == 0) {
            let earlier = open(cx.keys(), message.id, &message.sealed_data);
            let earlier = earlier.and_then(|c| serde_json::from_value::<SettingsChanged>(Value::Object(c.data)).ok());
            if earlier.is_some_and(|earlier| notice.follow(earlier)) {
                let data = data(cx, &Template::SettingsChanged(notice), via, recipient);
                let sealed = seal(cx.keys(), cx.rng(), message.id, data);
                outbox::amend(changes, message.id, sealed, cx.now);
                return Ok(());
            }
        }
    }
    let template = Template::SettingsChanged(notice);
    let data = data(cx, &template, via, recipient);
    let mut message = message(cx.keys(), cx.rng(), cx.new_id(), cx.now, template.kind(), via, recipient, data);
    message.send_after = cx.now.plus(delay);
    outbox::mail(changes, &message);
    Ok(())
}

/// Puts a message into the outbox once more, as a part of `changes`: a message of its own with what the old one says, so that
/// the old one keeps its history. Gives its id; `None` if no key opens what the old one says.
pub fn send_again(cx: &Cx, changes: &mut Changes, old: &Message) -> Option<Uuid> {
    let Content { mut data, request_headers } = open(cx.keys(), old.id, &old.sealed_data)?;
    if request_headers.as_object().is_some_and(|headers| !headers.is_empty()) {
        data.insert(REQUEST_HEADERS.to_owned(), request_headers);
    }
    let id = cx.new_id();
    outbox::mail(
        changes,
        &NewMessage {
            id,
            channel: old.channel.clone(),
            recipient: old.recipient.clone(),
            template: old.template.clone(),
            sealed_data: seal(cx.keys(), cx.rng(), id, data),
            subject: old.subject.clone(),
            created_at: cx.now,
            send_after: cx.now,
        },
    );
    Some(id)
}

/// Puts a message of another server into the outbox, as a part of `changes`, under an id of the caller's. Gives false, and adds
/// nothing, if its words cannot be made of what is known of it.
pub(crate) async fn take_over(cx: &Cx, changes: &mut Changes, id: Uuid, old: OldMessage) -> bool {
    let (Some(kind), Value::Object(data)) = (Kind::parse(&old.template), old.data) else { return false };
    let via = if old.channel == Via::Email.as_str() { Via::Email } else { Via::Sms };
    let snapshot = &cx.snapshot;
    if super::render::render(&snapshot.config.courier, &snapshot.outbound, kind, via, &data).await.is_err() {
        return false;
    }
    outbox::mail(
        changes,
        &NewMessage {
            id,
            channel: old.channel,
            recipient: old.recipient,
            template: old.template,
            sealed_data: seal(cx.keys(), cx.rng(), id, data),
            subject: None,
            created_at: old.created_at,
            send_after: old.created_at,
        },
    );
    true
}

/// Tells the courier of this process that a message waits. To be called after the commit.
pub fn ring(app: &App) {
    app.outbox_bell.notify_one();
}

/// A message as the outbox keeps it. Its data is bound to its id.
#[expect(clippy::too_many_arguments, reason = "each is a column")]
pub(super) fn message(
    keys: &Keyring,
    rng: &dyn Rng,
    id: Uuid,
    now: Timestamp,
    kind: Kind,
    via: Via,
    recipient: &str,
    data: Map<String, Value>,
) -> NewMessage {
    NewMessage {
        id,
        channel: via.as_str().to_owned(),
        recipient: recipient.to_owned(),
        template: kind.as_str().to_owned(),
        sealed_data: seal(keys, rng, id, data),
        subject: None,
        created_at: now,
        send_after: now,
    }
}

/// What the outbox keeps of a message: its data and, where a service is handed it that may want to know, headers of the
/// request that asks for it.
fn data(cx: &Cx, template: &Template, via: Via, recipient: &str) -> Map<String, Value> {
    let mut data = template.data(via, recipient);
    if via == Via::Sms || cx.config().courier.delivery_strategy == DeliveryStrategy::Http {
        let told = told_headers(&cx.request.headers, &cx.config().clients.web_hook.header_allowlist);
        data.insert(REQUEST_HEADERS.to_owned(), Value::Object(told));
    }
    data
}

fn seal(keys: &Keyring, rng: &dyn Rng, id: Uuid, data: Map<String, Value>) -> Vec<u8> {
    keys.seal(rng, Purpose::Outbox, id.as_bytes(), Value::Object(data).to_string().as_bytes())
}

/// What a message says.
pub(super) struct Content {
    /// Its `template_data`.
    pub(super) data: Map<String, Value>,
    /// Headers of the request that asked for it; an empty object where none were kept.
    pub(super) request_headers: Value,
}

/// The content of a message, as it was when it was written; `None` if no key opens it.
pub(super) fn open(keys: &Keyring, id: Uuid, sealed: &[u8]) -> Option<Content> {
    let plain = keys.open(Purpose::Outbox, id.as_bytes(), sealed)?;
    match json::read_back(&plain) {
        Ok(Value::Object(mut data)) => {
            let request_headers = data.shift_remove(REQUEST_HEADERS).unwrap_or_else(|| Value::Object(Map::new()));
            Some(Content { data, request_headers })
        }
        _ => None,
    }
}

fn code_minutes(cx: &Cx) -> u64 {
    minutes(cx.config().selfservice.methods.code.config.lifespan)
}

fn link_minutes(cx: &Cx) -> u64 {
    minutes(cx.config().selfservice.methods.link.config.lifespan)
}

impl RecoveryLink {
    /// A recovery link for an identity.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, who: &Identity, url: String) -> Self {
        Self { recovery_url: url, expires_in_minutes: link_minutes(cx), identity: view::public(cx, who), circumstances }
    }
}

impl RecoveryCode {
    /// A recovery code for an identity.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, who: &Identity, code: String) -> Self {
        Self { recovery_code: code, expires_in_minutes: code_minutes(cx), identity: view::public(cx, who), circumstances }
    }
}

impl VerificationLink {
    /// A verification link for an identity's address.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, who: &Identity, url: String) -> Self {
        Self { verification_url: url, expires_in_minutes: link_minutes(cx), identity: view::public(cx, who), circumstances }
    }
}

impl VerificationCode {
    /// A verification code for an identity's address, with the link that fills it in.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, who: &Identity, code: String, url: String) -> Self {
        let (verification_code, verification_url) = (code, Some(url));
        let identity = view::public(cx, who);
        Self { verification_code, verification_url, expires_in_minutes: code_minutes(cx), identity, circumstances }
    }
}

impl LoginCode {
    /// A code to sign in with.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, who: &Identity, code: String) -> Self {
        Self { login_code: code, expires_in_minutes: code_minutes(cx), identity: view::public(cx, who), circumstances }
    }
}

impl RegistrationCode {
    /// A code to sign up with.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, traits: &Value, code: String) -> Self {
        Self { registration_code: code, expires_in_minutes: code_minutes(cx), traits: traits.clone(), circumstances }
    }
}

impl AddressChanged {
    /// The notice that an identity's addresses changed.
    #[must_use]
    pub fn new(cx: &Cx, circumstances: Circumstances, who: &Identity) -> Self {
        Self { identity: view::public(cx, who), circumstances }
    }
}
