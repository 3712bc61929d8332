//! The page of a flow: fetched like any front end fetches it, and printed.
//!
//! A flow that cannot be shown leads to a new one. That never goes round in circles: an id tells when a flow was made, and
//! one that was made a moment ago is not replaced but explained.

use std::time::Duration;

use askama::Template;
use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, CsrfCookie, Reply, return_to, with_parameter};
use portcullis_core::flow::{login, recovery, registration, settings, verification};
use portcullis_core::session;
use portcullis_model::credential::CredentialType;
use portcullis_model::error::ApiError;
use portcullis_model::flow::{FlowKind, FlowState};
use portcullis_model::json;
use portcullis_model::session::Aal;
use portcullis_model::time::Timestamp;
use portcullis_model::ui::{Attributes, Group, InputType};
use portcullis_store::identities;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::form::{self, Facts, Form, Item, Layout, Mark, Notice, Script, Section, Ui};
use super::frame::{self, Action, Frame, Link};
use super::trial::{self, Tried};
use super::{ask, is_built_in, problem, settings as settings_page, start, texts};
use crate::http::reply::{self, Response};

/// How old a flow must be to be replaced without a word when it cannot be shown.
const MOMENT: Duration = Duration::from_secs(10);

#[derive(Template)]
#[template(path = "flow.html")]
struct Page {
    frame: Frame,
    heading: String,
    /// Whom the form is about, where it does not ask.
    account: Option<String>,
    /// What it is for, where that takes a sentence.
    lead: Option<String>,
    notices: Vec<Notice>,
    to_mend: Vec<(String, String)>,
    sections: Vec<Section>,
    scripts: Vec<Script>,
    actions: Vec<Action>,
    links: Vec<Link>,
}

/// The part of a flow's JSON that its page is made of.
#[derive(Deserialize)]
struct Shown {
    id: Uuid,
    ui: Ui,
    state: FlowState,
    #[serde(default)]
    return_to: Option<String>,
    /// The OAuth2 server's login that it answers.
    #[serde(default)]
    oauth2_login_challenge: Option<String>,
    #[serde(default)]
    refresh: bool,
    #[serde(default)]
    requested_aal: Option<Aal>,
    /// What is known of a trial.
    #[serde(default)]
    test_context: Option<Tried>,
}

/// Shows the flow that the query names, or leads to a new one.
pub(super) async fn page(cx: &Cx, kind: FlowKind) -> Response {
    let Some(id) = cx.request.parameter("flow") else {
        return reply::redirect(303, &begin(cx, kind));
    };
    let reply = fetch(&ask(cx, &[("id", id)]), kind).await;
    let shown = match reply.body {
        Body::Json(json) => serde_json::from_value::<Shown>(json),
        Body::Written(text) => json::read_back(&text),
        Body::Location(location) => return reply::redirect(303, &location),
        Body::Error(error) => return refused(cx, kind, id, &error),
        Body::Empty => return problem::of(cx, &ApiError::internal(), None),
    };
    match shown {
        Ok(shown) => show(cx, kind, &shown).await,
        Err(error) => {
            tracing::error!(%error, %kind, "a flow could not be read for its page");
            problem::of(cx, &ApiError::internal(), None)
        }
    }
}

/// The flow as front ends get it.
pub(super) async fn fetch(cx: &Cx, kind: FlowKind) -> Reply {
    match kind {
        FlowKind::Login => login::fetch(cx).await,
        FlowKind::Registration => registration::fetch(cx).await,
        FlowKind::Settings => settings::fetch(cx).await,
        FlowKind::Recovery => recovery::fetch(cx).await,
        FlowKind::Verification => verification::fetch(cx).await,
    }
}

/// The route that begins a flow, with the query of this request, so that `return_to` and its like live on.
fn begin(cx: &Cx, kind: FlowKind) -> String {
    let route = cx.public_url(&format!("/self-service/{kind}/browser"));
    let asked = cx.request.query.iter().filter(|(name, _)| name != "flow");
    let url = asked.fold(route, |url, (name, value)| with_parameter(&url, name, value));
    match left_settings(cx).filter(|_| kind == FlowKind::Login && cx.request.parameter("return_to").is_none()) {
        Some(page) => with_parameter(&url, "return_to", &page),
        None => url,
    }
}

