//! `oidc`: social sign-in. The person leaves for a provider, which tells who they are when they come back.
//!
//! A trip is bound to its browser by a cookie, or for native apps by an exchange code, and is good once. What a provider
//! says is remembered in the flow, sealed, until the flow has made something of it; the flow may turn into one of another
//! kind on the way. An account that has the person's address already is never joined without a proof of it.

mod joining;
mod links;
mod login;
mod memory;
mod person;
mod registration;
mod settings;
mod trial;
mod trip;

use async_trait::async_trait;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::message::{Message, validation};
use portcullis_model::ui::{Group, InputType, Node};
use serde_json::Value;

use super::{CredentialKind, Journey, LoginMethod, Method, Origin, RegistrationMethod, SettingsMethod, Standing, Trial, Usable};
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::flow::engine::{FlowError, Form};
use crate::oidc::{MapperError, OidcError};
use memory::Memory;

const ID: &str = "oidc";

/// The method.
pub(super) struct Oidc;

impl Method for Oidc {
    fn id(&self) -> &'static str {
        ID
    }

    fn handles(&self, kind: FlowKind, form: &Form) -> bool {
        let named = form.method();
        let names = |field: &str| form.text(field).is_some_and(|text| !text.is_empty());
        let is_meant = named.is_none_or(|method| method.eq_ignore_ascii_case(ID));
        is_meant
            && match kind {
                FlowKind::Settings => names("link") || names("unlink"),
                _ => names("provider"),
            }
    }

    fn follows_links(&self) -> bool {
        true
    }

    fn login(&self) -> Option<&dyn LoginMethod> {
        Some(self)
    }

    fn registration(&self) -> Option<&dyn RegistrationMethod> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn SettingsMethod> {
        Some(self)
    }

    fn credential(&self) -> Option<&dyn CredentialKind> {
        Some(self)
    }

    fn journey(&self) -> Option<&dyn Journey> {
        Some(self)
    }

    fn trial(&self) -> Option<&dyn Trial> {
        Some(self)
    }
}

impl CredentialKind for Oidc {
    fn kind(&self) -> CredentialType {
        CredentialType::Oidc
    }

    fn usable(&self, credential: &Credential) -> Usable {
        Usable { first: self.first_factors(credential) > 0, second: false }
    }

    fn first_factors(&self, credential: &Credential) -> usize {
        // Whoever is in an organization signs in as the organization wants, which may change: no factor of their own.
        links::of_credential(credential).filter(|link| !link.is_organizations).count()
    }
}

#[async_trait]
impl Journey for Oidc {
    fn origin(&self, cx: &Cx, place: Option<&str>) -> Result<Origin, ApiError> {
        let state = trip::State::of_request(cx, place)?;
        Ok(Origin { kind: state.kind, flow_id: state.flow_id })
    }

    fn end(&self, cx: &Cx, flow: &mut Flow) -> Result<Standing, ApiError> {
        trip::end(cx, flow)
    }

    async fn arrive(&self, cx: &Cx, flow: &mut Flow) -> Result<(), FlowError> {
        trip::arrive(cx, flow).await
    }

    fn transient_payload(&self, flow: &Flow) -> Option<Value> {
        Memory::of(flow).trip.and_then(|trip| trip.transient_payload)
    }
}

/// The configured providers that everybody may use, sorted by id. Of two with the same id the first counts.
fn providers(cx: &Cx) -> Vec<&Provider> {
    let all = &cx.config().selfservice.methods.oidc.config.providers;
    let mut open: Vec<&Provider> = all.iter().filter(|p| p.organization_id.is_none()).collect();
    open.sort_by(|a, b| a.id.cmp(&b.id));
    open.dedup_by(|a, b| a.id == b.id);
    open
}

/// The provider that a form or a flow names.
fn provider<'a>(cx: &'a Cx, id: &str) -> Result<&'a Provider, FlowError> {
    let found = cx.config().selfservice.methods.oidc.config.provider(id);
    found.ok_or_else(|| FlowError::api(ApiError::not_found("There is no provider of this id.")))
}

/// The name that people know a provider by: its label, or else what stands in its place.
fn name_of<'a>(provider: &'a Provider, otherwise: &'a str) -> &'a str {
    provider.label.as_deref().unwrap_or(otherwise)
}

/// A button that chooses a provider.
fn button(name: &str, provider: &Provider, label: Message) -> Node {
    Node::input(Group::Oidc, name, InputType::Submit).value(provider.id.as_str().into()).label(label)
}

/// What a client is told when a provider fails, or its answer proves nothing.
fn told(provider: &Provider, error: &OidcError) -> FlowError {
    let tell = |reason: &str| FlowError::tell(validation::generic(reason));
    match error {
        OidcError::Denied(reason) => tell(&format!("the provider did not sign you in ({reason})")),
        OidcError::Refused(_) | OidcError::Token(_) => {
            tracing::warn!(provider = %provider.id, %error, "a sign-in by a provider is refused");
            tell("the provider's answer was not accepted")
        }
        OidcError::NoSubject => {
            tracing::warn!(provider = %provider.id, %error, "a sign-in by a provider is refused");
            FlowError::api(ApiError::new(502, "The provider did not tell who you are.").id(ErrorId::UpstreamError))
        }
        OidcError::Upstream { .. } => {
            tracing::warn!(provider = %provider.id, %error, "a provider fails");
            FlowError::api(ApiError::new(502, "The provider does not answer as it should.").id(ErrorId::UpstreamError))
        }
        OidcError::Discovery(_) | OidcError::Configuration(_) => {
            tracing::error!(provider = %provider.id, %error, "a provider cannot be used");
            FlowError::api(ApiError::internal())
        }
    }
}

/// What a client is told when a mapper fails.
fn told_of_mapper(provider: &Provider, error: &MapperError) -> FlowError {
    tracing::error!(provider = %provider.id, %error, "a provider's claims cannot be turned into traits");
    match error {
        MapperError::Addresses => FlowError::tell(validation::generic("the provider's addresses cannot be used")),
        MapperError::Jsonnet(crate::jsonnet::JsonnetError::Busy) => {
            FlowError::api(ApiError::new(503, "The server is busy. Try again in a moment.").retry_after(5))
        }
        _ => FlowError::api(ApiError::internal()),
    }
}
