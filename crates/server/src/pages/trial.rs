//! The page of a trial: an administrator sees what a provider told, what the mapper and the identity schema made of it, or
//! which step failed and why.
//!
//! It is made of the flow's JSON alone and shown to the browser that made the trip, as the flow itself decides. No account
//! is read or changed.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::app::Cx;
use portcullis_core::config::Config;
use portcullis_core::flow::engine::{Body, Form, csrf, page as page_of_flow, with_parameter};
use portcullis_core::flow::login::trial;
use portcullis_model::error::ApiError;
use portcullis_model::flow::FlowKind;
use portcullis_model::json;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::form::Notice;
use super::frame::{self, Action, Frame};
use super::{ask, flow, problem, texts};
use crate::http::reply::{self, Response};

/// Where the page is; core sends browsers there.
pub(super) const PATH: &str = "/session/test-oidc";
/// The page's parameter that says that a trial was deleted.
const DELETED: &str = "deleted";

#[derive(Template)]
#[template(path = "trial.html")]
struct Page {
    frame: Frame,
    heading: String,
    notices: Vec<Notice>,
    /// What it was made with, and how it failed.
    facts: Vec<(&'static str, String)>,
    steps: Vec<Step>,
    /// What the schema refuses: places and reasons.
    refused: Vec<Refused>,
    documents: Vec<Document>,
    /// Where the form goes that deletes it, and what it carries.
    action: String,
    csrf_token: String,
    flow: Uuid,
}

/// A step of the trip.
struct Step {
    name: &'static str,
    state: &'static str,
    class: &'static str,
}

/// Something to read and copy.
struct Document {
    id: &'static str,
    heading: &'static str,
    text: String,
}

/// The part of a flow's JSON that the page is made of.
#[derive(Deserialize)]
struct Shown {
    id: Uuid,
    #[serde(default)]
    test_context: Option<Tried>,
}

/// What is known of a trial.
#[derive(Deserialize)]
pub(super) struct Tried {
    /// The provider's id.
    pub provider_id: String,
    /// What came of it; `None` before somebody came back.
    #[serde(default)]
    pub debug_payload: Option<Outcome>,
}

/// What came of a trial.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    id_token_claims: Option<Value>,
    jsonnet_mapper_url: Option<String>,
    jsonnet_input: Option<Value>,
    jsonnet_output: Option<Value>,
    schema_validation_errors: Vec<Refused>,
    error: Option<Failed>,
}

/// Something that the identity schema refuses.
#[derive(Deserialize)]
struct Refused {
    path: String,
    message: String,
}

/// The step that failed.
#[derive(Deserialize)]
struct Failed {
    step: String,
    reason: String,
    message: String,
}

/// Whether there is anything to try.
#[must_use]
pub(super) fn exists(config: &Config) -> bool {
    config.selfservice.methods.oidc.enabled
}

/// The page's address for a trial.
#[must_use]
pub(super) fn address(cx: &Cx, id: Uuid) -> String {
    with_parameter(&cx.public_url(PATH), "flow", &id.to_string())
}

/// The name that people know a provider by; its id if it has none, or is not configured any more.
#[must_use]
pub(super) fn name_of(cx: &Cx, id: &str) -> String {
    let provider = cx.config().selfservice.methods.oidc.config.provider(id);
    provider.and_then(|p| p.label.clone()).unwrap_or_else(|| id.to_owned())
}

/// `GET /session/test-oidc?flow=`.
pub(super) async fn page(cx: &Cx) -> Response {
    if cx.request.parameter(DELETED).is_some() {
        return problem::show(cx, 200, texts::TRIAL_DELETED, Vec::new(), None);
    }
    let id = cx.request.parameter("flow").unwrap_or_default();
    if Uuid::parse_str(id).is_err() {
        return problem::show(cx, 404, texts::NO_TRIAL, Vec::new(), None);
    }
    let reply = flow::fetch(&ask(cx, &[("id", id)]), FlowKind::Login).await;
    let shown = match reply.body {
        Body::Json(json) => serde_json::from_value::<Shown>(json),
        Body::Written(text) => json::read_back(&text),
        Body::Error(error) => return refused(cx, &error),
        Body::Location(_) | Body::Empty => return problem::of(cx, &ApiError::internal(), None),
    };
    match shown {
        Ok(Shown { id, test_context: Some(tried) }) => show(cx, id, tried),
        // A flow for signing in has nothing to show here.
        Ok(_) => problem::show(cx, 404, texts::NO_TRIAL, Vec::new(), None),
        Err(error) => {
            tracing::error!(%error, "a trial could not be read for its page");
            problem::of(cx, &ApiError::internal(), None)
        }
    }
}

/// What is told in place of a trial.
fn refused(cx: &Cx, error: &ApiError) -> Response {
    match error.status {
        403 => problem::show(cx, 403, texts::OTHERS_TRIAL, Vec::new(), None),
        status @ (404 | 410) => problem::show(cx, status, texts::NO_TRIAL, Vec::new(), None),
        _ => problem::of(cx, error, None),
    }
}

