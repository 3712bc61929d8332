//! The configuration of a web hook.

use serde::Deserialize;
use serde_json::Value;

use crate::config::Secret;
use crate::config::clients::{Headers, HttpAuth};
use crate::outbound::{Call, Purpose, Service, ServiceBody};

/// A web hook as it is configured.
#[derive(Deserialize)]
pub(super) struct Config {
    /// Its name in the log and in lists; may be empty.
    #[serde(default)]
    pub(super) id: String,
    url: Secret,
    method: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    auth: Option<HttpAuth>,
    #[serde(default)]
    response: Answering,
    #[serde(default)]
    can_interrupt: bool,
    #[serde(default = "yes")]
    emit_analytics_event: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answering {
    ignore: bool,
    parse: bool,
}

fn yes() -> bool {
    true
}

/// What becomes of a web hook's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may refuse, or change what is saved.
    Decides,
    /// The client waits for it.
    IsAwaited,
    /// Nobody does.
    IsTold,
}

impl Config {
    /// Reads what the configuration's schema has accepted.
    pub(super) fn read(config: &Value) -> Option<Self> {
        Self::deserialize(config).ok()
    }

    pub(super) fn kind(&self) -> Kind {
        if self.response.ignore {
            Kind::IsTold
        } else if self.response.parse || self.can_interrupt {
            Kind::Decides
        } else {
            Kind::IsAwaited
        }
    }

    /// Whether an answer that agrees says what is saved.
    pub(super) fn parses(&self) -> bool {
        self.response.parse
    }

    /// What is called.
    pub(super) fn service(&self) -> Service<'_> {
        Service {
            purpose: Purpose::WebHook,
            call: Call { url: self.url.expose(), method: &self.method, headers: &self.headers, auth: self.auth.as_ref() },
            body: self.body.as_deref().map_or(ServiceBody::None, ServiceBody::Jsonnet),
            numbered: self.emit_analytics_event,
        }
    }
}
