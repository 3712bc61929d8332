//! How sessions are shown in JSON. Tokens never are.

use portcullis_model::identity::Identity;
use portcullis_model::session::{Aal, AuthenticationMethod, Device, Session};
use portcullis_model::time::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::app::Cx;
use crate::identity::view::{self as identity_view, IdentityView, Parts};

/// A session as JSON. It borrows everything, so that it is written in one pass.
#[derive(Serialize)]
pub struct SessionView<'a> {
    id: Uuid,
    active: bool,
    expires_at: Timestamp,
    authenticated_at: Timestamp,
    authenticator_assurance_level: Aal,
    #[serde(serialize_with = "without_mailboxes")]
    authentication_methods: &'a [AuthenticationMethod],
    issued_at: Timestamp,
    /// `None` is shown as null.
    identity: Option<IdentityView<'a>>,
    /// `None` is shown as null: they were not asked for in a list.
    devices: Option<&'a [Device]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenized: Option<&'a str>,
}

/// A session with its devices and without identity, ready to be written. An expired one is shown as not active; whether
/// its identity is active does not matter here.
#[must_use]
pub fn session<'a>(cx: &Cx, session: &'a Session) -> SessionView<'a> {
    SessionView {
        id: session.id,
        active: session.is_alive(cx.now),
        expires_at: session.expires_at,
        authenticated_at: session.authenticated_at,
        authenticator_assurance_level: session.aal,
        authentication_methods: &session.methods,
        issued_at: session.issued_at,
        identity: None,
        devices: Some(&session.devices),
        tokenized: None,
    }
}

/// The proofs as people see them.
fn without_mailboxes<S: Serializer>(methods: &[AuthenticationMethod], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(methods.iter().map(|m| Proof {
        method: &m.method,
        aal: m.aal,
        completed_at: m.completed_at,
        provider: m.provider.as_deref(),
        organization: m.organization.as_deref(),
        upstream_acr: m.upstream_acr.as_deref(),
        upstream_amr: &m.upstream_amr,
    }))
}

/// A proof as people see it.
#[derive(Serialize)]
struct Proof<'a> {
    method: &'a str,
    aal: Aal,
    completed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    upstream_amr: &'a [String],
}

impl<'a> SessionView<'a> {
    /// With its identity.
    #[must_use]
    pub fn identity(mut self, cx: &Cx, identity: &'a Identity, parts: Parts) -> Self {
        self.identity = Some(identity_view::identity(cx, identity, parts));
        self
    }

    /// With an empty list of devices.
    #[must_use]
    pub fn no_devices(mut self) -> Self {
        self.devices = Some(&[]);
        self
    }

    /// With null in place of the devices.
    #[must_use]
    pub fn null_devices(mut self) -> Self {
        self.devices = None;
        self
    }

    /// With a token made of the session.
    #[must_use]
    pub fn tokenized(mut self, token: &'a str) -> Self {
        self.tokenized = Some(token);
        self
    }

    /// As a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        identity_view::to_value(self)
    }
}

/// A session as the person sees it, with devices, and with those parts of the identity, or null in its place.
#[must_use]
pub fn view(cx: &Cx, shown: &Session, identity: Option<(&Identity, Parts)>) -> Value {
    let out = session(cx, shown);
    match identity {
        Some((identity, parts)) => out.identity(cx, identity, parts).to_value(),
        None => out.to_value(),
    }
}
