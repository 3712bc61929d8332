//! Recovery with a choice of addresses: somebody comes with one address of their account, chooses among all of them by some
//! of their letters, types the chosen one in full, and gets the code there.
//!
//! Every body repeats what its step needs, so no step relies on what an earlier one kept. An address that nobody owns looks
//! like the only one of an account.

use portcullis_model::flow::{Detail, FlowState};
use portcullis_model::message;
use portcullis_model::normal;

use super::{Submit, decide, no_method, refuse_foreign, refuse_signed_in, replaced, send};
use crate::credential::address::{choices, via_of};
use crate::flow::engine::{Echo, Field, FlowError, Form, Replacement, Reply};
use crate::method::{Method, RecoveryMethod};

/// The field of an address that somebody comes with.
const ADDRESS: &str = "recovery_address";
/// The field of the chosen address's handle.
const SELECTED: &str = "recovery_select_address";
/// The field of the whole address that the code goes to.
const CONFIRMED: &str = "recovery_confirm_address";

/// What a body asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// To go a step back.
    Back,
    /// To be recovered by a code.
    Code,
    /// To be sent the code at an address.
    Confirm,
    /// To choose an address.
    Select,
    /// To begin with an address.
    Begin,
}

/// What a body asks for: the furthest step that it has a field for, else the next one of the flow.
fn step_of(form: &Form, state: FlowState) -> Step {
    let has = |name: &str| !matches!(form.field(name), Field::Absent | Field::Text(""));
    if form.text("screen") == Some("previous") {
        Step::Back
    } else if has("code") {
        Step::Code
    } else if has(CONFIRMED) {
        Step::Confirm
    } else if has(SELECTED) {
        Step::Select
    } else {
        match state {
            FlowState::RecoveryAwaitingAddressChoice => Step::Select,
            FlowState::RecoveryConfirmingAddress => Step::Confirm,
            FlowState::RecoveryAwaitingCode => Step::Code,
            // Whoever comes with an address to a flow that has passed is told so.
            FlowState::PassedChallenge if !has(ADDRESS) => Step::Code,
            _ => Step::Begin,
        }
    }
}

/// Judges a submit.
pub(super) async fn judge(
    submit: &mut Submit<'_>,
    form: &Form,
    (method, recovery): (&dyn Method, &dyn RecoveryMethod),
) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let step = step_of(form, submit.loaded.flow.state);
    if form.method().map_or(step != Step::Code, |named| named != method.id()) {
        return Err(no_method());
    }
    if let Some(refused) = refuse_foreign(submit, form).await? {
        return Ok(refused);
    }
    if step == Step::Code {
        let outcome = recovery.submit(cx, &mut submit.loaded.flow, form).await?;
        return decide(submit, method.id(), outcome).await;
    }
    if let Some(refused) = refuse_signed_in(submit).await? {
        return Ok(refused);
    }
    if submit.loaded.flow.state == FlowState::PassedChallenge {
        return replaced(submit, message::recovery::already_done(), Replacement::Spent).await.map_err(FlowError::api);
    }
    match step {
        Step::Back => back(submit, form).await,
        Step::Select => {
            let (came_with, handle) = (required(form, ADDRESS)?, required(form, SELECTED)?);
            let chosen = choices(cx, came_with).await?.into_iter().find(|choice| choice.handle() == handle);
            let chosen = chosen.ok_or_else(|| FlowError::tell(message::validation::generic("this address was not offered")))?;
            remember(submit, came_with);
            if normal::address(via_of(came_with), came_with) == chosen.address {
                return send(submit, recovery, came_with).await;
            }
            let flow = &mut submit.loaded.flow;
            flow.state = FlowState::RecoveryConfirmingAddress;
            if let Detail::Recovery { chosen: via, .. } = &mut flow.detail {
                *via = Some(chosen.via);
            }
            flow.notes.tell(message::recovery::enter_whole_address());
            submit.show(200, Echo::Payload).await
        }
        Step::Confirm => {
            let typed = required(form, CONFIRMED)?;
            remember(submit, form.text(ADDRESS).filter(|a| !a.is_empty()).unwrap_or(typed));
            send(submit, recovery, typed).await
        }
        Step::Begin | Step::Code => {
            let came_with = required(form, ADDRESS)?;
            remember(submit, came_with);
            if choices(cx, came_with).await?.is_empty() {
                return send(submit, recovery, came_with).await;
            }
            offer(submit).await
        }
    }
}

/// Back to the choice, or to the first step where there is none.
async fn back(submit: &mut Submit<'_>, form: &Form) -> Result<Reply, FlowError> {
    let came_with = form.text(ADDRESS).unwrap_or_default();
    remember(submit, came_with);
    if !choices(submit.cx, came_with).await?.is_empty() {
        return offer(submit).await;
    }
    submit.loaded.flow.state = FlowState::RecoveryAwaitingAddress;
    submit.show(200, Echo::Payload).await
}

async fn offer(submit: &mut Submit<'_>) -> Result<Reply, FlowError> {
    let flow = &mut submit.loaded.flow;
    flow.state = FlowState::RecoveryAwaitingAddressChoice;
    flow.notes.tell(message::recovery::choose_address());
    submit.show(200, Echo::Payload).await
}

/// Remembers the address that somebody came with, for the hidden field; what was told before is over.
fn remember(submit: &mut Submit<'_>, typed: &str) {
    let flow = &mut submit.loaded.flow;
    flow.notes = Default::default();
    if let Detail::Recovery { came_with, .. } = &mut flow.detail {
        *came_with = Some(typed.to_owned());
    }
}

fn required<'f>(form: &'f Form, name: &str) -> Result<&'f str, FlowError> {
    match form.field(name) {
        Field::Text(text) if !text.trim().is_empty() => Ok(text),
        Field::Other(value) => {
            Err(FlowError::tell_at(name, message::validation::wrong_type(&["string"], crate::flow::engine::json_type(value))))
        }
        _ => Err(FlowError::tell_at(name, message::validation::required(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_body_asks_for_the_furthest_step_that_it_has_a_field_for() {
        use FlowState::*;
        for (body, state, step) in [
            (json!({}), RecoveryAwaitingAddress, Step::Begin),
            (json!({ "recovery_address": "a" }), RecoveryAwaitingAddress, Step::Begin),
            (json!({ "recovery_address": "a" }), RecoveryAwaitingAddressChoice, Step::Select),
            (json!({ "recovery_address": "a", "recovery_select_address": "b" }), RecoveryAwaitingAddress, Step::Select),
            (json!({ "recovery_address": "a" }), RecoveryConfirmingAddress, Step::Confirm),
            (json!({ "recovery_select_address": "b", "recovery_confirm_address": "c" }), RecoveryAwaitingCode, Step::Confirm),
            (json!({ "recovery_confirm_address": "c", "code": "1" }), RecoveryAwaitingCode, Step::Code),
            (json!({ "recovery_address": "a" }), RecoveryAwaitingCode, Step::Code),
            (json!({ "recovery_address": "a" }), PassedChallenge, Step::Begin),
            (json!({ "code": "" }), PassedChallenge, Step::Code),
            (json!({ "code": "1", "screen": "previous" }), RecoveryAwaitingCode, Step::Back),
        ] {
            let Value::Object(fields) = body.clone() else { unreachable!() };
            assert_eq!(step_of(&Form::of(fields), state), step, "{body}");
        }
    }
}
