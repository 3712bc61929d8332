//! What all flows share: requests and replies without HTTP, forms, `return_to`, anti-CSRF, keeping and showing flows,
//! expiry, submits, hooks, parked submits, and how a failure reaches the client.
//!
//! Each stage is a function; a flow's file calls them in the order that its reference gives.

mod after;
mod change;
pub mod csrf;
mod expired;
mod fault;
mod form;
mod keep;
mod parked;
mod reply;
mod request;
pub mod return_to;
mod show;
mod submission;
mod traits;

pub use after::{
    After, Before, Owed, Pending, Verification, form_for_hooks, leads_to_verification, ring, run_after, run_before, run_deciding,
    run_deciding_again, run_following, settle, settle_alone,
};
pub use change::{Change, Edit, EditList, Fresh, SetCredential};
pub use expired::{expired, gone, replaced};
pub use fault::{FlowError, answer_error, error_page, plain, store_error};
pub use form::{Field, Form, Unreadable, json_type, transient_payload};
pub use keep::{Loaded, begin, flow_id, insert, insert_new, load, load_by_parameter, remembers, save, save_unchanged, update};
pub use parked::{
    Parked, hold_trip, of_browser as browser_holder, of_session as session_holder, park, prolong_parking, take_parked,
    trip_holder, unpark,
};
pub use reply::{Body, CookieChange, Reply};
pub use request::{Carrier, CsrfCookie, MediaType, Presented, Request, Wants};
pub use show::{Shown, begun, body, csrf_node, dress, dress_what_is_there, page, page_of, ui_for, with_parameter};
pub use submission::{Echo, Replacement, Showing, Submission, begin_shown, see_instead};
pub use traits::{judged_traits, trait_group};

use std::sync::Arc;

use portcullis_model::clock::random_text;
use portcullis_model::error::ApiError;
use portcullis_model::flow::{Detail, Flow, FlowState, FlowType, Notes};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::schema::IdentitySchema;
use serde_json::Value;

use crate::app::Cx;

/// How often an operation decides anew when the facts that it read have changed under it.
pub const TRIES: usize = 3;

/// A flow that begins now.
#[must_use]
pub fn new_flow(cx: &Cx, flow_type: FlowType, state: FlowState, detail: Detail, return_to: Option<String>) -> Flow {
    let lifespan = cx.config().flow(detail.kind()).lifespan;
    Flow {
        id: cx.new_id(),
        flow_type,
        state,
        active: None,
        issued_at: cx.now,
        expires_at: cx.now.plus(lifespan),
        request_url: cx.request.url.clone(),
        return_to,
        identity_id: None,
        csrf: match flow_type {
            FlowType::Browser => csrf::binding(cx),
            FlowType::Api => None,
        },
        notes: Notes::default(),
        methods: Default::default(),
        exchange_code: None,
        login_challenge: None,
        leads_to: None,
        detail,
    }
}

/// A flow that begins now in place of another one of the same client, for the same purpose, with what a method remembers of
/// that. It is not stored.
#[must_use]
pub fn in_place_of(cx: &Cx, old: &Flow, method: &str, detail: Detail) -> Flow {
    let mut new = new_flow(cx, old.flow_type, FlowState::ChooseMethod, detail, old.return_to.clone());
    new.request_url.clone_from(&old.request_url);
    new.active = Some(method.to_owned());
    new.csrf.clone_from(&old.csrf);
    new.exchange_code.clone_from(&old.exchange_code);
    new.login_challenge.clone_from(&old.login_challenge);
    if let Some(memory) = old.methods.get(method) {
        new.methods.insert(method.to_owned(), memory.clone());
    }
    new
}

/// Whether a client of this flow is answered with JSON.
#[must_use]
pub fn takes_json(cx: &Cx, flow_type: FlowType) -> bool {
    flow_type == FlowType::Api || cx.request.takes_json()
}

/// The identity schema that the request which begins a flow asks for; `None` if it asks for none.
///
/// # Errors
/// 400 if there is no such schema, or it may not be chosen.
pub fn requested_schema(cx: &Cx) -> Result<Option<String>, ApiError> {
    let Some(id) = cx.request.parameter("identity_schema") else { return Ok(None) };
    match cx.snapshot.schemas.selectable(id) {
        Some(_) => Ok(Some(id.to_owned())),
        None => Err(ApiError::bad_request("This identity schema does not exist or cannot be chosen.")),
    }
}

/// The schema of an id, or the default one.
///
/// # Errors
/// If the schema is not configured any more.
pub fn schema_or_default(cx: &Cx, id: Option<&str>) -> Result<Arc<IdentitySchema>, ApiError> {
    let found = match id {
        Some(id) => cx.snapshot.schemas.get(id),
        None => Some(cx.snapshot.schemas.default_schema()),
    };
    found.ok_or_else(|| ApiError::bad_request("The identity schema of this flow does not exist any more."))
}

/// The schema of an account.
///
/// # Errors
/// If it is not configured any more: an operator's mistake, not the person's.
pub fn schema_of(cx: &Cx, who: &IdentityWithCredentials) -> Result<Arc<IdentitySchema>, FlowError> {
    cx.snapshot.schemas.get(&who.identity.schema_id).ok_or_else(|| {
        tracing::error!(schema = %who.identity.schema_id, "an identity names a schema that is not configured");
        FlowError::api(ApiError::internal())
    })
}

/// The first half of the codes by which a native app gets its session after a social sign-in in a browser, if it asks for
/// them. It is shown once; only its hash is kept.
pub fn exchange_code(cx: &Cx, flow: &mut Flow) -> Option<String> {
    if !flow.is_native() || cx.request.parameter("return_session_token_exchange_code") != Some("true") {
        return None;
    }
    let code = random_text(cx.rng(), 64);
    flow.exchange_code = Some(hex(&cx.keys().token_hash(&code)));
    Some(code)
}

/// Remembers typed traits at their nodes. What was not typed keeps what an earlier attempt left.
pub fn keep_typed(schema: &IdentitySchema, traits: &Value, notes: &mut Notes) {
    for leaf in schema.leaves() {
        let typed = leaf.path.iter().try_fold(traits, |value, step| value.get(step));
        if let Some(value) = typed.filter(|v| !v.is_null()) {
            notes.keep(&leaf.name, value.clone());
        }
    }
}

/// Remembers typed traits at their nodes, those that were left empty too: the form comes back exactly as it was sent.
pub fn keep_all_typed(schema: &IdentitySchema, traits: &Value, notes: &mut Notes) {
    for leaf in schema.leaves() {
        let typed = leaf.path.iter().try_fold(traits, |value, step| value.get(step));
        notes.keep(&leaf.name, typed.cloned().unwrap_or(Value::Null));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
