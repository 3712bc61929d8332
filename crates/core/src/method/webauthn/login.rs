//! Signing in with a security key: as the second step, or alone after the identifier was told.

use async_trait::async_trait;
use portcullis_model::credential::Credential;
use portcullis_model::flow::{Detail, Flow, Notes};
use portcullis_model::identity::{Identity, IdentityWithCredentials};
use portcullis_model::message::{self, Message, validation};
use portcullis_model::normal;
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::{InputType, Node, Ui};
use portcullis_store::{Changes, identities};
use serde_json::Value;

use super::{GROUP, ID, KIND, LOGIN, USER_VERIFICATION, WebAuthn, is_passwordless, level, live_keys, site};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::webauthn::{self, Answer, Pending, Refused, Trigger, Verification, hidden};
use crate::credential::{identifier, second_factor};
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::method::{Arranged, LoginMethod, LoginOutcome, LoginStage, Proved};

#[async_trait]
impl LoginMethod for WebAuthn {
    fn serves(&self, config: &Config, asked: Aal) -> bool {
        asked == level(config)
    }

    async fn populate(&self, cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        if flow.is_native() {
            return Ok(());
        }
        let who = match stage {
            LoginStage::First => {
                identifier::ask_for_keys(cx, flow, ui);
                ui.nodes.push(Node::submit(GROUP, ID, message::login::use_security_key()));
                return Ok(());
            }
            LoginStage::Identified { who, .. } => {
                if who.is_none_or(|who| live_keys(cx, who.credential(KIND)).next().is_some()) {
                    ui.nodes.push(Node::submit(GROUP, ID, message::login::use_security_key()));
                }
                return Ok(());
            }
            LoginStage::Refresh(who) | LoginStage::Second(who) => who,
        };
        // Also for somebody without keys: they may get one while the form is open.
        let pending = Pending::begin(cx, flow, ID, || None);
        let credential = who.credential(KIND);
        if live_keys(cx, credential).next().is_some() {
            identifier::known(credential.and_then(|c| c.identifiers.first()).map_or("", String::as_str), ui);
            ui.nodes.push(hidden(GROUP, LOGIN).value("".into()));
            ask(cx, flow, &pending, credential, message::login::use_security_key(), ui);
        }
        Ok(())
    }

    fn stands_alone(&self, cx: &Cx, flow: &Flow) -> bool {
        is_first_step(flow) && is_passwordless(cx.config()) && Pending::of(flow, ID).is_some_and(|p| p.identifier.is_some())
    }

    async fn populate_waiting(&self, cx: &Cx, flow: &Flow, ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
        let Some(pending) = Pending::of(flow, ID) else { return Ok(None) };
        let typed = pending.identifier.clone().unwrap_or_default();
        let who = find(cx, &typed).await?;
        let credential = who.as_ref().and_then(|who| who.credential(KIND));
        if live_keys(cx, credential).next().is_none() {
            return Ok(None);
        }
        let identifier = hidden(portcullis_model::ui::Group::Default, "identifier").required().value(typed.into());
        ui.nodes.insert(0, identifier);
        ask(cx, flow, &pending, credential, message::login::proceed(), ui);
        ui.nodes.push(Node::input(GROUP, LOGIN, InputType::Hidden).value("".into()));
        // Front ends know the form as it first comes in this order.
        let was_refused = flow.notes.nodes.contains_key(LOGIN);
        Ok(Some(if was_refused { Arranged::ToSort } else { Arranged::Already }))
    }

