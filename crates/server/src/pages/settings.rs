//! The settings page: what the flow's form is made of, in areas that a person looks for, and the list of sessions.
//!
//! Areas follow from the nodes alone: one that has none is not there. What is told stands at the part that it is about, and
//! the page begins there.

use askama::Template;
use portcullis_core::app::Cx;
use portcullis_core::config::oidc::Provider;
use portcullis_core::flow::settings;
use portcullis_core::session::Current;
use portcullis_model::credential::CredentialType;
use portcullis_model::ui::Group;
use portcullis_store::identities;
use serde_json::Value;
use uuid::Uuid;

use super::form::{self, Body, Entry, Facts, Form, Item, Layout, Notice, Script, Section, Ui};
use super::frame::{self, Account, Frame};
use super::sessions::{self, Sessions};
use super::{start, texts};
use crate::http::reply::Response;

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    heading: &'static str,
    notices: Vec<Notice>,
    to_mend: Vec<(String, String)>,
    areas: Vec<Area>,
    sessions: Option<Sessions>,
    scripts: Vec<Script>,
    /// Whose page it is: what was typed is never shown to somebody else.
    owner: Uuid,
}

/// A place of the page that its table of contents leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Area {
    id: &'static str,
    heading: Option<&'static str>,
    intro: Option<&'static str>,
    parts: Vec<Part>,
}

/// A part of an area: the form of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Its heading, where the area's does not say it.
    heading: Option<&'static str>,
    intro: Option<&'static str>,
    /// Whether it is switched on, where that is a question.
    state: Option<&'static str>,
    /// What stands below its list.
    outro: Option<&'static str>,
    /// Whether the page begins at its heading.
    autofocus: bool,
    section: Section,
}

/// Prints the page of a flow. `ui`: the flow's form.
pub(super) async fn show(cx: &Cx, id: Uuid, ui: &Ui, current: &Current) -> Response {
    let name = start::name_of(cx, &current.identity);
    let facts = Facts {
        account: Some(name.clone()),
        password_length: cx.config().min_password_length(),
        is_change: true,
        only_way: None,
    };
    let mut body = form::body(ui, Layout::Each, &facts);
    let about = settings::about(cx, id).await;
    // After sessions were ended, what an earlier submit was told is old news.
    let has_ended = cx.request.parameter(sessions::ENDED).is_some();
    if has_ended {
        body.notices.retain(|notice| notice.class == "error");
    }
    let begins_at = place_notices(&mut body, about.as_deref()).filter(|_| !has_ended);
    keep_connections(cx, &mut body, current.identity.id).await;
    let keys_are_factors = !cx.config().selfservice.methods.webauthn.config.passwordless;
    let sessions = sessions::list(cx, current, &id.to_string(), csrf_token(ui)).await;
    let heading = texts::SETTINGS;
    let page = Page {
        frame: Frame::new(cx, heading, body.has_errors).account(Account { name, sign_out: start::sign_out(cx).await }),
        heading,
        notices: body.notices,
        to_mend: body.to_mend,
        areas: areas(body.sections, keys_are_factors, begins_at),
        sessions,
        scripts: body.scripts,
        owner: current.identity.id,
    };
    frame::answer(cx, 200, &page)
}

/// Adds the connected accounts that must stay. Their flow has no node for them, as there is nothing to press.
async fn keep_connections(cx: &Cx, body: &mut Body, who: Uuid) {
    let oidc = &cx.config().selfservice.methods.oidc;
    if !oidc.enabled {
        return;
    }
    let at = body.sections.iter().position(|section| section.group == Group::Oidc);
    let shown = at.and_then(|at| body.sections.get(at)).map_or(&[][..], |section| section.entries.as_slice());
    let name = |provider: &Provider| provider.label.clone().unwrap_or_else(|| provider.id.clone());
    let is_missing = |p: &&Provider| p.organization_id.is_none() && !shown.iter().any(|entry| entry.name == name(p));
    let missing: Vec<&Provider> = oidc.config.providers.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return;
    }
    let found = match identities::get_with_credentials(cx.store(), who).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "the connected accounts cannot be read");
            return;
        }
    };
    let credential = found.as_ref().and_then(|who| who.credential(CredentialType::Oidc));
    let links = credential.and_then(|c| c.config.get("providers")?.as_array()).map_or(&[][..], Vec::as_slice);
    let is_linked = |id: &str| links.iter().any(|link| link.get("provider").and_then(Value::as_str) == Some(id));
    let kept: Vec<Entry> = missing.into_iter().filter(|p| is_linked(&p.id)).map(|p| Entry::kept(&name(p))).collect();
    match at.and_then(|at| body.sections.get_mut(at)) {
        Some(section) => drop(section.entries.splice(0..0, kept)),
        None if kept.is_empty() => {}
        None => body.sections.push(Section { entries: kept, ..Section::new("oidc", Group::Oidc) }),
    }
}

