//! What a form shows: nodes and messages. The JSON shape is part of the contract with front ends.

mod node;
pub mod order;

pub use node::{
    AnchorAttributes, Attributes, Group, ImageAttributes, InputAttributes, InputType, Meta, Node, ScriptAttributes, SelectOption,
    TextAttributes,
};

use serde::Serialize;

use crate::message::Message;

/// The form of a flow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ui {
    /// Where the form goes.
    pub action: String,
    /// The HTTP method by which it goes there; always `POST`.
    pub method: &'static str,
    /// The form's parts, in order; `null` to front ends if there are none.
    #[serde(serialize_with = "null_if_empty")]
    pub nodes: Vec<Node>,
    /// Messages about the form as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

fn null_if_empty<S: serde::Serializer>(nodes: &[Node], serializer: S) -> Result<S::Ok, S::Error> {
    (!nodes.is_empty()).then_some(nodes).serialize(serializer)
}

impl Ui {
    /// An empty form that goes to `action`.
    #[must_use]
    pub fn new(action: String) -> Self {
        Self { action, method: "POST", nodes: Vec::new(), messages: Vec::new() }
    }

    /// The first node of a name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name() == Some(name))
    }

    /// The first node of a name, to change it.
    pub fn node_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|n| n.name() == Some(name))
    }

    /// Adds a node; one of the same name, group and (for submit buttons) value takes the place of the old.
    pub fn upsert(&mut self, node: Node) {
        let place = self.nodes.iter().position(|n| n.same_place(&node));
        match place {
            Some(i) => self.nodes[i] = node,
            None => self.nodes.push(node),
        }
    }
}
