//! What a deciding web hook answers: messages by which it refuses, or what the identity is to become.

use portcullis_model::flow::Notes;
use portcullis_model::identity::{AddressStatus, State, VerifiableAddress, Via};
use portcullis_model::message::{Message, MessageType};
use portcullis_model::normal;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::{self, After, FlowError};
use crate::identity;

/// The most messages that are taken from one answer.
const MOST_MESSAGES: usize = 50;

#[derive(Deserialize)]
struct Refusal {
    messages: Vec<AtNode>,
}

#[derive(Deserialize)]
struct AtNode {
    #[serde(default)]
    instance_ptr: String,
    messages: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    id: u32,
    text: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

/// The messages of a refusal, at the nodes that their pointers name; those of nodes that the form lacks are told about the
/// whole. `None` if there are none that can be used.
pub(super) fn messages(body: &[u8], form: &Value) -> Option<Notes> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let mut notes = Notes::default();
    let told = refusal.messages.into_iter().flat_map(|at| {
        let node = node_of(&at.instance_ptr);
        at.messages.into_iter().map(move |message| (node.clone(), message))
    });
    for (node, message) in told.take(MOST_MESSAGES) {
        let kind = if message.kind == "error" { MessageType::Error } else { MessageType::Info };
        let message = Message { id: message.id, text: message.text, kind, context: message.context.unwrap_or_default() };
        match node.filter(|node| has_node(form, node)) {
            Some(node) => notes.tell_at(&node, message),
            None => notes.tell(message),
        }
    }
    notes.has_messages().then_some(notes)
}

/// The node that a JSON pointer (RFC 6901, as a fragment) names; `None`: the form as a whole.
fn node_of(pointer: &str) -> Option<String> {
    let path = pointer.strip_prefix('#').unwrap_or(pointer).trim_matches('/');
    if path.is_empty() {
        return None;
    }
    let steps: Vec<String> = path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    Some(steps.join("."))
}

fn has_node(form: &Value, name: &str) -> bool {
    let nodes = form.pointer("/ui/nodes").and_then(Value::as_array);
    let is_it = |node: &Value| {
        let attributes = node.get("attributes");
        ["name", "id"].iter().any(|key| attributes.and_then(|a| a.get(key)).is_some_and(|value| value == name))
    };
    nodes.is_some_and(|nodes| nodes.iter().any(is_it))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changed {
    identity: Option<NewIdentity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewIdentity {
    schema_id: Option<String>,
    traits: Option<Map<String, Value>>,
    metadata_public: Option<Value>,
    metadata_admin: Option<Value>,
    verifiable_addresses: Option<Vec<Address>>,
    state: Option<State>,
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    value: String,
    via: Via,
    #[serde(default)]
    verified: bool,
    #[serde(default)]
    status: Option<AddressStatus>,
}

/// Why an answer cannot be followed.
pub(super) enum Unfit {
    /// It is not of the documented shape.
    Shape,
    /// The identity that it makes is refused.
    Flow(FlowError),
}

/// Replaces the parts of the identity that an answer names, and works out what follows from them. Recovery addresses always
/// follow from the traits.
pub(super) fn change(cx: &Cx, after: &mut After<'_>, body: &Value) -> Result<(), Unfit> {
    let Some(new) = Changed::deserialize(body).map_err(|_| Unfit::Shape)?.identity else { return Ok(()) };
    let identity = &mut after.who.identity;
    if let Some(schema_id) = new.schema_id.filter(|id| !id.is_empty()) {
        identity.schema_id = schema_id;
    }
    if let Some(traits) = new.traits.filter(|traits| !traits.is_empty()) {
        identity.traits = Value::Object(traits);
    }
    if let Some(metadata) = new.metadata_public.filter(|m| !m.is_null()) {
        identity.metadata_public = metadata;
    }
    if let Some(metadata) = new.metadata_admin.filter(|m| !m.is_null()) {
        identity.metadata_admin = metadata;
    }
    if let Some(state) = new.state.filter(|state| *state != identity.state) {
        identity.state = state;
        identity.state_changed_at = cx.now;
    }
    if let Some(external_id) = new.external_id.filter(|id| !id.is_empty()) {
        identity.external_id = Some(external_id);
    }
    if let Some(addresses) = new.verifiable_addresses.filter(|list| !list.is_empty()) {
        identity.verifiable_addresses = addresses.into_iter().map(|address| record(cx, address)).collect();
    }
    let schema = engine::schema_of(cx, after.who).map_err(Unfit::Flow)?;
    let mut notes = Notes::default();
    for problem in schema.validate_traits(&after.who.identity.traits) {
        notes.tell_at(&problem.node, problem.message);
    }
    if notes.has_messages() {
        // What the hook took away is missing in the form, too. What it wrote itself is not the person's to see.
        for leaf in schema.leaves() {
            let given = leaf.path.iter().try_fold(&after.who.identity.traits, |value, step| value.get(step));
            if given.is_none_or(Value::is_null) {
                notes.keep(&leaf.name, Value::Null);
            }
        }
        return Err(Unfit::Flow(FlowError::Invalid(Box::new(notes))));
    }
    schema.normalise_phone_traits(&mut after.who.identity.traits);
    identity::conform(cx, after.who, after.before, &schema);
    Ok(())
}

/// An address of the answer; which record it is, the traits tell.
fn record(cx: &Cx, address: Address) -> VerifiableAddress {
    let pending = if address.verified { AddressStatus::Completed } else { AddressStatus::Pending };
    VerifiableAddress {
        id: Uuid::nil(),
        value: normal::address(address.via, &address.value),
        verified: address.verified,
        via: address.via,
        status: address.status.unwrap_or(pending),
        verified_at: address.verified.then_some(cx.now),
        created_at: cx.now,
        updated_at: cx.now,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_name_nodes() {
        for (pointer, node) in [
            ("#/traits/email", Some("traits.email")),
            ("/password", Some("password")),
            ("#/traits/a~1b/~0c", Some("traits.a/b.~c")),
            ("#/", None),
            ("#", None),
            ("", None),
        ] {
            assert_eq!(node_of(pointer).as_deref(), node, "{pointer}");
        }
    }

    #[test]
    fn messages_are_told_where_they_belong_or_about_the_whole() {
        let form = json!({ "ui": { "nodes": [{ "attributes": { "name": "traits.age" } }] } });
        let body = json!({ "messages": [
            { "instance_ptr": "#/traits/age", "messages": [{ "id": 1, "text": "a", "type": "error", "context": { "k": 1 } }] },
            { "instance_ptr": "#/traits/none", "messages": [{ "id": 2, "text": "b", "type": "warning" }] },
            { "messages": [{ "id": 3, "text": "c", "type": "info" }] },
        ] });
        let notes = messages(body.to_string().as_bytes(), &form).expect("messages");
        assert_eq!(
            notes.messages.iter().map(|m| (m.id, m.kind)).collect::<Vec<_>>(),
            [(2, MessageType::Info), (3, MessageType::Info)]
        );
        assert_eq!((notes.nodes["traits.age"].messages[0].id, notes.nodes.len()), (1, 1));
    }

    #[test]
    fn what_holds_no_messages_is_no_refusal() {
        for body in [
            "",
            "no",
            "{}",
            r#"{"messages":"x"}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":[{"messages":[]}]}"#,
            r#"{"messages":[{"messages":[{"id":"1","text":"x"}]}]}"#,
            r#"{"messages":[{"messages":[{"id":-1,"text":"x"}]}]}"#,
        ] {
            assert!(messages(body.as_bytes(), &json!({})).is_none(), "{body}");
        }
    }
}
