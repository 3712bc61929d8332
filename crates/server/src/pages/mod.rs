//! The built-in pages: what people see where the operator has no front end of their own.
//!
//! A page of a flow exists exactly where the configuration names no `ui_url` for it, the start page where sign-in is built
//! in, the page of trials where there are providers to try. Pages are printed on the server from the same JSON that front ends get, and post to the same routes; they work
//! without scripts. Nothing is loaded from elsewhere, and nothing on a page is inline. In development mode the admin port
//! has a page of the messages that were written.

mod assets;
mod device;
mod flow;
mod form;
mod frame;
mod mailbox;
mod problem;
mod sessions;
mod settings;
mod start;
mod texts;
mod trial;

use portcullis_core::app::Cx;
use portcullis_core::config::Config;
use portcullis_core::credential::webauthn;
use portcullis_core::flow::engine::{Request, Wants};
use portcullis_model::flow::FlowKind;

use crate::http::table::{Methods, Row, direct, page};

/// The pages' rows of the public port.
#[must_use]
pub fn rows() -> Vec<Row> {
    vec![
        page(Methods::GET, "/", |c| is_built_in(c, FlowKind::Login), |cx| Box::pin(start::page(cx))),
        page(Methods::GET, "/login", |c| is_built_in(c, FlowKind::Login), |cx| Box::pin(flow::page(cx, FlowKind::Login))),
        page(
            Methods::GET,
            "/registration",
            |c| is_built_in(c, FlowKind::Registration),
            |cx| Box::pin(flow::page(cx, FlowKind::Registration)),
        ),
        page(
            Methods::GET,
            "/settings",
            |c| is_built_in(c, FlowKind::Settings),
            |cx| Box::pin(flow::page(cx, FlowKind::Settings)),
        ),
        page(Methods::POST, "/settings/sessions", |c| is_built_in(c, FlowKind::Settings), |cx| Box::pin(sessions::end(cx))),
        page(
            Methods::GET,
            "/recovery",
            |c| is_built_in(c, FlowKind::Recovery),
            |cx| Box::pin(flow::page(cx, FlowKind::Recovery)),
        ),
        page(
            Methods::GET,
            "/verification",
            |c| is_built_in(c, FlowKind::Verification),
            |cx| Box::pin(flow::page(cx, FlowKind::Verification)),
        ),
        page(Methods::GET, "/error", |c| c.selfservice.flows.error.ui_url.is_none(), |cx| Box::pin(problem::page(cx))),
        page(Methods::GET, trial::PATH, trial::exists, |cx| Box::pin(trial::page(cx))),
        page(Methods::POST, trial::PATH, trial::exists, |cx| Box::pin(trial::remove(cx))),
        direct(Methods::GET, assets::STYLE_PATH, |_, cx, _| Box::pin(async { assets::style(cx) })),
        direct(Methods::GET, assets::SCRIPT_PATH, |_, cx, _| Box::pin(async { assets::script(cx) })),
        direct(Methods::GET, webauthn::SCRIPT_PATH, |_, cx, _| Box::pin(async { assets::keys(cx) })),
        direct(Methods::GET, assets::ICON_PATH, |_, cx, _| Box::pin(async { assets::icon(cx) })),
    ]
}

/// The rows of the admin port: pages for developers.
#[must_use]
pub fn admin_rows() -> Vec<Row> {
    mailbox::rows()
}

/// Where developers read what the server would send; `None` where nobody may.
#[must_use]
pub fn mailbox_address(config: &Config) -> Option<String> {
    mailbox::exists(config).then(|| config.admin_url(mailbox::PATH).to_string())
}

/// Whether the page of a flow is ours.
fn is_built_in(config: &Config, kind: FlowKind) -> bool {
    config.flow(kind).ui_url.is_none()
}

/// The same browser asking one of our own operations: as JSON, with this query and no body.
fn ask(cx: &Cx, query: &[(&str, &str)]) -> Cx {
    let request = Request {
        method: "GET".to_owned(),
        query: query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        wants: Some(Wants::Json),
        sends_json: false,
        body: Vec::new(),
        ..cx.request.clone()
    };
    Cx { app: std::sync::Arc::clone(&cx.app), snapshot: std::sync::Arc::clone(&cx.snapshot), now: cx.now, request }
}
