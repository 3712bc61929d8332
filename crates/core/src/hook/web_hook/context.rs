//! What web hooks are told: the flow, the request, and whom it is about.

use portcullis_model::flow::{Flow, FlowKind};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::{self, After, Before, Shown};
use crate::identity::{self, view::Parts};
use crate::outbound::told_headers;
use crate::session;

/// What hooks of a flow's start are told.
pub(super) fn before(cx: &Cx, before: &Before<'_>) -> Value {
    let mut ctx = request(cx, plain_form(before.form.clone()));
    if let Some(current) = before.session {
        ctx.insert("session".into(), session::view(cx, &current.session, Some((&current.identity, Parts::PUBLIC))));
    }
    Value::Object(ctx)
}

/// What hooks of a good submit are told. `saved`: the identity is saved, or is about to be without any further question.
pub(super) fn after(cx: &Cx, after: &After<'_>, saved: bool) -> Value {
    let kind = after.flow.kind();
    let mut who = identity::view::public(cx, &after.who.identity);
    let mut form = plain_form(after.form.clone().unwrap_or_else(|| bare(cx, after.flow)));
    if let Value::Object(form) = &mut form {
        // As it is recorded, what settings hooks are told once the change is saved has no payload, and says so by its state.
        if kind == FlowKind::Settings && saved {
            form.insert("state".into(), "success".into());
            form.insert("identity".into(), who.clone());
        } else {
            form.insert("transient_payload".into(), after.transient_payload.cloned().unwrap_or_else(|| json!({})));
        }
    }
    let mut ctx = request(cx, form);
    if let (Value::Object(who), true) = (&mut who, after.before.is_none() && !saved) {
        // It may come to nothing, so it has no id yet.
        who.insert("id".into(), Uuid::nil().to_string().into());
    }
    ctx.insert("identity".into(), who);
    if let (Some(session), FlowKind::Login | FlowKind::Settings) = (after.session, kind) {
        ctx.insert("session".into(), session::view(cx, session, Some((&after.who.identity, Parts::PUBLIC))));
    }
    Value::Object(ctx)
}

/// What calls that no hook of a flow makes are told of the flow and the request.
pub(crate) fn context_of_request(cx: &Cx, flow: &Flow) -> Map<String, Value> {
    request(cx, plain_form(bare(cx, flow)))
}

fn request(cx: &Cx, flow: Value) -> Map<String, Value> {
    let allowed = &cx.config().clients.web_hook.header_allowlist;
    let mut ctx = Map::new();
    ctx.insert("flow".into(), flow);
    ctx.insert("request_headers".into(), told_headers(&cx.request.headers, allowed).into());
    ctx.insert("request_method".into(), cx.request.method.as_str().into());
    ctx.insert("request_url".into(), cx.request.url.as_str().into());
    ctx.insert("request_cookies".into(), cookies(&cx.request.headers).into());
    ctx
}

/// The request's cookies by name; of several of one name the first counts.
fn cookies(headers: &[(String, String)]) -> Map<String, Value> {
    let mut cookies = Map::new();
    for (_, line) in headers.iter().filter(|(name, _)| name == "cookie") {
        for (name, value) in line.split(';').filter_map(|pair| pair.split_once('=')) {
            cookies.entry(name.trim()).or_insert_with(|| value.trim().into());
        }
    }
    cookies
}

/// A flow without its form.
fn bare(cx: &Cx, flow: &Flow) -> Value {
    engine::body(flow, Shown::plain(engine::ui_for(cx, flow)))
}

/// The flow without what is the browser's alone: the anti-CSRF token, and the form's texts and pictures, by which secrets
/// are set up.
fn plain_form(mut form: Value) -> Value {
    if let Some(nodes) = form.pointer_mut("/ui/nodes").and_then(Value::as_array_mut) {
        nodes.retain(|node| !matches!(node.get("type").and_then(Value::as_str), Some("text" | "img")));
        for node in nodes.iter_mut().filter_map(|node| node.get_mut("attributes")).filter_map(Value::as_object_mut) {
            if node.get("name").is_some_and(|name| name == "csrf_token") {
                node.insert("value".into(), "".into());
            }
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_told_by_name() {
        let header = |line: &str| ("cookie".to_owned(), line.to_owned());
        let told = cookies(&[header("a=1; b=x=y"), ("accept".into(), "c=3".into()), header(" a=2;broken; d=")]);
        assert_eq!(Value::Object(told), json!({ "a": "1", "b": "x=y", "d": "" }));
    }

    #[test]
    fn secrets_of_a_form_stay_with_the_browser() {
        let form = json!({ "id": "1", "ui": { "nodes": [
            { "type": "input", "attributes": { "name": "csrf_token", "value": "secret" } },
            { "type": "input", "attributes": { "name": "traits.email", "value": "ada@example.org" } },
            { "type": "text", "attributes": { "id": "totp_secret_key", "text": { "text": "JBSWY3DP" } } },
            { "type": "img", "attributes": { "id": "totp_qr", "src": "data:" } },
        ] } });
        assert_eq!(
            plain_form(form)["ui"]["nodes"],
            json!([
                { "type": "input", "attributes": { "name": "csrf_token", "value": "" } },
                { "type": "input", "attributes": { "name": "traits.email", "value": "ada@example.org" } },
            ])
        );
    }
}
