//! The settings page's list of sessions, and ending them from there without a script.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, Form, csrf, with_parameter};
use portcullis_core::session::{Current, aal};
use portcullis_model::error::ApiError;
use portcullis_model::session::Session;
use portcullis_model::time::Timestamp;
use portcullis_store::sessions;
use uuid::Uuid;

use super::device::{self, When};
use super::form::Notice;
use super::{problem, texts};
use crate::http::reply::{self, Response};
use crate::http::sessions as operations;

/// The most other sessions that are listed.
const MOST: u32 = 50;

/// The page's parameter that says what was ended.
pub(super) const ENDED: &str = "ended";
/// Its value, and that of the form, for all sessions but this one.
const OTHERS: &str = "others";
/// Its value for a single session.
const ONE: &str = "one";

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
    /// How many more there are than are listed.
    pub more: u64,
    /// What is told about them.
    pub notices: Vec<Notice>,
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
    /// When it was last used, to a few minutes.
    pub seen: When,
    /// Whether it is the one of this browser.
    pub is_current: bool,
    /// What its button says to those who do not see the row.
    pub end_label: String,
}

impl Row {
    fn new(session: &Session, is_current: bool, now: Timestamp) -> Self {
        let first = session.devices.first();
        let name = first.map_or_else(|| texts::UNKNOWN_DEVICE.to_owned(), |d| device::name(&d.user_agent));
        let places = first.into_iter().flat_map(|d| [d.location.as_str(), d.ip_address.as_str()]);
        let place = places.filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ");
        let seen = if is_current { now } else { session.updated_at };
        Self {
            id: session.id,
            end_label: texts::end_session(&name),
            device: name,
            place,
            since: When::new(session.authenticated_at),
            seen: When::new(seen),
            is_current,
        }
    }
}

/// The sessions of whoever asks; `None` if they cannot be told.
pub(super) async fn list(cx: &Cx, current: &Current, flow: &str, csrf_token: &str) -> Option<Sessions> {
    let (this, owner) = (&current.session, current.identity.id);
    // The settings may ask for less than the list does.
    if !aal::satisfies(cx, cx.config().session.whoami.required_aal, this, &current.identity) {
        return None;
    }
    let read = sessions::list_by_identity(cx.store(), owner, Some(true), cx.now, Some(this.id), 0, MOST).await;
    let (others, total) = match read {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "the sessions cannot be listed");
            return None;
        }
    };
    let more = total.saturating_sub(others.len() as u64);
    let rest = others.iter().map(|s| Row::new(s, false, cx.now));
    let told = match cx.request.parameter(ENDED) {
        Some(OTHERS) => Some(Notice::done(texts::OTHERS_ENDED)),
        Some(ONE) => Some(Notice::done(texts::SESSION_ENDED)),
        _ => None,
    };
    Some(Sessions {
        action: cx.public_url("/settings/sessions"),
        csrf_token: csrf_token.to_owned(),
        flow: flow.to_owned(),
        list: std::iter::once(Row::new(this, true, cx.now)).chain(rest).collect(),
        more,
        notices: told.into_iter().collect(),
    })
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
    let (reply, ended) = match form.text("session") {
        Some(OTHERS) => (operations::revoke_others(cx).await, OTHERS),
        Some(id) => (operations::revoke_one(cx, id).await, ONE),
        None => return Err(ApiError::bad_request("The form names no session.")),
    };
    if let Body::Error(error) = reply.body {
        return Err(*error);
    }
    let flow = form.text("flow").and_then(|id| Uuid::parse_str(id).ok());
    let page = cx.public_url("/settings");
    Ok(match flow {
        Some(id) => with_parameter(&with_parameter(&page, "flow", &id.to_string()), ENDED, ended),
        None => page,
    })
}
