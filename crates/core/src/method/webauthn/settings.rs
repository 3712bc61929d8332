//! Adding and removing security keys.

use async_trait::async_trait;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, validation};
use portcullis_model::session::AuthenticationMethod;
use portcullis_model::ui::{InputType, Node, Ui};
use serde_json::{Value, json};

use super::{GROUP, ID, KIND, NAME, REGISTER, REMOVE, USER_VERIFICATION, WebAuthn, is_passwordless, level, site};
use crate::app::Cx;
use crate::credential::webauthn::{self, Answer, Creation, Key, Pending, Refused, Trigger, User, Verification};
use crate::flow::engine::{Change, Edit, EditList, Field, FlowError, Form, Fresh, json_type};
use crate::method::{SettingsMethod, SettingsOutcome};

/// The longest name of a key, in characters.
const MAX_NAME: usize = 255;

#[async_trait]
impl SettingsMethod for WebAuthn {
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let Some(site) = site(cx).filter(|_| !flow.is_native()) else { return Ok(()) };
        let pending = Pending::begin(cx, flow, ID, || None);
        let keys = || who.credential(KIND).into_iter().flat_map(webauthn::keys);
        for key in keys() {
            let label = message::settings::remove_security_key(key.name(), key.added_at());
            ui.nodes.push(webauthn::removal(GROUP, REMOVE, key, is_last(cx, who, key), label));
        }
        let label = message::settings::security_key_name();
        ui.nodes.push(Node::input(GROUP, NAME, InputType::Text).value("".into()).label(label));
        ui.nodes.push(webauthn::hidden(GROUP, REGISTER).value("".into()));
        let user = User { handle: who.identity.id.as_bytes(), name: &site.name };
        let wish = Creation { user_verification: USER_VERIFICATION, ..Creation::default() };
        let options = webauthn::creation(&site, &wish, &pending.challenge(), &user, keys());
        let label = message::settings::add_security_key();
        let button = webauthn::trigger(flow, GROUP, "webauthn_register_trigger", Trigger::AddKey, label);
        ui.nodes.push(webauthn::onclick(button, Trigger::AddKey, &options));
        webauthn::script_node(cx, flow, ui);
        Ok(())
    }

    fn asks_first(&self) -> bool {
        true
    }

    /// Forms that are open keep their challenge.
    fn outlives(&self, memory: Value) -> Option<Value> {
        Some(memory)
    }

    async fn check_form(&self, _cx: &Cx, _who: &IdentityWithCredentials, form: &Form) -> Result<(), FlowError> {
        let mut notes = Notes::default();
        for name in [REGISTER, REMOVE, NAME] {
            if let Field::Other(value) = form.field(name) {
                notes.tell_at(name, validation::wrong_type(&["string"], json_type(value)));
            }
        }
        let name = form.text(NAME).unwrap_or_default();
        if removed(form).is_none() && name.is_empty() {
            notes.tell_at(NAME, validation::required(NAME));
        }
        if name.chars().count() > MAX_NAME {
            notes.tell_at(NAME, validation::generic("the name is too long"));
        }
        if notes.has_messages() { Err(FlowError::Invalid(Box::new(notes))) } else { Ok(()) }
    }

    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError> {
        let (Some(site), false) = (site(cx), flow.is_native()) else {
            return Err(FlowError::tell(message::settings::no_method()));
        };
        let mut change = Change::by(ID, Fresh::Always);
        let edit = match removed(form) {
            Some(id) => remove(cx, who, id)?,
            None => {
                let refused = |why| FlowError::tell(webauthn::unreadable(why));
                let answer = Answer::parse(form.text(REGISTER).unwrap_or_default()).map_err(refused)?;
                let pending = Pending::of(flow, ID).ok_or_else(|| refused(Refused::Challenge))?;
                let made = webauthn::made(&site, Verification::Optional, &pending.challenge(), &answer).map_err(refused)?;
                if who.credential(KIND).is_some_and(|c| webauthn::find(c, &answer.id).is_some()) {
                    return Err(FlowError::tell_at(REGISTER, validation::generic("this key is set up already")));
                }
                change.proof = Some(AuthenticationMethod::new(ID, level(cx.config()), cx.now));
                let name = form.text(NAME).unwrap_or_default();
                Edit::Add {
                    entry: webauthn::entry(&made, name, is_passwordless(cx.config()), cx.now),
                    beside: json!({ "user_handle": webauthn::to_stored(who.identity.id.as_bytes()) }),
                    // They follow from the traits.
                    identifiers: Vec::new(),
                }
            }
        };
        change.edits.push(EditList { kind: KIND, list: "credentials".to_owned(), edit });
        Ok(SettingsOutcome::Change(Box::new(change)))
    }
}

/// The key that is to go, in hexadecimal.
fn removed(form: &Form) -> Option<&str> {
    form.text(REMOVE).filter(|id| !id.is_empty())
}

fn remove(cx: &Cx, who: &IdentityWithCredentials, id: &str) -> Result<Edit, FlowError> {
    let id = data_encoding::HEXLOWER_PERMISSIVE.decode(id.as_bytes()).unwrap_or_default();
    let key = who.credential(KIND).and_then(|credential| webauthn::find(credential, &id));
    let key = key.ok_or_else(|| FlowError::tell(validation::generic("there is no such security key")))?;
    if is_last(cx, who, key) {
        let told = "this is the only way to sign in to your account; set up another before you remove it";
        return Err(FlowError::tell_at(REMOVE, validation::generic(told)));
    }
    Ok(Edit::Remove { id: key.stored_id().clone() })
}

/// Whether nobody could sign in any more without the key.
fn is_last(cx: &Cx, who: &IdentityWithCredentials, key: Key<'_>) -> bool {
    key.is_passwordless() && cx.app.methods.first_factors(cx.config(), who) < 2
}