/// The anti-CSRF token of the flow's own forms.
fn csrf_token(ui: &Ui) -> &str {
    let mut inputs = ui.nodes.iter().filter_map(|node| node.as_input());
    inputs.find(|input| input.name == "csrf_token").and_then(|input| input.value.as_ref()?.as_str()).unwrap_or_default()
}

/// Puts what is told about one method's submit at its part. The page begins there, unless it begins in a field; where
/// nothing is told (codes are shown, say), at the part's heading, whose group is given back.
fn place_notices(body: &mut Body, about: Option<&str>) -> Option<Group> {
    let in_field = body.sections.iter().flat_map(|s| &s.forms).flat_map(Form::fields).any(|f| f.autofocus);
    let section = body.sections.iter_mut().find(|s| about.is_some_and(|about| word(s.group) == about));
    let Some(section) = section else {
        begin_at_first(&mut body.notices, in_field);
        return None;
    };
    section.notices = std::mem::take(&mut body.notices);
    begin_at_first(&mut section.notices, in_field);
    let shows = section.forms.iter().flat_map(|f| &f.items).any(|item| matches!(item, Item::Text(_) | Item::Image(_)));
    (section.notices.is_empty() && shows && !in_field).then_some(section.group)
}

fn begin_at_first(notices: &mut [Notice], in_field: bool) {
    if let Some(first) = notices.first_mut() {
        first.autofocus = !in_field;
    }
}

/// The word of a group, which is that of its method.
fn word(group: Group) -> String {
    serde_json::to_value(group).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The areas of the page, in the order in which people look for things.
fn areas(sections: Vec<Section>, keys_are_factors: bool, begins_at: Option<Group>) -> Vec<Area> {
    let mut areas: Vec<Area> = Vec::new();
    for section in sections {
        let place = place(section.group, keys_are_factors);
        let autofocus = begins_at == Some(section.group);
        let part = part(section, place, autofocus);
        match areas.iter_mut().find(|area| area.id == place) {
            Some(area) => area.parts.push(part),
            None => {
                let (heading, intro) = (texts::area(place), texts::area_intro(place, part.section.group));
                areas.push(Area { id: place, heading, intro, parts: vec![part] });
            }
        }
    }
    for area in &mut areas {
        // Whatever is set up, things stay where they were.
        area.parts.sort_by_key(|part| match part.section.group {
            Group::Totp => 0,
            Group::Webauthn => 1,
            _ => 2,
        });
        if let ("connections", [only]) = (area.id, area.parts.as_mut_slice()) {
            only.heading = None;
        }
    }
    areas.sort_by_key(|area| ORDER.iter().position(|id| *id == area.id));
    areas
}

/// All areas; those that stand for a single group bear its name.
const ORDER: [&str; 9] = ["general", "profile", "password", "code", "link", "passkey", "webauthn", "factors", "connections"];

/// The area of a group.
fn place(group: Group, keys_are_factors: bool) -> &'static str {
    match group {
        Group::Default | Group::IdentifierFirst | Group::Captcha | Group::Oauth2Consent => "general",
        Group::Profile => "profile",
        Group::Password => "password",
        Group::Code => "code",
        Group::Link => "link",
        Group::Passkey => "passkey",
        Group::Webauthn if !keys_are_factors => "webauthn",
        Group::Webauthn | Group::Totp | Group::LookupSecret => "factors",
        Group::Oidc | Group::Saml => "connections",
    }
}

