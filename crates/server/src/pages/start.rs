//! The start page: who is signed in, and where to go from here.

use askama::Template;
use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, Reply};
use portcullis_core::flow::logout;
use portcullis_core::session;
use portcullis_model::flow::FlowKind;
use portcullis_model::identity::Identity;
use serde_json::Value;

use super::frame::{self, Action, Frame};
use super::{ask, problem, texts};
use crate::http::reply::Response;

#[derive(Template)]
#[template(path = "start.html")]
struct Page {
    frame: Frame,
    heading: &'static str,
    lead: &'static str,
    account: Option<String>,
    actions: Vec<Action>,
}

/// `GET /`.
pub(super) async fn page(cx: &Cx) -> Response {
    let current = match session::current(cx).await {
        Ok(current) => current,
        Err(error) => return problem::of(cx, &error, None),
    };
    let begin = |kind: FlowKind| cx.public_url(&format!("/self-service/{kind}/browser"));
    let mut actions = Vec::new();
    let can_sign_up = cx.config().flow_enabled(FlowKind::Registration);
    let (heading, lead) = if current.is_some() {
        actions.push(Action { class: "primary", href: begin(FlowKind::Settings), text: texts::SETTINGS });
        if let Some(href) = sign_out(cx).await {
            actions.push(Action { class: "secondary", href, text: texts::SIGN_OUT });
        }
        (texts::WELCOME_BACK, "")
    } else {
        actions.push(Action { class: "primary", href: begin(FlowKind::Login), text: texts::SIGN_IN });
        if can_sign_up {
            actions.push(Action { class: "secondary", href: begin(FlowKind::Registration), text: texts::SIGN_UP });
        }
        (texts::WELCOME, if can_sign_up { texts::WELCOME_LEAD } else { texts::WELCOME_LEAD_CLOSED })
    };
    let account = current.map(|c| name_of(cx, &c.identity));
    frame::answer(cx, 200, &Page { frame: Frame::new(cx, heading, false), heading, lead, account, actions })
}

/// The address that ends the session of this browser; `None` if there is no session.
pub(super) async fn sign_out(cx: &Cx) -> Option<String> {
    match logout::begin(&ask(cx, &[])).await {
        Reply { body: Body::Json(told), .. } => told.get("logout_url").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}

/// What to call somebody: the first trait of their schema that they filled in with words, else their address, else their id.
#[must_use]
pub(super) fn name_of(cx: &Cx, who: &Identity) -> String {
    let schema = cx.snapshot.schemas.get(&who.schema_id);
    let leaves = schema.iter().flat_map(|schema| schema.leaves());
    let mut words = leaves.filter_map(|leaf| {
        let value = leaf.path.iter().try_fold(&who.traits, |value, step| value.get(step));
        value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    });
    let address = || who.verifiable_addresses.first().map(|a| a.value.clone());
    words.next().or_else(address).unwrap_or_else(|| who.id.to_string())
}
