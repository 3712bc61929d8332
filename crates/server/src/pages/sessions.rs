//! The settings page's list of sessions, and ending them from there without a script.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, Form, Reply, csrf, with_parameter};
use portcullis_core::session;
use portcullis_model::error::ApiError;
use portcullis_model::session::Device;
use portcullis_model::time::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::device::{self, When};
use super::{ask, problem, texts};
use crate::http::reply::{self, Response};
use crate::http::sessions as operations;

/// The most sessions that are listed.
const MOST: &str = "50";

/// The list.
pub(super) struct Sessions {
    /// Where its buttons go.
    pub action: String,
    /// The token that they carry.
    pub csrf_token: String,
    /// The settings flow to come back to.
    pub flow: String,
    /// This session, then the others, newest first.
    pub list: Vec<Row>,
}

/// One session.
pub(super) struct Row {
    /// Its id.
    pub id: Uuid,
    /// The device that it is on.
    pub device: String,
    /// City, country and address, as far as they are known.
    pub place: String,
    /// When somebody last signed in to it.
    pub since: When,
    /// Whether it is the one of this browser.
    pub is_current: bool,
    /// What its button says to those who do not see the row.
    pub end_label: String,
}

/// The part of a session's JSON that is shown.
#[derive(Deserialize)]
struct Told {
    id: Uuid,
    authenticated_at: Timestamp,
    #[serde(default)]
    devices: Option<Vec<Device>>,
}

impl Row {
    fn new(id: Uuid, since: Timestamp, devices: &[Device], is_current: bool) -> Self {
        let first = devices.first();
        let name = first.map_or_else(|| texts::UNKNOWN_DEVICE.to_owned(), |d| device::name(&d.user_agent));
        let places = first.into_iter().flat_map(|d| [d.location.as_str(), d.ip_address.as_str()]);
        let place = places.filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ");
        Self { id, end_label: texts::end_session(&name), device: name, place, since: When::new(since), is_current }
    }
}

/// The sessions of whoever asks; `None` if they cannot be told.
pub(super) async fn list(cx: &Cx, flow: &str, csrf_token: &str) -> Option<Sessions> {
    let current = session::current(cx).await.ok()??;
    let others: Vec<Told> = match operations::list_mine(&ask(cx, &[("per_page", MOST)])).await {
        Reply { body: Body::Json(told), .. } => serde_json::from_value(told).ok()?,
        Reply { body: Body::Written(told), .. } => serde_json::from_slice(&told).ok()?,
        _ => return None,
    };
    let this = &current.session;
    let mut list = vec![Row::new(this.id, this.authenticated_at, &this.devices, true)];
    list.extend(others.into_iter().map(|s| Row::new(s.id, s.authenticated_at, s.devices.as_deref().unwrap_or_default(), false)));
    Some(Sessions { action: cx.public_url("/settings/sessions"), csrf_token: csrf_token.to_owned(), flow: flow.to_owned(), list })
}

/// `POST /settings/sessions`: ends one session, by its id in the field `session`, or with `others` all but this one.
pub(super) async fn end(cx: &Cx) -> Response {
    match try_end(cx).await {
        Ok(back) => reply::redirect(303, &back),
        Err(error) => problem::of(cx, &error, Some(cx.public_url("/self-service/settings/browser"))),
    }
}

async fn try_end(cx: &Cx) -> Result<String, ApiError> {
    let form = Form::read(&cx.request).map_err(|why| ApiError::bad_request(format!("The form cannot be read: {why}.")))?;
    csrf::check_browser(cx, &form)?;
    let reply = match form.text("session") {
        Some("others") => operations::revoke_others(cx).await,
        Some(id) => operations::revoke_one(cx, id).await,
        None => return Err(ApiError::bad_request("The form names no session.")),
    };
    if let Body::Error(error) = reply.body {
        return Err(*error);
    }
    let page = cx.public_url("/settings");
    let flow = form.text("flow").and_then(|id| Uuid::parse_str(id).ok());
    Ok(flow.map_or(page.clone(), |id| with_parameter(&page, "flow", &id.to_string())))
}
