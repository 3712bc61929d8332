//! `courier`: how messages leave, and the templates that replace built-in ones.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::clients::{Headers, HttpAuth};
use super::value::{Secret, duration, non_empty};

/// `courier`.
#[derive(Clone, Debug, Deserialize)]
pub struct Courier {
    /// How mail leaves.
    pub delivery_strategy: DeliveryStrategy,
    /// How often sending is tried before a message is given up.
    pub message_retries: u32,
    /// A folder of templates that replace the built-in ones.
    #[serde(default, deserialize_with = "non_empty")]
    pub template_override_path: Option<String>,
    /// The sender's pace.
    pub worker: Worker,
    /// Mail by SMTP.
    pub smtp: Smtp,
    /// Mail by HTTP.
    pub http: HttpDelivery,
    /// Ways besides mail.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Single templates, by the name of the message.
    #[serde(default)]
    pub templates: BTreeMap<String, MessageTemplates>,
}

/// How mail leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStrategy {
    /// By SMTP.
    Smtp,
    /// By an HTTP service.
    Http,
}

/// `courier.worker`.
#[derive(Clone, Debug, Deserialize)]
pub struct Worker {
    /// Messages taken at once.
    pub pull_count: u32,
    /// The pause before looking for more.
    #[serde(deserialize_with = "duration")]
    pub pull_wait: Duration,
}

/// `courier.smtp`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Smtp {
    /// The mail server, `smtp://` or `smtps://`, with user and password; `None`: mail waits.
    #[serde(default)]
    pub connection_uri: Option<Secret>,
    /// The sender's address.
    pub from_address: String,
    /// The sender's name.
    #[serde(default, deserialize_with = "non_empty")]
    pub from_name: Option<String>,
    /// Further headers of every mail.
    #[serde(default)]
    pub headers: Headers,
    /// How we call ourselves to the mail server.
    pub local_name: String,
    /// A client certificate (PEM); empty: none.
    pub client_cert_path: String,
    /// Its private key (PEM); empty: none.
    pub client_key_path: String,
}

/// `courier.http`.
#[derive(Clone, Debug, Deserialize)]
pub struct HttpDelivery {
    /// The service that is called.
    pub request_config: HttpRequest,
}

/// A call that hands a message to a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HttpRequest {
    /// What is called, with what may be secret in it.
    #[serde(default)]
    pub url: Option<Secret>,
    /// The HTTP method.
    pub method: String,
    /// Headers that it is sent.
    #[serde(default)]
    pub headers: Headers,
    /// The URL of the Jsonnet that makes the body; `None`: the built-in one.
    #[serde(default)]
    pub body: Option<String>,
    /// How the call proves itself.
    #[serde(default)]
    pub auth: Option<HttpAuth>,
}

/// `courier.channels[]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Channel {
    /// The `via` of identity schemas that it serves: `sms`.
    pub id: String,
    /// The service that is called.
    pub request_config: HttpRequest,
}

/// `courier.templates.NAME`. Messages about an address that somebody owns use `valid` (or, for
/// `verifiable_address_changed`, the templates given without that level), all others `invalid`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MessageTemplates {
    /// For addresses that somebody owns.
    pub valid: Templates,
    /// For addresses that nobody owns.
    pub invalid: Templates,
    /// For messages that only ever go to owners.
    #[serde(flatten)]
    pub direct: Templates,
}

impl MessageTemplates {
    /// The templates for an address that somebody owns, or that nobody owns.
    #[must_use]
    pub fn choose(&self, owned: bool) -> &Templates {
        match owned {
            _ if self.direct.email.is_some() || self.direct.sms.is_some() => &self.direct,
            true => &self.valid,
            false => &self.invalid,
        }
    }
}

/// Templates by channel.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Templates {
    /// Mail.
    pub email: Option<EmailTemplate>,
    /// SMS.
    pub sms: Option<SmsTemplate>,
}

/// The templates of a mail. `None`: built in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EmailTemplate {
    /// The URL of the subject.
    pub subject: Option<String>,
    /// The body.
    pub body: EmailBody,
}

/// The body of a mail. `None`: built in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EmailBody {
    /// The URL of the text.
    pub plaintext: Option<String>,
    /// The URL of the HTML.
    pub html: Option<String>,
}

/// The template of an SMS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SmsTemplate {
    /// The body.
    pub body: SmsBody,
}

/// The body of an SMS. `None`: built in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SmsBody {
    /// The URL of the text.
    pub plaintext: Option<String>,
}