/// The settings page that a submit without a session came from: what was typed there waits in its flow.
fn left_settings(cx: &Cx) -> Option<String> {
    let page = cx.public_url("/settings");
    let rest = cx.request.header("referer")?.strip_prefix(page.as_str())?;
    let flow = Uuid::parse_str(rest.strip_prefix("?flow=")?.split('&').next()?).ok()?;
    is_built_in(cx.config(), FlowKind::Settings).then(|| with_parameter(&page, "flow", &flow.to_string()))
}

/// The way on from a flow that cannot be shown.
fn refused(cx: &Cx, kind: FlowKind, id: &str, error: &ApiError) -> Response {
    let named = |key: &str| error.details.get(key).and_then(Value::as_str).filter(|url| !url.is_empty());
    if let Some(url) = named("redirect_browser_to") {
        return reply::redirect(303, url);
    }
    match error.status {
        401 => {
            let back = with_parameter(&cx.public_url(&format!("/{kind}")), "flow", id);
            let login = cx.public_url("/self-service/login/browser");
            reply::redirect(303, &with_parameter(&login, "return_to", &back))
        }
        403 | 404 | 410 => {
            let again = named("redirect_to").map_or_else(|| begin(cx, kind), str::to_owned);
            let keeps_cookies = matches!(cx.request.csrf_cookie, CsrfCookie::Secret(_));
            let told = if !is_just_made(id, cx.now) {
                // A link in a mail may open in another browser than the one that waits for its code. A new form would only
                // puzzle whoever followed it.
                if error.status == 403 && matches!(kind, FlowKind::Verification | FlowKind::Recovery) {
                    texts::OTHER_BROWSER
                } else {
                    return reply::redirect(303, &again);
                }
            } else if error.status == 403 && !keeps_cookies {
                texts::NO_COOKIES
            } else {
                texts::NO_FORM
            };
            problem::show(cx, error.status, told, Vec::new(), Some(again))
        }
        _ => problem::of(cx, error, None),
    }
}

/// Whether a flow was begun a moment ago, by the time in its id (RFC 9562, section 5.7).
fn is_just_made(id: &str, now: Timestamp) -> bool {
    let made = Uuid::parse_str(id).ok().and_then(|id| id.get_timestamp());
    made.and_then(|t| i64::try_from(t.to_unix().0).ok()).is_some_and(|seconds| {
        let made = Timestamp::from_seconds(seconds);
        now.since(made) < MOMENT && made.since(now) < MOMENT
    })
}

async fn show(cx: &Cx, kind: FlowKind, shown: &Shown) -> Response {
    if let Some(tried) = &shown.test_context {
        return trying(cx, shown, tried);
    }
    let current = session::current(cx).await.ok().flatten();
    if let (FlowKind::Settings, Some(current)) = (kind, &current) {
        return settings_page::show(cx, shown.id, &shown.ui, current).await;
    }
    let account = match &current {
        Some(current) if shown.refresh => Some(start::name_of(cx, &current.identity)),
        _ => form::named(&shown.ui),
    };
    let facts = Facts {
        account: account.clone(),
        password_length: cx.config().min_password_length(),
        is_change: false,
        only_way: texts::only_way(kind),
    };
    let mut body = match &current {
        Some(current) if shown.refresh => form::body(&known(cx, &shown.ui, current.identity.id).await, Layout::OneOf, &facts),
        _ => form::body(&shown.ui, Layout::OneOf, &facts),
    };
    if kind == FlowKind::Login && change_waits(cx, shown).await {
        body.notices.push(Notice::plain(texts::CHANGE_WAITS));
    }
    let by_provider = kind == FlowKind::Registration && is_by_provider(&body);
    if by_provider {
        name_provider(cx, &mut body);
    }
    let is_second = shown.requested_aal == Some(Aal::Aal2);
    let heading = texts::heading(kind, shown.refresh, is_second).to_owned();
    let mut links = links(cx, kind, shown, current.is_some()).await;
    if by_provider {
        links.push(Link { before: Some(texts::OTHER_WAY), href: begin_again(cx, kind, shown), text: texts::START_AGAIN });
    }
    let offers_nothing = kind == FlowKind::Registration && shown.ui.nodes.is_empty();
    if offers_nothing {
        links.insert(0, Link { before: None, href: begin_again(cx, kind, shown), text: texts::SIGN_UP_ALONE });
    }
    let lead = match kind {
        FlowKind::Registration if offers_nothing => Some(texts::NOT_FOR_ORGANIZATION),
        FlowKind::Registration if by_provider => Some(texts::COMPLETE).filter(|_| has_fields(&body)),
        FlowKind::Registration if is_of_providers(&body) && has_fields(&body) => Some(texts::PROVIDER_FILLS),
        _ => texts::lead(kind, shown.state),
    };
    let page = Page {
        frame: Frame::new(cx, &heading, body.has_errors),
        heading,
        account,
        lead: lead.filter(|_| body.notices.is_empty()).map(str::to_owned),
        actions: actions(cx, kind, shown),
        links,
        notices: body.notices,
        to_mend: body.to_mend,
        sections: body.sections,
        scripts: body.scripts,
    };
    frame::answer(cx, 200, &page)
}

