//! Identifier-first sign-in: the first step asks who somebody is, the second for what that account has.

use portcullis_model::flow::{Detail, Flow};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message;
use portcullis_model::normal;
use portcullis_model::session::Aal;
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::identities;

use crate::app::Cx;
use crate::config::flows::LoginStyle;
use crate::credential::identifier;
use crate::flow::engine::{FlowError, Form};

/// The value of `method` for the first step.
const ID: &str = "identifier_first";

/// What the first step found.
pub(super) struct Identified {
    /// As it was typed.
    pub(super) identifier: String,
    /// Whose it is. `None` where nobody may know: then every method shows itself.
    pub(super) who: Option<IdentityWithCredentials>,
}

/// Whether a submit is the first step.
pub(super) fn handles(cx: &Cx, flow: &Flow, form: &Form) -> bool {
    cx.config().selfservice.flows.login.style == LoginStyle::IdentifierFirst
        && matches!(&flow.detail, Detail::Login { requested_aal: Aal::Aal1, refresh: false, .. })
        && form.method() == Some(ID)
}

/// Takes the first step.
pub(super) async fn submit(cx: &Cx, flow: &mut Flow, form: &Form) -> Result<(), FlowError> {
    let typed = form.text("identifier").unwrap_or_default();
    flow.notes.keep("identifier", typed.into());
    let unknown = || FlowError::tell_at("identifier", message::login::unknown_identifier());
    if normal::identifier(typed).is_empty() {
        return Err(unknown());
    }
    if !cx.config().security.account_enumeration.mitigate {
        let who = find(cx, typed).await?.ok_or_else(unknown)?;
        if !has_first_factor(cx, &who) {
            return Err(unknown());
        }
    }
    flow.notes = Default::default();
    flow.active = Some(ID.to_owned());
    if let Detail::Login { identifier, .. } = &mut flow.detail {
        *identifier = Some(typed.to_owned());
    }
    Ok(())
}

/// What the first step of this flow found; `None` before it.
pub(super) async fn identified(cx: &Cx, flow: &Flow) -> Result<Option<Identified>, FlowError> {
    let Detail::Login { identifier: Some(typed), .. } = &flow.detail else { return Ok(None) };
    let who = if cx.config().security.account_enumeration.mitigate { None } else { find(cx, typed).await? };
    Ok(Some(Identified { identifier: typed.clone(), who }))
}

/// The question of the first step.
pub(super) fn push_question(cx: &Cx, flow: &Flow, ui: &mut Ui) {
    ui.nodes.push(node(cx, flow, InputType::Text, ""));
    ui.nodes.push(Node::submit(Group::IdentifierFirst, ID, message::label::proceed()));
}

/// The answer of the first step, hidden in the second.
pub(super) fn push_told(cx: &Cx, flow: &Flow, identifier: &str, ui: &mut Ui) {
    ui.nodes.push(node(cx, flow, InputType::Hidden, identifier));
}

fn node(cx: &Cx, flow: &Flow, kind: InputType, value: &str) -> Node {
    Node::input(Group::IdentifierFirst, "identifier", kind)
        .required()
        .autocomplete("username webauthn")
        .value(value.into())
        .label(identifier::label(cx, flow))
}

async fn find(cx: &Cx, typed: &str) -> Result<Option<IdentityWithCredentials>, FlowError> {
    let kinds: Vec<_> = cx.app.methods.enabled_credentials(cx.config()).map(|k| k.kind()).collect();
    identities::find_by_identifier(cx.store(), &kinds, &normal::identifier(typed)).await.map_err(FlowError::Store)
}

fn has_first_factor(cx: &Cx, who: &IdentityWithCredentials) -> bool {
    cx.app.methods.enabled(cx.config()).any(|method| match (method.credential(), method.login()) {
        (Some(kind), Some(login)) => {
            login.serves(cx.config(), Aal::Aal1) && who.credential(kind.kind()).is_some_and(|c| kind.usable(c).first)
        }
        _ => false,
    })
}
