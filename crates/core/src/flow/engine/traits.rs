//! Traits as somebody typed them: validated, and every fault told at its field.

use portcullis_model::flow::Notes;
use portcullis_model::schema::IdentitySchema;
use portcullis_model::ui::Group;
use serde_json::Value;

use super::fault::FlowError;
use crate::app::Cx;

/// The group of trait nodes of a sign-up.
#[must_use]
pub fn trait_group(cx: &Cx) -> Group {
    match cx.config().feature_flags.password_profile_registration_node_group.as_str() {
        "password" => Group::Password,
        _ => Group::Default,
    }
}

/// The traits of a sign-up as they are to be stored.
///
/// # Errors
/// [`FlowError::Invalid`] with every fault, and those of `notes` with them.
pub fn judged_traits(cx: &Cx, schema: &IdentitySchema, mut traits: Value, mut notes: Notes) -> Result<Value, FlowError> {
    schema.fill_absent_objects(&mut traits);
    for problem in schema.validate_traits(&traits).into_iter().chain(schema.whole_numbers_as_fractions(&traits)) {
        notes.tell_at(&problem.node, problem.message);
        // A fault without a node of its own gets one, named like the object that holds it.
        if let Some(note) = notes.nodes.get_mut(&problem.node) {
            note.group = Some(trait_group(cx));
        }
    }
    if notes.has_messages() {
        return Err(FlowError::Invalid(Box::new(notes)));
    }
    schema.normalise_phone_traits(&mut traits);
    Ok(traits)
}