/// The page on which a trial begins: a trip for nobody's account.
fn trying(cx: &Cx, shown: &Shown, tried: &Tried) -> Response {
    if tried.debug_payload.is_some() {
        return reply::redirect(303, &trial::address(cx, shown.id));
    }
    let body = form::body(&shown.ui, Layout::OneOf, &Facts::default());
    let heading = texts::trial(&trial::name_of(cx, &tried.provider_id));
    let page = Page {
        frame: Frame::new(cx, &heading, body.has_errors),
        heading,
        account: None,
        lead: Some(texts::TRIAL_LEAD.to_owned()),
        actions: Vec::new(),
        links: Vec::new(),
        notices: body.notices,
        to_mend: body.to_mend,
        sections: body.sections,
        scripts: body.scripts,
    };
    frame::answer(cx, 200, &page)
}

/// The form of somebody who proves again that it is them, with the identifier that is theirs in its empty field.
async fn known(cx: &Cx, ui: &Ui, who: Uuid) -> Ui {
    let mut ui = ui.clone();
    let is_empty = |value: &Option<Value>| value.as_ref().is_none_or(|v| v.as_str() == Some(""));
    let empty = ui.nodes.iter_mut().find_map(|node| match &mut node.attributes {
        Attributes::Input(input) if input.name == "identifier" && is_empty(&input.value) => Some(input),
        _ => None,
    });
    if let Some(input) = empty {
        match identities::get_with_credentials(cx.store(), who).await {
            Ok(found) => {
                let kinds = [CredentialType::Password, CredentialType::Code, CredentialType::Webauthn];
                let credential = kinds.iter().find_map(|kind| found.as_ref()?.credential(*kind));
                input.value = credential.and_then(|c| c.identifiers.first()).map(|name| name.as_str().into());
            }
            Err(error) => tracing::warn!(%error, "the identifier of somebody who is signed in cannot be read"),
        }
    }
    ui
}

/// Whether a sign-up has come back from a provider and goes on with that alone: for what it left open, or once more.
fn is_by_provider(body: &form::Body) -> bool {
    let mut buttons = body.sections.iter().flat_map(|section| &section.forms).flat_map(|form| &form.buttons);
    is_of_providers(body) && buttons.any(|button| button.proceeds)
}

/// Whether providers are the only way.
fn is_of_providers(body: &form::Body) -> bool {
    matches!(body.sections.as_slice(), [Section { group: Group::Oidc | Group::Saml, .. }])
}

fn has_fields(body: &form::Body) -> bool {
    body.sections.iter().flat_map(|section| &section.forms).flat_map(Form::fields).next().is_some()
}

/// Says with whom a form without fields goes on: its button has a bare "Continue".
fn name_provider(cx: &Cx, body: &mut form::Body) {
    let forms = body.sections.iter_mut().flat_map(|section| &mut section.forms);
    for form in forms.filter(|form| form.items.is_empty()) {
        for button in &mut form.buttons {
            let name = trial::name_of(cx, &button.value);
            button.label = texts::proceed_with(&name);
            button.mark = Some(Mark::of_name(&name));
        }
    }
}

