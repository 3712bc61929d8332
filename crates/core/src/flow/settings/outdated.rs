//! Forms that were overtaken: the account's addresses changed after the form was opened, by another form, an app or an
//! operator. Sending the form whole would change them back without anybody meaning it.

use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message;
use portcullis_model::schema::IdentitySchema;
use serde_json::Value;

use crate::flow::engine::{Change, FlowError};

/// Refuses a change that would undo another one of addresses or identifiers which the person has not seen. The form shows
/// then what is there now, with what was typed; sent again, it is taken.
///
/// # Errors
/// Message 4000001.
pub(super) fn check(
    schema: &IdentitySchema,
    flow: &mut Flow,
    change: &Change,
    who: &IdentityWithCredentials,
) -> Result<(), FlowError> {
    let (Some(seen), Some(wanted)) = (&change.seen, &change.traits) else { return Ok(()) };
    let now = schema.derive(&who.identity.traits);
    if schema.derive(seen) == now || schema.derive(wanted) == now {
        return Ok(());
    }
    flow.methods.remove(&change.method);
    for leaf in schema.leaves() {
        let at = |traits: &Value| leaf.path.iter().try_fold(traits, |value, step| value.get(step)).cloned();
        if at(seen) == at(wanted) {
            // It was not typed, only sent back as it was shown.
            flow.notes.forget_typed(&leaf.name);
        }
    }
    let why = "an address of this account was changed after this form was opened; look at the form and send it again";
    Err(FlowError::tell(message::validation::generic(why)))
}
