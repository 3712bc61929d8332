//! Adding and removing passkeys.

use async_trait::async_trait;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, validation};
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::Ui;
use serde_json::{Value, json};

use super::{ADD, CREATE_DATA, GROUP, ID, KIND, Passkey, REMOVE, begin_creation, site, stored_handle, verification, wish};
use crate::app::Cx;
use crate::credential::webauthn::{self, Answer, Pending, Refused, Trigger, User};
use crate::flow::engine::{self, Change, Edit, EditList, Field, FlowError, Form, Fresh, json_type};
use crate::method::{SettingsMethod, SettingsOutcome};

/// What a passkey without a name is called.
const UNNAMED: &str = "unnamed";

#[async_trait]
impl SettingsMethod for Passkey {
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let Some(site) = site(cx) else { return Ok(()) };
        let derived = engine::schema_of(cx, who)?.derive(&who.identity.traits);
        let Some(name) = derived.passkey_display_name.as_ref().or(derived.webauthn.first()) else {
            ui.messages.push(message::registration::no_identifier());
            return Ok(());
        };
        let keys = || who.credential(KIND).into_iter().flat_map(webauthn::keys);
        webauthn::script_node(cx, flow, ui);
        let is_last = is_last(cx, who);
        for key in keys() {
            let name = if key.name().is_empty() { UNNAMED } else { key.name() };
            let label = message::settings::remove_passkey(name, key.added_at());
            ui.nodes.push(webauthn::removal(GROUP, REMOVE, key, is_last, label));
        }
        let pending = begin_creation(cx, flow);
        let handle = pending.user_handle.as_deref().unwrap_or_default();
        let user = User { handle: handle.as_bytes(), name };
        let options = webauthn::creation(&site, &wish(cx), &pending.challenge(), &user, keys());
        let label = message::settings::add_passkey();
        ui.nodes.push(webauthn::trigger(flow, GROUP, "passkey_register_trigger", Trigger::AddPasskey, label).value("".into()));
        ui.nodes.push(webauthn::hidden(GROUP, ADD));
        ui.nodes.push(webauthn::hidden(GROUP, CREATE_DATA).value(options.to_string().into()));
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
        for name in [ADD, REMOVE] {
            if let Field::Other(value) = form.field(name) {
                notes.tell_at(name, validation::wrong_type(&["string"], json_type(value)));
            }
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
        let mut change = Change::by(ID, Fresh::Always);
        let edit = match form.text(REMOVE).filter(|id| !id.is_empty()) {
            Some(id) => remove(cx, who, id)?,
            None => {
                let refused = |why| FlowError::tell(webauthn::unreadable(why));
                let answer = Answer::parse(form.text(ADD).unwrap_or_default()).map_err(refused)?;
                let pending = Pending::of(flow, ID).ok_or_else(|| refused(Refused::Challenge))?;
                let handle = pending.user_handle.clone().ok_or_else(|| refused(Refused::Challenge))?;
                let site = site(cx).ok_or_else(|| refused(Refused::Site))?;
                let made = webauthn::made(&site, verification(cx), &pending.challenge(), &answer).map_err(refused)?;
                if who.credential(KIND).is_some_and(|c| webauthn::find(c, &answer.id).is_some()) {
                    return Err(FlowError::tell_at(ADD, validation::generic("this passkey is set up already")));
                }
                change.proof = Some(AuthenticationMethod::new(ID, Aal::Aal1, cx.now));
                Edit::Add {
                    entry: webauthn::entry(&made, "", true, cx.now),
                    beside: json!({ "user_handle": stored_handle(&handle) }),
                    identifiers: vec![handle],
                }
            }
        };
        change.edits.push(EditList { kind: KIND, list: "credentials".to_owned(), edit });
        Ok(SettingsOutcome::Change(Box::new(change)))
    }
}

fn remove(cx: &Cx, who: &IdentityWithCredentials, id: &str) -> Result<Edit, FlowError> {
    let id = data_encoding::HEXLOWER_PERMISSIVE.decode(id.as_bytes()).unwrap_or_default();
    let key = who.credential(KIND).and_then(|credential| webauthn::find(credential, &id));
    let key = key.ok_or_else(|| FlowError::tell(validation::generic("there is no such passkey")))?;
    if is_last(cx, who) {
        let told = "this is the only way to sign in to your account; set up another before you remove it";
        return Err(FlowError::tell_at(REMOVE, validation::generic(told)));
    }
    Ok(Edit::Remove { id: key.stored_id().clone() })
}

/// Whether nobody could sign in any more without one of the passkeys.
fn is_last(cx: &Cx, who: &IdentityWithCredentials) -> bool {
    cx.app.methods.first_factors(cx.config(), who) < 2
}
