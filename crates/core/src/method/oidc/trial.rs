//! Trying a provider out: a trip like any other, whose outcome is shown to whoever made it, step by step. No account is read
//! or changed.

use async_trait::async_trait;
use portcullis_model::clock::random_text;
use portcullis_model::error::ApiError;
use portcullis_model::flow::Flow;
use portcullis_model::message;
use portcullis_model::ui::Ui;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::memory::{Arrived, Memory};
use super::{Oidc, button, name_of, provider};
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::method::{Trial, Tried};
use crate::oidc::{Landing, MapperError, OidcError, land, mapper};

/// A trial, as the flow remembers it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Trying {
    provider: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Map<String, Value>>,
}

#[async_trait]
impl Trial for Oidc {
    fn begin(&self, cx: &Cx, flow: &mut Flow, name: &str) -> Result<(), ApiError> {
        let known = cx.config().selfservice.methods.oidc.config.provider(name);
        let provider = known.ok_or_else(|| ApiError::not_found("There is no provider of this id."))?;
        let trying = Trying { provider: provider.id.clone(), token: random_text(cx.rng(), 64), outcome: None };
        Memory { trying: Some(trying), ..Memory::default() }.keep(flow);
        Ok(())
    }

    fn of(&self, flow: &Flow) -> Option<Tried> {
        let Trying { provider, token, outcome } = Memory::of(flow).trying?;
        let mut context = json!({ "provider_id": provider });
        let is_over = outcome.is_some();
        if let (Some(outcome), Some(context)) = (outcome, context.as_object_mut()) {
            context.insert("debug_payload".to_owned(), Value::Object(outcome));
        }
        Some(Tried { context, token, is_over })
    }

    fn populate(&self, cx: &Cx, flow: &Flow, ui: &mut Ui) {
        let Some(trying) = Memory::of(flow).trying else { return };
        if let Ok(provider) = provider(cx, &trying.provider) {
            let label = message::login::sign_in_with(name_of(provider, &provider.id), &provider.id);
            ui.nodes.push(button("provider", provider, label));
        }
    }

    async fn try_out(&self, cx: &Cx, flow: &mut Flow) {
        let mut memory = Memory::of(flow);
        let Some(trying) = &mut memory.trying else { return };
        let mut outcome = Map::new();
        let tried = match (provider(cx, &trying.provider), &memory.trip) {
            (Ok(provider), Some(trip)) => {
                let landing = Landing { query: &cx.request.query, redirect_uri: &trip.redirect_uri, ticket: &trip.ticket };
                match land(cx, provider, &landing).await {
                    Ok(handed) => look(cx, flow, provider, &Arrived::of(&provider.id, handed), &mut outcome).await,
                    Err(error) => Err(of_provider(&error)),
                }
            }
            _ => Err(Failed::new("callback", "callback_failed", "the provider is not configured any more")),
        };
        if let Err(failed) = tried {
            outcome.insert("error".to_owned(), json!(failed));
        }
        trying.outcome = Some(outcome);
        memory.keep(flow);
    }
}

/// A step that failed.
#[derive(Serialize)]
struct Failed {
    step: &'static str,
    reason: &'static str,
    message: String,
}

impl Failed {
    fn new(step: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { step, reason, message: message.into() }
    }
}

fn of_provider(error: &OidcError) -> Failed {
    let (step, reason) = match error {
        OidcError::Denied(_) => ("provider_denied", "access_denied"),
        OidcError::Upstream { endpoint: "the token endpoint", .. } => ("token_exchange", "exchange_failed"),
        OidcError::Token(_) | OidcError::Refused(_) | OidcError::NoSubject => ("claims_decode", "claims_invalid"),
        OidcError::Upstream { .. } | OidcError::Configuration(_) | OidcError::Discovery(_) => ("callback", "callback_failed"),
    };
    Failed::new(step, reason, error.to_string())
}

/// What the mapper and the schema make of who came back.
async fn look(
    cx: &Cx,
    flow: &Flow,
    provider: &Provider,
    arrived: &Arrived,
    outcome: &mut Map<String, Value>,
) -> Result<(), Failed> {
    outcome.insert("id_token_claims".to_owned(), Value::Object(arrived.claims.raw().clone()));
    outcome.insert("jsonnet_mapper_url".to_owned(), provider.mapper_url.as_str().into());
    let failed = |error: MapperError| {
        let reason = match &error {
            MapperError::Traits => "invalid_traits",
            MapperError::Metadata("metadata_public") => "invalid_metadata_public",
            MapperError::Metadata(_) => "invalid_metadata_admin",
            MapperError::Output | MapperError::Addresses => "invalid_output",
            MapperError::Source(_) | MapperError::Text | MapperError::Jsonnet(_) => "evaluation_failed",
        };
        Failed::new("jsonnet_run", reason, error.to_string())
    };
    let output = mapper::run(cx, &provider.mapper_url, &arrived.claims, None).await.map_err(failed)?;
    let input = json!({ "claims": arrived.claims.for_mapper(), "identity": mapper::input_of(None) });
    outcome.insert("jsonnet_input".to_owned(), input);
    outcome.insert("jsonnet_output".to_owned(), output.clone());
    let mapped = mapper::read(&output).map_err(failed)?;
    let wanted = match &flow.detail {
        portcullis_model::flow::Detail::Login { schema, .. } => schema.as_deref(),
        _ => None,
    };
    let schema = crate::flow::engine::schema_or_default(cx, wanted)
        .map_err(|error| Failed::new("schema_validate", "traits_invalid", error.reason))?;
    let mut traits = Value::Object(mapped.traits);
    schema.fill_absent_objects(&mut traits);
    let problems = schema.validate_traits(&traits);
    if problems.is_empty() {
        return Ok(());
    }
    let told = |node: &str, text: &str| json!({ "path": format!("/{}", node.replace('.', "/")), "message": text });
    let list: Vec<Value> = problems.iter().map(|problem| told(&problem.node, &problem.message.text)).collect();
    outcome.insert("schema_validation_errors".to_owned(), list.into());
    Err(Failed::new("schema_validate", "traits_invalid", "the schema refuses the traits that the mapper gives"))
}
