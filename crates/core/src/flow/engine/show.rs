//! Showing a flow: its form as JSON, and the page that shows it.

use portcullis_model::flow::{Detail, Flow, FlowKind, FlowType};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::request::CsrfCookie;
use crate::app::Cx;
use crate::oauth2::LoginRequest;

/// A form ready to be shown, with what stands beside it in the JSON of its kind.
#[derive(Clone)]
pub struct Shown {
    /// The form.
    pub ui: Ui,
    /// Keys that only this kind of flow has, such as `identity` of settings.
    pub beside: Map<String, Value>,
}

impl Shown {
    /// With the login that the OAuth2 server asks for.
    #[must_use]
    pub fn login_request(mut self, request: Option<LoginRequest>) -> Self {
        if let Some(request) = request {
            self.beside.insert("oauth2_login_request".into(), request.shown);
        }
        self
    }

    /// A form with nothing beside it.
    #[must_use]
    pub fn plain(ui: Ui) -> Self {
        Self { ui, beside: Map::new() }
    }
}

/// An empty form of a flow, with its anti-CSRF node.
#[must_use]
pub fn ui_for(cx: &Cx, flow: &Flow) -> Ui {
    let mut ui = Ui::new(cx.public_url(&format!("/self-service/{}?flow={}", flow.kind(), flow.id)));
    ui.nodes.push(csrf_node(cx, flow));
    ui
}

/// The hidden token. One flow shows one browser always the same one (but for [`csrf::mark_after`](super::csrf::mark_after)),
/// another flow another; native clients, which have no cookies, are shown an empty one.
#[must_use]
pub fn csrf_node(cx: &Cx, flow: &Flow) -> Node {
    let token = match (flow.flow_type, &cx.request.csrf_secret) {
        (FlowType::Browser, Some(secret)) => secret.form_token(flow.id),
        _ => match &cx.request.csrf_cookie {
            CsrfCookie::Secret(secret) => secret.form_token(flow.id),
            CsrfCookie::NoCookies | CsrfCookie::Missing => String::new(),
        },
    };
    Node::input(Group::Default, "csrf_token", InputType::Hidden).required().value(token.into())
}

/// Puts onto the form what the flow remembers: what was typed, and what is told.
pub fn dress(flow: &Flow, ui: &mut Ui) {
    for (name, note) in &flow.notes.nodes {
        match ui.node_mut(name) {
            Some(node) => {
                match &note.value {
                    None => {}
                    Some(Value::Null) => node.set_value(None),
                    Some(value) => node.set_value(Some(value.clone())),
                }
                node.messages.extend(note.messages.iter().cloned());
            }
            None => {
                let Some(group) = note.group else { continue };
                let mut node = Node::input(group, name.as_str(), InputType::Text);
                node.set_value(note.value.clone());
                node.messages.clone_from(&note.messages);
                ui.nodes.push(node);
            }
        }
    }
    ui.messages.extend(flow.notes.messages.iter().cloned());
}

/// As [`dress`], for a form that leaves out most nodes: what the flow remembers of those brings none of them back.
pub fn dress_what_is_there(flow: &Flow, ui: &mut Ui) {
    let mut flow = flow.clone();
    flow.notes.nodes.retain(|name, note| ui.node_mut(name).is_some() || !note.messages.is_empty());
    dress(&flow, ui);
}

/// The JSON of a flow.
#[must_use]
pub fn body(flow: &Flow, shown: Shown) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), json!(flow.id));
    out.insert("type".into(), json!(flow.flow_type));
    out.insert("expires_at".into(), json!(flow.expires_at));
    out.insert("issued_at".into(), json!(flow.issued_at));
    out.insert("request_url".into(), json!(flow.request_url));
    if let Some(return_to) = &flow.return_to {
        out.insert("return_to".into(), json!(return_to));
    }
    if let (Some(challenge), FlowKind::Login | FlowKind::Registration) = (&flow.login_challenge, flow.kind()) {
        out.insert("oauth2_login_challenge".into(), json!(challenge));
    }
    if let Some(active) = &flow.active {
        out.insert("active".into(), json!(active));
    }
    out.insert("ui".into(), json!(shown.ui));
    out.insert("state".into(), json!(flow.state));
    match &flow.detail {
        Detail::Login { requested_aal, refresh, schema, .. } => {
            out.insert("created_at".into(), json!(flow.issued_at));
            out.insert("updated_at".into(), json!(flow.issued_at));
            out.insert("refresh".into(), json!(refresh));
            out.insert("requested_aal".into(), json!(requested_aal));
            out.insert("organization_id".into(), Value::Null);
            if let Some(schema) = schema {
                out.insert("identity_schema".into(), json!(schema));
            }
        }
        Detail::Registration { schema, organization, .. } => {
            out.insert("organization_id".into(), json!(organization));
            if let Some(schema) = schema {
                out.insert("identity_schema".into(), json!(schema));
            }
        }
        Detail::Settings => {
            out.insert("organization_id".into(), Value::Null);
        }
        Detail::Recovery { .. } | Detail::Verification { .. } => {}
    }
    out.extend(shown.beside);
    Value::Object(out)
}

/// The page of a kind of flow: the configured one, or the built-in one.
#[must_use]
pub fn page(cx: &Cx, kind: FlowKind) -> String {
    match &cx.config().flow(kind).ui_url {
        Some(url) => url.clone(),
        None => cx.public_url(&format!("/{kind}")),
    }
}

/// The page that shows errors.
#[must_use]
pub(super) fn error_page_url(cx: &Cx) -> String {
    match &cx.config().selfservice.flows.error.ui_url {
        Some(url) => url.clone(),
        None => cx.public_url("/error"),
    }
}

/// The page that shows this flow.
#[must_use]
pub fn page_of(cx: &Cx, flow: &Flow) -> String {
    with_parameter(&page(cx, flow.kind()), "flow", &flow.id.to_string())
}

/// The answer that begins a flow: the flow for scripts and apps, its page for browsers.
#[must_use]
pub fn begun(cx: &Cx, flow: &Flow, shown: Shown) -> Reply {
    if flow.is_native() || cx.request.wants_json() {
        Reply::json(200, body(flow, shown))
    } else {
        Reply::see_other(page_of(cx, flow))
    }
}

/// A URL with one more query parameter; the fragment stays at the end.
#[must_use]
pub fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (front, fragment) = match url.split_once('#') {
        Some((front, fragment)) => (front, Some(fragment)),
        None => (url, None),
    };
    let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let joint = if front.contains('?') { '&' } else { '?' };
    match fragment {
        Some(fragment) => format!("{front}{joint}{name}={value}#{fragment}"),
        None => format!("{front}{joint}{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::with_parameter;

    #[test]
    fn parameters_join_a_query_and_leave_the_fragment_last() {
        assert_eq!(with_parameter("https://a/b", "flow", "1"), "https://a/b?flow=1");
        assert_eq!(with_parameter("https://a/b?c=d#e", "return_to", "x y&z"), "https://a/b?c=d&return_to=x+y%26z#e");
    }
}
