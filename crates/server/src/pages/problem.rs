//! The page that shows errors: stored ones by their id, and those of the pages themselves.

use askama::Template;
use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, Reply};
use portcullis_core::flow::error;
use portcullis_model::error::ApiError;
use serde_json::Value;

use super::frame::{self, Action, Frame, home};
use super::texts::Problem;
use super::{ask, texts};
use crate::http::reply::Response;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    frame: Frame,
    heading: &'static str,
    text: &'static str,
    actions: Vec<Action>,
    details: Vec<(&'static str, String)>,
}

/// `GET /error?id=`.
pub(super) async fn page(cx: &Cx) -> Response {
    let id = cx.request.parameter("error").or_else(|| cx.request.parameter("id")).unwrap_or_default();
    match error::fetch(&ask(cx, &[("id", id)])).await {
        Reply { body: Body::Json(stored), .. } => {
            let empty = Value::Null;
            let told = stored.get("error").unwrap_or(&empty);
            let problem = problem_of(told);
            let mut details = details(told);
            for (name, key) in [(texts::DETAIL_ID, "id"), (texts::DETAIL_TIME, "created_at")] {
                if let Some(value) = stored.get(key).and_then(Value::as_str) {
                    details.push((name, value.to_owned()));
                }
            }
            // Telling about an error is no error.
            show(cx, 200, problem, details, None)
        }
        Reply { status: 404, .. } => show(cx, 404, texts::UNKNOWN_ERROR, Vec::new(), None),
        Reply { body: Body::Error(error), .. } => of(cx, &error, None),
        Reply { .. } => of(cx, &ApiError::internal(), None),
    }
}

/// The page of an error that happened just now. `again`: where the person may start anew.
pub(super) fn of(cx: &Cx, error: &ApiError, again: Option<String>) -> Response {
    let told = error.object();
    let mut response = show(cx, error.status, problem_of(&told), details(&told), again);
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The page of a problem.
pub(super) fn show(
    cx: &Cx,
    status: u16,
    problem: Problem,
    details: Vec<(&'static str, String)>,
    again: Option<String>,
) -> Response {
    let mut actions = Vec::new();
    if let Some(href) = again {
        actions.push(Action { class: "primary", href, text: texts::START_AGAIN });
    }
    if let Some(href) = home(cx) {
        actions.push(Action { class: if actions.is_empty() { "primary" } else { "secondary" }, href, text: texts::TO_START });
    }
    let Problem { heading, text } = problem;
    frame::answer(cx, status, &Page { frame: Frame::new(cx, heading, false), heading, text, actions, details })
}

fn problem_of(error: &Value) -> Problem {
    let id = error.get("id").and_then(Value::as_str).unwrap_or_default();
    texts::problem(id, error.get("code").and_then(Value::as_u64).unwrap_or(500))
}

/// What support may ask for: the developer's reason, and the id or status.
fn details(error: &Value) -> Vec<(&'static str, String)> {
    let text = |key: &str| error.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let code = error.get("code").and_then(Value::as_u64).map(|code| match text("id") {
        Some(id) => format!("{code} {id}"),
        None => code.to_string(),
    });
    let reason = text("reason").map(|reason| (texts::DETAIL_REASON, reason));
    reason.into_iter().chain(code.map(|code| (texts::DETAIL_CODE, code))).collect()
}