fn part(section: Section, place: &str, autofocus: bool) -> Part {
    let shares = matches!(place, "factors" | "connections");
    // One of several things is there or not, which its list shows; the others are on or off.
    let has_state = matches!(section.group, Group::Totp | Group::LookupSecret);
    let outro = place == "connections" && section.entries.iter().any(|entry| entry.is_there && !entry.is_kept);
    Part {
        heading: texts::section(section.group).filter(|_| shares),
        intro: texts::section_intro(section.group).filter(|_| shares),
        state: has_state.then_some(if section.is_set_up { texts::IS_ON } else { texts::IS_OFF }),
        outro: outro.then_some(texts::DISCONNECT_HINT),
        autofocus,
        section,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn submit(group: &str, name: &str, label: Value) -> Value {
        json!({"type": "input", "group": group, "messages": [], "meta": {"label": label},
               "attributes": {"node_type": "input", "name": name, "type": "submit", "value": "true", "disabled": false}})
    }

    fn label(text: &str, context: Value) -> Value {
        json!({"id": 1, "text": text, "type": "info", "context": context})
    }

    fn laid_out(nodes: Value, messages: Value) -> Body {
        let ui = serde_json::from_value(json!({"action": "/", "nodes": nodes, "messages": messages})).unwrap();
        form::body(&ui, Layout::Each, &Facts::default())
    }

    fn every_method() -> Value {
        json!([
            submit("profile", "method", label("Save", json!({}))),
            submit("password", "method", label("Save", json!({}))),
            submit("oidc", "link", label("Link Acme", json!({"provider": "Acme"}))),
            submit("oidc", "unlink", label("Unlink Home", json!({"provider": "Home"}))),
            submit("totp", "totp_unlink", label("Remove the app", json!({}))),
            submit("lookup_secret", "lookup_secret_regenerate", label("Make codes", json!({}))),
            submit(
                "webauthn",
                "webauthn_remove",
                label("Remove it", json!({"display_name": "blue", "added_at_unix": 1_769_869_800}))
            ),
            submit("passkey", "passkey_remove", label("Remove it", json!({"display_name": "phone", "added_at_unix": 0}))),
        ])
    }

    #[test]
    fn areas_follow_from_nodes() {
        for (factors, expected) in [
            (true, "profile[-] password[-] passkey[-] factors[Authenticator app, Security keys, Backup codes] connections[-]"),
            (false, "profile[-] password[-] passkey[-] webauthn[-] factors[Authenticator app, Backup codes] connections[-]"),
        ] {
            let areas = areas(laid_out(every_method(), json!([])).sections, factors, None);
            let told: Vec<String> = areas
                .iter()
                .map(|a| format!("{}[{}]", a.id, a.parts.iter().map(|p| p.heading.unwrap_or("-")).collect::<Vec<_>>().join(", ")))
                .collect();
            assert_eq!(told.join(" "), expected);
            assert!(areas.iter().all(|a| a.heading.is_some()));
        }
        assert!(areas(Vec::new(), true, None).is_empty());
    }

    #[test]
    fn what_somebody_has_several_of_is_a_list() {
        let areas = areas(laid_out(every_method(), json!([])).sections, true, None);
        let parts: Vec<&Part> = areas.iter().flat_map(|a| &a.parts).collect();
        let of = |group| parts.iter().find(|p| p.section.group == group).unwrap();
        let key = &of(Group::Webauthn).section.entries[0];
        assert_eq!((key.name.as_str(), key.since.as_ref().unwrap().rfc3339.as_str()), ("blue", "2026-01-31T14:30:00Z"));
        let button = &key.form.as_ref().unwrap().buttons[0];
        assert_eq!((button.label.as_str(), button.spoken.as_deref()), ("Remove", Some("Remove: blue")));
        let oidc = &of(Group::Oidc).section;
        let told: Vec<_> =
            oidc.entries.iter().map(|e| (e.name.as_str(), e.is_there, e.mark.as_ref().unwrap().letter.as_str())).collect();
        assert_eq!((told, oidc.forms.len()), (vec![("Home", true, "H"), ("Acme", false, "A")], 0));
        let spoken = |n: usize| oidc.entries[n].form.as_ref().unwrap().buttons[0].spoken.as_deref();
        assert_eq!((spoken(0), spoken(1)), (Some("Disconnect: Home"), Some("Connect: Acme")));
        assert_eq!((of(Group::Totp).state, of(Group::LookupSecret).state), (Some("On"), Some("Off")));
        assert_eq!(of(Group::Profile).state, None);
    }

    #[test]
    fn messages_stand_at_the_part_that_they_are_about() {
        let saved = json!([{"id": 1_050_001, "text": "Saved.", "type": "success"}]);
        for (about, in_password) in [(Some("password"), true), (Some("nothing"), false), (None, false)] {
            let mut body = laid_out(every_method(), saved.clone());
            assert_eq!(place_notices(&mut body, about), None);
            let password = body.sections.iter().find(|s| s.group == Group::Password).unwrap();
            assert_eq!((password.notices.len(), body.notices.len()), if in_password { (1, 0) } else { (0, 1) }, "{about:?}");
            assert!(body.notices.iter().chain(&password.notices).all(|n| n.autofocus));
        }
    }

    #[test]
    fn the_page_begins_at_what_was_asked_for() {
        let text = json!({"type": "text", "group": "lookup_secret", "messages": [], "meta": {},
                          "attributes": {"node_type": "text", "id": "x", "text": {"id": 1, "text": "abcd", "type": "info"}}});
        let mut body = laid_out(json!([text]), json!([]));
        assert_eq!(place_notices(&mut body, Some("lookup_secret")), Some(Group::LookupSecret));
        assert_eq!(place_notices(&mut body, None), None);
    }

    fn node(group: &str, kind: &str, attributes: Value, label_text: &str) -> Value {
        let mut attributes = attributes;
        attributes["node_type"] = json!(kind);
        attributes["disabled"] = json!(false);
        json!({"type": kind, "group": group, "messages": [], "meta": {"label": label(label_text, json!({}))}, "attributes": attributes})
    }

    /// A page with a part of every method.
    fn whole_page() -> String {
        let secrets: Vec<Value> = (0..12)
            .map(|n| match n {
                0 => json!({"id": 1_050_014, "text": "Used at noon", "type": "info"}),
                n => json!({"id": 1_050_009, "text": format!("abcd{n:04}"), "type": "info"}),
            })
            .collect();
        let text = |id: u32, text: &str, context: Value| json!({"id": "x", "text": {"id": id, "text": text, "type": "info", "context": context}});
        let mut nodes = every_method().as_array().unwrap().clone();
        nodes.splice(
            0..0,
            [
                node("default", "input", json!({"name": "csrf_token", "type": "hidden", "value": "token"}), ""),
                node(
                    "profile",
                    "input",
                    json!({"name": "traits.email", "type": "email", "value": "a@example.org", "required": true}),
                    "E-mail",
                ),
                node("profile", "input", json!({"name": "traits.news", "type": "checkbox", "value": true}), "Newsletter"),
                node(
                    "password",
                    "input",
                    json!({"name": "password", "type": "password", "autocomplete": "new-password"}),
                    "Password",
                ),
                node(
                    "totp",
                    "img",
                    json!({"id": "totp_qr", "src": "data:image/png;base64,iVBORw0KGgo=", "width": 256, "height": 256}),
                    "Scan this",
                ),
                node("totp", "text", text(1_050_006, "KVKFKRCPNZQUYMLXOVYDSQKJKZDTSRLD", json!({"secret": "KVKF"})), "Type this"),
                node("totp", "input", json!({"name": "totp_code", "type": "text", "required": true}), "Code"),
                node("lookup_secret", "text", text(1_050_015, "", json!({"secrets": secrets})), "Keep these codes"),
                node(
                    "lookup_secret",
                    "input",
                    json!({"name": "lookup_secret_confirm", "type": "submit", "value": "true"}),
                    "I have kept them",
                ),
                node("webauthn", "input", json!({"name": "webauthn_register_displayname", "type": "text"}), "Name of the key"),
                node(
                    "webauthn",
                    "input",
                    json!({"name": "webauthn_register_trigger", "type": "button", "onclickTrigger": "oryWebAuthnRegistration"}),
                    "Add a key",
                ),
            ],
        );
        let mut body = laid_out(json!(nodes), json!([{"id": 1_050_001, "text": "Your changes are saved.", "type": "success"}]));
        let begins_at = place_notices(&mut body, Some("totp"));
        let frame = Frame {
            title: "Settings".into(),
            site: "example.org".into(),
            home: None,
            account: Some(Account { name: "ada@example.org".into(), sign_out: None }),
            style: "/style".into(),
            script: "/script".into(),
            icon: "/icon".into(),
        };
        let page = Page {
            frame,
            heading: texts::SETTINGS,
            notices: body.notices,
            to_mend: body.to_mend,
            areas: areas(body.sections, true, begins_at),
            sessions: None,
            scripts: body.scripts,
            owner: Uuid::nil(),
        };
        page.render().unwrap()
    }

    #[test]
    fn every_anchor_is_there_once() {
        let html = whole_page();
        let values = |name: &str| -> Vec<String> {
            let mark = format!(" {name}=\"");
            html.split(&mark).skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect()
        };
        let mut ids = values("id");
        let links = values("href").into_iter().filter_map(|href| href.strip_prefix('#').map(str::to_owned));
        let lists = ["aria-labelledby", "aria-describedby", "for"].iter().flat_map(|name| values(name));
        for wanted in links.chain(lists.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>())) {
            assert!(ids.contains(&wanted), "{wanted} is nowhere in {html}");
        }
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{ids:?}");
        assert_eq!(html.matches(" autofocus").count(), 1, "a page begins at one place");
    }

    #[test]
    fn used_codes_are_struck_out_and_pictures_have_words() {
        let html = whole_page();
        assert_eq!((html.matches("<li><code>").count(), html.matches("<li><s>").count()), (11, 1));
        assert!(html.contains(r#"alt="Scan this" width="256" height="256""#), "{html}");
        assert!(html.contains(r#"data-trigger="oryWebAuthnRegistration" hidden"#), "{html}");
        let forms: Vec<&str> = html.split("<form ").skip(1).collect();
        assert!(forms.iter().all(|form| form.contains(r#"name="csrf_token" value="token""#)), "{html}");
    }
}