fn show(cx: &Cx, id: Uuid, tried: Tried) -> Response {
    let heading = texts::trial(&name_of(cx, &tried.provider_id));
    let Some(outcome) = tried.debug_payload else {
        let begin = with_parameter(&page_of_flow(cx, FlowKind::Login), "flow", &id.to_string());
        return open(cx, heading, begin);
    };
    let mut facts = vec![(texts::TRIAL_PROVIDER, tried.provider_id)];
    let source = outcome.jsonnet_mapper_url.as_deref().and_then(written_in_place);
    if source.is_none() {
        facts.extend(outcome.jsonnet_mapper_url.map(|url| (texts::TRIAL_MAPPER, url)));
    }
    let notice = match &outcome.error {
        Some(failed) => {
            facts.push((texts::TRIAL_STEP, failed.step.clone()));
            facts.push((texts::TRIAL_REASON, failed.reason.clone()));
            Notice::failed(&texts::sentence(&failed.message))
        }
        None => Notice::done(texts::TRIAL_WORKED),
    };
    let documents = [
        ("claims", texts::TRIAL_CLAIMS, outcome.id_token_claims),
        ("input", texts::TRIAL_INPUT, outcome.jsonnet_input),
        ("output", texts::TRIAL_OUTPUT, outcome.jsonnet_output),
    ];
    let mut documents: Vec<Document> =
        documents.into_iter().filter_map(|(id, heading, value)| document(id, heading, &value?)).collect();
    documents.extend(source.map(|text| Document { id: "mapper", heading: texts::TRIAL_SOURCE, text }));
    let page = Page {
        frame: Frame::new(cx, &heading, outcome.error.is_some()),
        heading,
        notices: vec![notice],
        facts,
        steps: steps(outcome.error.as_ref().map(|failed| failed.step.as_str())),
        refused: outcome.schema_validation_errors,
        documents,
        action: cx.public_url(PATH),
        csrf_token: cx.request.csrf_secret.as_ref().map(|secret| secret.form_token(id)).unwrap_or_default(),
        flow: id,
    };
    frame::answer(cx, 200, &page)
}

/// A mapper that stands in the configuration itself.
fn written_in_place(url: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(url.strip_prefix("base64://")?).ok()?).ok()
}

fn document(id: &'static str, heading: &'static str, value: &Value) -> Option<Document> {
    serde_json::to_string_pretty(value).ok().map(|text| Document { id, heading, text })
}

/// How far the trip came. Nothing for a step that has no place among the others, such as a provider that does not answer.
fn steps(failed: Option<&str>) -> Vec<Step> {
    let at = failed.map(|step| texts::STEPS.iter().position(|(known, _)| *known == step));
    if at == Some(None) {
        return Vec::new();
    }
    let at = at.flatten().unwrap_or(texts::STEPS.len());
    let step = |(n, (_, name)): (usize, &(&str, &'static str))| {
        let (state, class) = match n.cmp(&at) {
            std::cmp::Ordering::Less => (texts::STEP_DONE, "tag on"),
            std::cmp::Ordering::Equal => (texts::STEP_FAILED, "tag bad"),
            std::cmp::Ordering::Greater => (texts::STEP_OPEN, "tag"),
        };
        Step { name, state, class }
    };
    texts::STEPS.iter().enumerate().map(step).collect()
}

#[derive(Template)]
#[template(path = "trial_open.html")]
struct Open {
    frame: Frame,
    heading: String,
    actions: Vec<Action>,
}

/// The page of a trial from which nobody has come back.
fn open(cx: &Cx, heading: String, begin: String) -> Response {
    let actions = vec![Action { class: "primary", href: begin, text: texts::TRIAL_BEGIN }];
    frame::answer(cx, 200, &Open { frame: Frame::new(cx, &heading, false), heading, actions })
}

/// `POST /session/test-oidc`: deletes the trial that the field `flow` names.
pub(super) async fn remove(cx: &Cx) -> Response {
    match try_remove(cx).await {
        Ok(()) => reply::redirect(303, &with_parameter(&cx.public_url(PATH), DELETED, "true")),
        Err(error) if error.id.is_none() => refused(cx, &error),
        Err(error) => problem::of(cx, &error, None),
    }
}

async fn try_remove(cx: &Cx) -> Result<(), ApiError> {
    let form = Form::read(&cx.request).map_err(|why| ApiError::bad_request(format!("The form cannot be read: {why}.")))?;
    csrf::check_browser(cx, &form)?;
    let id = form.text("flow").unwrap_or_default();
    match trial::remove(&ask(cx, &[("id", id)])).await.body {
        Body::Error(error) => Err(*error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_end_at_the_one_that_failed() {
        for (failed, expected) in [
            (None, "Done Done Done Done Done Done Done"),
            (Some("state_validate"), "Failed Not reached Not reached Not reached Not reached Not reached Not reached"),
            (Some("jsonnet_run"), "Done Done Done Done Done Failed Not reached"),
            (Some("callback"), ""),
        ] {
            let told: Vec<&str> = steps(failed).iter().map(|step| step.state).collect();
            assert_eq!(told.join(" "), expected, "{failed:?}");
        }
    }

    #[test]
    fn mappers_of_the_configuration_are_shown() {
        for (url, expected) in
            [("base64://e30=", Some("{}")), ("base64://%%", None), ("base64:///w==", None), ("file:///etc/mapper.jsonnet", None)]
        {
            assert_eq!(written_in_place(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn what_others_wrote_is_text_only() {
        let evil = "</pre><script>alert(1)</script>";
        let page = Page {
            frame: Frame {
                title: evil.into(),
                site: "example.org".into(),
                home: None,
                account: None,
                style: "/style".into(),
                script: "/script".into(),
                icon: "/icon".into(),
            },
            heading: texts::trial(evil),
            notices: vec![Notice::failed(evil)],
            facts: vec![(texts::TRIAL_PROVIDER, evil.into())],
            steps: steps(Some("jsonnet_run")),
            refused: vec![Refused { path: evil.into(), message: evil.into() }],
            documents: document("claims", texts::TRIAL_CLAIMS, &serde_json::json!({ evil: evil })).into_iter().collect(),
            action: "/".into(),
            csrf_token: evil.into(),
            flow: Uuid::nil(),
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>") && html.matches("</pre>").count() == 1, "{html}");
        assert_eq!(html.matches("alert(1)").count(), 9, "{html}");
    }
}
