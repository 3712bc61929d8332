//! Signing in with a passkey: it tells who signs in.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::{Detail, Flow};
use portcullis_model::identity::{Identity, IdentityWithCredentials};
use portcullis_model::message::{self, validation};
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::Ui;
use portcullis_store::{Changes, identities};
use serde_json::Value;
use uuid::Uuid;

use super::{GROUP, ID, KIND, LOGIN, Passkey, config, site, verification};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::identifier;
use crate::credential::webauthn::{self, Answer, Key, Pending, Refused, Trigger, hidden};
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::identity::view::Parts;
use crate::method::{LoginMethod, LoginOutcome, LoginStage, Proved};

#[async_trait]
impl LoginMethod for Passkey {
    fn serves(&self, _config: &Config, level: Aal) -> bool {
        level == Aal::Aal1
    }

    /// Whoever has a passkey need not say who they are.
    fn populate_unidentified(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) {
        show(cx, flow, None, ui);
    }

    async fn populate(&self, cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        // Somebody known has passkeys that can be named; anybody else's are found by the authenticator.
        let known = match stage {
            LoginStage::First => {
                identifier::ask_for_keys(cx, flow, ui);
                None
            }
            LoginStage::Identified { who: None, .. } => None,
            LoginStage::Identified { who: Some(who), .. } if passkeys(who).next().is_none() => return Ok(()),
            LoginStage::Identified { .. } => None,
            LoginStage::Refresh(who) if passkeys(who).next().is_none() => return Ok(()),
            LoginStage::Refresh(who) => {
                identifier::known(identifier::of(who), ui);
                Some(who)
            }
            LoginStage::Second(_) => return Ok(()),
        };
        show(cx, flow, known, ui);
        Ok(())
    }

    fn check_form(&self, _cx: &Cx, form: &Form) -> Result<(), FlowError> {
        match form.field(LOGIN) {
            Field::Other(value) => Err(FlowError::tell_at(LOGIN, validation::wrong_type(&["string"], json_type(value)))),
            Field::Absent | Field::Text(_) => Ok(()),
        }
    }

    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        let Some(text) = form.text(LOGIN).filter(|text| !text.is_empty()) else {
            // Only a page can ask for a passkey.
            return if flow.is_native() {
                Err(FlowError::tell_at(LOGIN, validation::required(LOGIN)))
            } else {
                Ok(LoginOutcome::ShowPage)
            };
        };
        let answer = Answer::parse(text).map_err(webauthn::not_accepted)?;
        let found = match &answer.user_handle {
            Some(handle) => whose(cx, handle).await?,
            None => None,
        };
        let (mut who, kind) = found.ok_or_else(|| FlowError::tell(message::login::unknown_security_key()))?;
        let again = matches!(&flow.detail, Detail::Login { refresh: true, .. }).then_some(signed_in).flatten();
        if again.is_some_and(|(_, identity)| identity.id != who.identity.id) {
            return Err(webauthn::not_accepted(Refused::Unknown));
        }
        let used = judge(cx, flow, &who, kind, &answer).map_err(webauthn::not_accepted)?;
        flow.methods.remove(ID);
        let mut changes = Changes::new();
        webauthn::use_key(cx, &mut changes, flow, &mut who, kind, &answer.id, &used).await?;
        let proof = AuthenticationMethod::new(ID, Aal::Aal1, cx.now);
        // Whoever signs in with a security key is shown without addresses, as clients know it.
        let shown = if kind == KIND { Parts::PUBLIC } else { Parts::PUBLIC_BRIEF };
        Ok(LoginOutcome::Proved(Box::new(Proved { shown, ..Proved::new(who, proof, changes) })))
    }
}

/// Asks for a passkey: any that the authenticator finds, or one of somebody known.
fn show(cx: &Cx, flow: &mut Flow, known: Option<&IdentityWithCredentials>, ui: &mut Ui) {
    let Some(site) = site(cx) else { return };
    let pending = Pending::begin(cx, flow, ID, || None);
    let user_verification = &config(cx).authenticator_selection.user_verification;
    let keys = known.into_iter().flat_map(passkeys);
    let options = webauthn::request(&site, user_verification, config(cx).timeouts.login, &pending.challenge(), keys);
    webauthn::script_node(cx, flow, ui);
    let label = message::login::sign_in_with_passkey();
    ui.nodes.push(webauthn::trigger(flow, GROUP, "passkey_login_trigger", Trigger::UsePasskey, label).value("".into()));
    let is_native = flow.is_native();
    ui.nodes.push(hidden(GROUP, LOGIN).with_input(|input| {
        if known.is_none() {
            input.onload = (!is_native).then(|| format!("window.{}()", Trigger::Autofill.name()));
            input.onload_trigger = Some(Trigger::Autofill.name().to_owned());
        }
    }));
    ui.nodes.push(hidden(GROUP, "passkey_challenge").value(options.to_string().into()));
}

fn passkeys(who: &IdentityWithCredentials) -> impl Iterator<Item = Key<'_>> {
    who.credential(KIND).into_iter().flat_map(webauthn::keys)
}

/// Who has a user handle, and in which credential: their passkeys, or security keys that sign in alone.
async fn whose(cx: &Cx, handle: &[u8]) -> Result<Option<(IdentityWithCredentials, CredentialType)>, FlowError> {
    if let Ok(text) = std::str::from_utf8(handle)
        && let Some(who) = identities::find_by_identifier(cx.store(), &[KIND], text).await.map_err(FlowError::Store)?
    {
        return Ok(Some((who, KIND)));
    }
    let keys = &cx.config().selfservice.methods.webauthn;
    let (true, true, Ok(id)) = (keys.enabled, keys.config.passwordless, Uuid::from_slice(handle)) else { return Ok(None) };
    let who = identities::get_with_credentials(cx.store(), id).await.map_err(FlowError::Store)?;
    let of_keys = CredentialType::Webauthn;
    Ok(who
        .filter(|who| who.credential(of_keys).is_some_and(|c| webauthn::keys(c).any(Key::is_passwordless)))
        .map(|who| (who, of_keys)))
}

fn judge(
    cx: &Cx,
    flow: &Flow,
    who: &IdentityWithCredentials,
    kind: CredentialType,
    answer: &Answer,
) -> Result<webauthn::Asserted, Refused> {
    let pending = Pending::of(flow, ID).ok_or(Refused::Challenge)?;
    let credential = who.credential(kind).ok_or(Refused::Unknown)?;
    let key = webauthn::find(credential, &answer.id).filter(|key| kind == KIND || key.is_passwordless());
    let key = key.ok_or(Refused::Unknown)?;
    // Passkeys have a handle each, all of which led here; a security key has the one that is stored.
    let handle = credential.config.get("user_handle").and_then(Value::as_str).and_then(webauthn::from_base64);
    let handle = handle.filter(|_| kind != KIND);
    let site = site(cx).ok_or(Refused::Site)?;
    webauthn::proved(&site, verification(cx), &pending.challenge(), key, handle.as_deref(), answer)
}