/// Whether this sign-in is what a change in the settings waits for.
async fn change_waits(cx: &Cx, shown: &Shown) -> bool {
    let submit = cx.public_url("/self-service/settings?flow=");
    let waiting = shown.return_to.as_deref().and_then(|url| Uuid::parse_str(url.strip_prefix(submit.as_str())?).ok());
    match waiting.filter(|_| shown.refresh || shown.requested_aal == Some(Aal::Aal2)) {
        Some(flow) => settings::waits(cx, flow).await,
        None => false,
    }
}

/// The way on from a flow that is done.
fn actions(cx: &Cx, kind: FlowKind, shown: &Shown) -> Vec<Action> {
    if kind != FlowKind::Verification || shown.state != FlowState::PassedChallenge {
        return Vec::new();
    }
    let href = match form::onwards(&shown.ui) {
        Some(href) => href.to_owned(),
        None => return_to::or_global(cx, shown.return_to.as_deref()),
    };
    vec![Action { class: "primary", href, text: texts::PROCEED }]
}

/// The route that begins a flow which leads where this one was to lead.
fn begin_again(cx: &Cx, kind: FlowKind, shown: &Shown) -> String {
    let route = cx.public_url(&format!("/self-service/{kind}/browser"));
    let route = match &shown.return_to {
        Some(return_to) => with_parameter(&route, "return_to", return_to),
        None => route,
    };
    match &shown.oauth2_login_challenge {
        Some(challenge) if kind != FlowKind::Recovery => with_parameter(&route, "login_challenge", challenge),
        _ => route,
    }
}

/// Where else people may want to go from a form.
async fn links(cx: &Cx, kind: FlowKind, shown: &Shown, is_signed_in: bool) -> Vec<Link> {
    let begin = |kind: FlowKind| begin_again(cx, kind, shown);
    let mut links = Vec::new();
    let mut add = |before, href, text| links.push(Link { before, href, text });
    match kind {
        FlowKind::Login if is_signed_in => {
            if let Some(href) = start::sign_out(cx).await {
                add(Some(texts::NOT_YOU), href, texts::SIGN_OUT);
            }
        }
        FlowKind::Login => {
            let is_named = form::named(&shown.ui).is_some();
            let mut inputs = shown.ui.nodes.iter().filter_map(|node| node.as_input());
            let asks_password = inputs.any(|input| input.kind == InputType::Password);
            if cx.config().flow_enabled(FlowKind::Recovery) && (asks_password || !is_named) {
                add(None, begin(FlowKind::Recovery), texts::FORGOT);
            }
            if cx.config().flow_enabled(FlowKind::Registration) && !is_named {
                add(Some(texts::NO_ACCOUNT), begin(FlowKind::Registration), texts::SIGN_UP);
            }
            if is_named {
                add(Some(texts::NOT_YOU), begin(FlowKind::Login), texts::START_AGAIN);
            }
        }
        FlowKind::Registration => add(Some(texts::HAVE_ACCOUNT), begin(FlowKind::Login), texts::SIGN_IN),
        FlowKind::Recovery => add(Some(texts::REMEMBERED), begin(FlowKind::Login), texts::SIGN_IN),
        FlowKind::Settings => {}
        FlowKind::Verification if shown.state == FlowState::PassedChallenge => {}
        FlowKind::Verification => {
            if let Some(home) = frame::home(cx) {
                add(None, home, texts::TO_START);
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_flow_is_read_from_its_id() {
        let made = |seconds: u64| uuid::Builder::from_unix_timestamp_millis(seconds * 1000, &[7; 10]).into_uuid().to_string();
        let now = Timestamp::from_seconds(1_700_000_000);
        for (id, expected) in [
            (made(1_700_000_000), true),
            (made(1_699_999_995), true),
            (made(1_700_000_002), true),
            (made(1_699_999_980), false),
            (made(0), false),
            ("9b9f5d5e-6a52-4b0e-8a0f-0f6f4a3f2b1c".to_owned(), false),
            ("rubbish".to_owned(), false),
        ] {
            assert_eq!(is_just_made(&id, now), expected, "{id}");
        }
    }
}