    fn check_form(&self, _cx: &Cx, form: &Form) -> Result<(), FlowError> {
        let mut notes = Notes::default();
        for (name, required) in [("identifier", true), (LOGIN, false)] {
            match form.field(name) {
                Field::Other(value) => notes.tell_at(name, validation::wrong_type(&["string"], json_type(value))),
                Field::Absent | Field::Text("") if required => notes.tell_at(name, validation::required(name)),
                Field::Absent | Field::Text(_) => {}
            }
        }
        if notes.has_messages() {
            notes.keep(LOGIN, Value::Null);
            return Err(FlowError::Invalid(Box::new(notes)));
        }
        Ok(())
    }

    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        if flow.is_native() {
            return Err(FlowError::tell(message::login::no_method()));
        }
        let answer = form.text(LOGIN).filter(|text| !text.is_empty());
        let typed = form.text("identifier").unwrap_or_default();
        let mut who = if is_first_step(flow) {
            let who = find(cx, typed).await?.filter(|who| live_keys(cx, who.credential(KIND)).next().is_some());
            let Some(who) = who else {
                flow.notes.forget_typed("identifier");
                return Err(FlowError::tell(message::login::unknown_security_key()));
            };
            if answer.is_none() {
                return Ok(challenge(cx, flow, typed));
            }
            who
        } else {
            second_factor::whose(cx, signed_in).await?
        };
        // From now on the field has no value at all.
        flow.notes.keep(LOGIN, Value::Null);
        let answer = Answer::parse(answer.unwrap_or_default()).map_err(webauthn::not_accepted)?;
        let credential = who.credential(KIND);
        if live_keys(cx, credential).next().is_none() {
            return Err(FlowError::tell(message::login::no_security_key()));
        }
        let used = judge(cx, flow, typed, credential, &answer).map_err(webauthn::not_accepted)?;
        flow.methods.remove(ID);
        let mut changes = Changes::new();
        webauthn::use_key(cx, &mut changes, flow, &mut who, KIND, &answer.id, &used).await?;
        let proof = AuthenticationMethod::new(ID, level(cx.config()), cx.now);
        Ok(LoginOutcome::Proved(Box::new(Proved::new(who, proof, changes))))
    }
}

/// Whether nobody is signed in yet: the person says who they are.
fn is_first_step(flow: &Flow) -> bool {
    matches!(&flow.detail, Detail::Login { requested_aal: Aal::Aal1, refresh: false, .. })
}

async fn find(cx: &Cx, typed: &str) -> Result<Option<IdentityWithCredentials>, FlowError> {
    identities::find_by_identifier(cx.store(), &[KIND], &normal::identifier(typed)).await.map_err(FlowError::Store)
}

/// Asks for a key of whoever was named.
fn challenge(cx: &Cx, flow: &mut Flow, typed: &str) -> LoginOutcome {
    flow.methods.remove(ID);
    let mut pending = Pending::begin(cx, flow, ID, || None);
    pending.identifier = Some(typed.to_owned());
    pending.keep(flow, ID);
    flow.notes = Notes::default();
    flow.notes.tell(message::login::prepare_security_key());
    LoginOutcome::ShowPage
}

/// Adds the script and the button that asks for a key.
fn ask(cx: &Cx, flow: &Flow, pending: &Pending, credential: Option<&Credential>, label: Message, ui: &mut Ui) {
    let Some(site) = site(cx) else { return };
    let options = webauthn::request(&site, USER_VERIFICATION, None, &pending.challenge(), live_keys(cx, credential));
    let button = webauthn::trigger(flow, GROUP, "webauthn_login_trigger", Trigger::UseKey, label);
    webauthn::script_node(cx, flow, ui);
    ui.nodes.push(webauthn::onclick(button, Trigger::UseKey, &options));
}

fn judge(
    cx: &Cx,
    flow: &Flow,
    typed: &str,
    credential: Option<&Credential>,
    answer: &Answer,
) -> Result<webauthn::Asserted, Refused> {
    let pending = Pending::of(flow, ID).ok_or(Refused::Challenge)?;
    // The challenge was given out for one person's keys.
    if pending.identifier.as_deref().is_some_and(|named| normal::identifier(named) != normal::identifier(typed)) {
        return Err(Refused::Challenge);
    }
    let key = live_keys(cx, credential).find(|key| key.id().as_ref() == Some(&answer.id)).ok_or(Refused::Unknown)?;
    let handle = credential.and_then(|c| c.config.get("user_handle")).and_then(Value::as_str).and_then(webauthn::from_base64);
    let site = site(cx).ok_or(Refused::Site)?;
    webauthn::proved(&site, Verification::Optional, &pending.challenge(), key, handle.as_deref(), answer)
}
