//! Linking and unlinking providers.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, validation};
use portcullis_model::ui::Ui;
use serde_json::{Value, json};

use super::login::owner;
use super::memory::Memory;
use super::trip::{self, Luggage, leave};
use super::{ID, Oidc, button, links, name_of, provider, providers};
use crate::app::Cx;
use crate::flow::engine::{self, Change, FlowError, Form, Fresh, Reply, SetCredential};
use crate::method::{SettingsMethod, SettingsOutcome};

#[async_trait]
impl SettingsMethod for Oidc {
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, _flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let may_unlink = cx.app.methods.first_factors(cx.config(), who) > 1;
        for provider in providers(cx) {
            let name = name_of(provider, &provider.id);
            match links::has(who, &provider.id) {
                false => ui.nodes.push(button("link", provider, message::settings::link(name))),
                true if may_unlink => ui.nodes.push(button("unlink", provider, message::settings::unlink(name))),
                true => {}
            }
        }
        Ok(())
    }

    async fn check_form(&self, cx: &Cx, who: &IdentityWithCredentials, form: &Form) -> Result<(), FlowError> {
        wish(cx, who, form).map(drop)
    }

    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        _flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError> {
        let mut change = Change::by(ID, Fresh::Always);
        match wish(cx, who, form)? {
            Wish::Link(id) => {
                change.proceeds = Some(json!({
                    "link": id,
                    "upstream": trip::upstream(form),
                    "transient_payload": engine::transient_payload(form)?,
                }));
            }
            Wish::Unlink(id) => match who.credential(CredentialType::Oidc).and_then(|old| links::without(old, id)) {
                Some(data) => change.set.push(SetCredential {
                    kind: CredentialType::Oidc,
                    config: data.config,
                    version: 1,
                    identifiers: Some(data.identifiers),
                    beside_none: false,
                }),
                None => change.remove.push(CredentialType::Oidc),
            },
        }
        Ok(SettingsOutcome::Change(Box::new(change)))
    }

    async fn proceed(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, with: &Value) -> Result<Reply, FlowError> {
        let id = with.get("link").and_then(Value::as_str).unwrap_or_default();
        let to = provider(cx, id)?;
        if links::has(who, id) {
            return Err(refused("this provider is linked already"));
        }
        let upstream = with.get("upstream").cloned().and_then(|u| serde_json::from_value(u).ok()).unwrap_or_default();
        let transient_payload = with.get("transient_payload").cloned();
        leave(cx, flow, to, Luggage { traits: None, transient_payload, again: false, upstream }).await
    }

    async fn resume(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow) -> Result<Change, FlowError> {
        let arrived = Memory::of(flow).arrived.ok_or_else(|| refused("nobody came back from a provider"))?;
        let from = provider(cx, &arrived.provider)?;
        if links::has(who, &from.id) {
            return Err(refused("this provider is linked already"));
        }
        if owner(cx, &arrived).await?.is_some() {
            return Err(FlowError::tell(message::registration::account_exists()));
        }
        // That the sign-in was fresh was made sure of before the trip.
        let mut change = Change::by(ID, Fresh::Never);
        let data = links::with(cx, who.identity.id, who.credential(CredentialType::Oidc), from, &arrived);
        change.set.push(SetCredential {
            kind: CredentialType::Oidc,
            config: data.config,
            version: 1,
            identifiers: Some(data.identifiers),
            beside_none: false,
        });
        change.proof = Some(links::proof(cx, from, &arrived));
        Ok(change)
    }
}

/// What a form asks for.
enum Wish<'a> {
    Link(&'a str),
    Unlink(&'a str),
}

fn wish<'a>(cx: &Cx, who: &IdentityWithCredentials, form: &'a Form) -> Result<Wish<'a>, FlowError> {
    let text = |name| form.text(name).filter(|t| !t.is_empty());
    match (text("link"), text("unlink")) {
        (Some(_), Some(_)) => Err(refused("a form cannot both link and unlink")),
        (Some(id), None) => {
            if !providers(cx).iter().any(|p| p.id == id) {
                return Err(refused("there is no provider of this name to link"));
            }
            if links::has(who, id) {
                return Err(refused("this provider is linked already"));
            }
            Ok(Wish::Link(id))
        }
        (None, Some(id)) => {
            if !links::has(who, id) {
                return Err(refused("this provider is not linked"));
            }
            if cx.app.methods.first_factors(cx.config(), who) < 2 {
                return Err(refused("this is the only way to sign in to the account, so it stays"));
            }
            Ok(Wish::Unlink(id))
        }
        (None, None) => Err(refused("no provider was named")),
    }
}

fn refused(why: &str) -> FlowError {
    FlowError::tell(validation::generic(why))
}
