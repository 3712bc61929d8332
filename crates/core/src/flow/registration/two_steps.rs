//! Sign-up in two steps: the traits first, then a credential.

use portcullis_model::flow::{Detail, Flow, FlowState, Notes};
use portcullis_model::message;
use portcullis_model::schema::IdentitySchema;
use portcullis_model::ui::{Group, InputType, Node, Ui};
use serde_json::Value;

use super::{RegistrationStage, RegistrationStyle, Submit};
use crate::flow::engine::{self, FlowError, Form, Reply};

/// What a submit asks of the two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The traits are given.
    Profile,
    /// Back to the traits.
    Back,
    /// From a method's own form to the choice of credentials.
    ChooseCredential,
    /// A screen that there is not.
    Unknown,
}

impl Step {
    /// What a form asks; `None` if it is for a method.
    pub(super) fn of(form: &Form) -> Option<Self> {
        let screen = form.text("screen").filter(|s| !s.is_empty());
        match (form.method(), screen) {
            (Some("profile:back"), _) => Some(Self::Back),
            (Some("profile") | None, Some("previous")) => Some(Self::Back),
            (Some("profile") | None, Some("credential-selection")) => Some(Self::ChooseCredential),
            (Some("profile"), Some(_)) => Some(Self::Unknown),
            (Some("profile"), None) => Some(Self::Profile),
            _ => None,
        }
    }
}

/// Takes a step.
pub(super) async fn take(submit: &mut Submit<'_>, schema: &IdentitySchema, form: &Form, step: Step) -> Result<Reply, FlowError> {
    match step {
        Step::Back => {
            // Nothing is told and nothing is at stake, so no token is asked for.
            let traits = form.traits(schema).unwrap_or(Value::Null);
            let flow = &mut submit.loaded.flow;
            flow.notes = Notes::default();
            engine::keep_typed(schema, &traits, &mut flow.notes);
            set_choosing(flow, false);
            return submit.show(400, 303, false).await;
        }
        Step::Unknown => {
            let traits = form.traits(schema).unwrap_or(Value::Null);
            engine::keep_typed(schema, &traits, &mut submit.loaded.flow.notes);
            let mut notes = Notes::default();
            notes.tell_at("screen", message::validation::generic("there is no such screen"));
            if let Some(note) = notes.nodes.get_mut("screen") {
                note.group = Some(Group::Default);
            }
            return Err(FlowError::Invalid(Box::new(notes)));
        }
        Step::Profile | Step::ChooseCredential => {}
    }
    submit.take_traits(schema, form, Notes::default())?;
    submit.check_csrf(form)?;
    let flow = &mut submit.loaded.flow;
    flow.notes.clear_messages();
    set_choosing(flow, true);
    flow.notes.tell(message::registration::choose_credential());
    submit.show(400, 303, true).await
}

/// What belongs to the form besides traits and credentials: the buttons between the steps, and hidden traits in the
/// second.
pub(super) fn decorate(stage: RegistrationStage, ui: &mut Ui) {
    match stage {
        RegistrationStage::Unified => {}
        RegistrationStage::Profile => {
            ui.nodes.push(Node::submit(Group::Profile, "profile", message::registration::sign_up()));
        }
        RegistrationStage::Credential => {
            hide_traits(ui);
            ui.nodes.push(screen("previous"));
        }
    }
}

/// As [`decorate`], for a form that waits for the answer to a challenge: there is a button back to the choice of credentials.
pub(super) fn decorate_waiting(style: RegistrationStyle, ui: &mut Ui) {
    hide_traits(ui);
    if style == RegistrationStyle::ProfileFirst {
        ui.nodes.push(screen("credential-selection"));
    }
}

fn hide_traits(ui: &mut Ui) {
    for node in ui.nodes.iter_mut().filter(|n| n.name().is_some_and(|name| name.starts_with("traits"))) {
        if let Some(input) = node.as_input_mut() {
            input.kind = InputType::Hidden;
        }
    }
}

/// A button to another screen.
fn screen(name: &str) -> Node {
    Node::input(Group::Profile, "screen", InputType::Submit).value(name.into()).label(message::registration::back())
}

/// Between the steps. A challenge that waited for an answer does so no more.
fn set_choosing(flow: &mut Flow, on: bool) {
    if flow.state == FlowState::SentEmail {
        flow.state = FlowState::ChooseMethod;
        flow.active = None;
    }
    if let Detail::Registration { choosing_credential, .. } = &mut flow.detail {
        *choosing_credential = on;
    }
}
