//! Linking and unlinking an authenticator app.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, validation};
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use serde_json::{Value, json};

use super::device::{self, Device};
use super::{CODE, ID, Totp, UNLINK, config, is_linked, node, picture};
use crate::app::Cx;
use crate::flow::engine::{self, Change, Field, FlowError, Form, Fresh, SetCredential, json_type};
use crate::identity::sealed;
use crate::method::{SettingsMethod, SettingsOutcome};

#[async_trait]
impl SettingsMethod for Totp {
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        if linked(who) {
            let unlink = Node::input(Group::Totp, UNLINK, InputType::Submit).required().value("true".into());
            ui.nodes.push(unlink.label(message::settings::remove_totp()));
            return Ok(());
        }
        let secret = match shown_secret(flow) {
            Some(secret) => secret.to_owned(),
            None => {
                let secret = device::new_secret(cx.rng());
                flow.methods.insert(ID.to_owned(), json!({ "secret": secret }));
                secret
            }
        };
        if let Some(src) = picture::data_url(&url(cx, who, &secret)?) {
            ui.nodes.push(Node::picture(Group::Totp, "totp_qr", src, picture::SIDE, message::settings::totp_qr()));
        }
        let text = message::settings::totp_secret(&secret);
        ui.nodes.push(Node::text(Group::Totp, "totp_secret_key", text, message::settings::totp_secret_label()));
        ui.nodes.push(node(message::label::code()));
        ui.nodes.push(Node::submit(Group::Totp, ID, message::label::save()));
        Ok(())
    }

    fn asks_first(&self) -> bool {
        true
    }

    /// The secret that the form shows stays until it is linked: it may be in an app already.
    fn outlives(&self, memory: Value) -> Option<Value> {
        Some(memory)
    }

    async fn check_form(&self, _cx: &Cx, _who: &IdentityWithCredentials, form: &Form) -> Result<(), FlowError> {
        match form.field(CODE) {
            Field::Other(value) => Err(FlowError::tell_at(CODE, validation::wrong_type(&["string"], json_type(value)))),
            Field::Absent | Field::Text(_) => Ok(()),
        }
    }

    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError> {
        let mut change = Change::by(ID, Fresh::Always);
        if linked(who) {
            if !form.is_true(UNLINK) {
                let told = "an authenticator app is linked already; unlink it before you link another";
                return Err(FlowError::tell(validation::generic(told)));
            }
            change.remove.push(CredentialType::Totp);
            return Ok(SettingsOutcome::Change(Box::new(change)));
        }
        let typed = form.text(CODE).filter(|code| !code.is_empty());
        let typed = typed.ok_or_else(|| FlowError::tell_at(CODE, validation::required(CODE)))?;
        let wrong = || FlowError::tell_at(CODE, message::login::wrong_totp());
        let url = url(cx, who, shown_secret(flow).ok_or_else(wrong)?)?;
        let step = Device::of_url(&url).and_then(|device| device.step_of(typed, cx.now, None)).ok_or_else(wrong)?;
        let sealed_url = sealed::seal(cx.keys(), cx.rng(), who.identity.id, &url);
        change.set.push(SetCredential {
            kind: CredentialType::Totp,
            // The code that links the app may still sign in once: people go on with it right away. Older ones may not.
            config: config(&sealed_url, step.saturating_sub(1)),
            version: 0,
            identifiers: Some(vec![who.identity.id.to_string()]),
            beside_none: true,
        });
        change.proof = Some(AuthenticationMethod::new(ID, Aal::Aal2, cx.now));
        Ok(SettingsOutcome::Change(Box::new(change)))
    }
}

fn linked(who: &IdentityWithCredentials) -> bool {
    who.credential(CredentialType::Totp).is_some_and(is_linked)
}

/// The secret that this flow's form shows.
fn shown_secret(flow: &Flow) -> Option<&str> {
    flow.methods.get(ID)?.get("secret")?.as_str()
}

/// The URL by which an app learns a secret, with the names under which it shows the account.
fn url(cx: &Cx, who: &IdentityWithCredentials, secret: &str) -> Result<String, FlowError> {
    let host = cx.config().public_base_url().host_str().unwrap_or_default();
    let issuer = cx.config().selfservice.methods.totp.config.issuer.as_deref().filter(|name| !name.is_empty()).unwrap_or(host);
    let account = engine::schema_of(cx, who)?.derive(&who.identity.traits).totp_account_name;
    Ok(device::url(secret, issuer, account.as_deref().unwrap_or(&who.identity.id.to_string())))
}
