//! `profile`: people change their traits.

use async_trait::async_trait;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message;
use portcullis_model::schema::{self, IdentitySchema};
use portcullis_model::ui::{Group, Node, Ui};
use serde_json::Value;

use super::{Method, SettingsMethod, SettingsOutcome};
use crate::app::Cx;
use crate::flow::engine::{self, Change, FlowError, Form, Fresh};

const ID: &str = "profile";

/// The method.
pub(super) struct Profile;

impl Method for Profile {
    fn id(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> Option<&dyn SettingsMethod> {
        Some(self)
    }
}

#[async_trait]
impl SettingsMethod for Profile {
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let schema = engine::schema_of(cx, who)?;
        // The form shows the traits as they were when it was opened, until it saves: whoever looks at it decides by that.
        let traits = flow.methods.entry(ID.to_owned()).or_insert_with(|| who.identity.traits.clone());
        ui.nodes.extend(schema::trait_nodes(&schema, Group::Profile, traits));
        ui.nodes.push(Node::submit(Group::Profile, ID, message::label::save()));
        Ok(())
    }

    fn keep(&self, cx: &Cx, who: &IdentityWithCredentials, form: &Form, notes: &mut Notes) {
        if let Ok(schema) = engine::schema_of(cx, who)
            && let Some(traits) = form.traits(&schema)
        {
            engine::keep_all_typed(&schema, &traits, notes);
        }
    }

    async fn check_form(&self, cx: &Cx, who: &IdentityWithCredentials, form: &Form) -> Result<(), FlowError> {
        let schema = engine::schema_of(cx, who)?;
        read(&schema, form).map(drop)
    }

    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError> {
        let schema = engine::schema_of(cx, who)?;
        let mut change = Change::by(ID, Fresh::IfAddressesChange);
        change.seen = flow.methods.get(ID).cloned();
        change.traits = Some(read(&schema, form)?);
        Ok(SettingsOutcome::Change(Box::new(change)))
    }
}

/// The traits as they are to be: what was sent takes the place of everything.
fn read(schema: &IdentitySchema, form: &Form) -> Result<Value, FlowError> {
    let mut traits = form.traits(schema).unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    schema.fill_absent_objects(&mut traits);
    let problems = schema.validate_traits(&traits);
    if problems.is_empty() {
        schema.normalise_phone_traits(&mut traits);
        return Ok(traits);
    }
    let mut notes = Notes::default();
    for problem in problems {
        if problem.unknown_field {
            // A field that the schema does not know is named above the form, and leaves no node behind.
            notes.tell(problem.message);
            continue;
        }
        notes.tell_at(&problem.node, problem.message);
        if let Some(note) = notes.nodes.get_mut(&problem.node) {
            note.group = Some(Group::Profile);
        }
    }
    Err(FlowError::Invalid(Box::new(notes)))
}
