//! The traits that a form can ask for, and the nodes that ask for them.

use jsonschema::JsonType;
use serde_json::Value;

use super::IdentitySchema;
use super::shape::{Items, Part, Shape, child_node};
use crate::message::label;
use crate::ui::{Group, InputType, Node, SelectOption};

/// How many values of an `enum` a node offers; the rest must be typed.
const MAX_OPTIONS: usize = 500;

/// The type of a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// Yes or no.
    Boolean,
}

impl Scalar {
    fn of(types: &[JsonType]) -> Option<Self> {
        match types {
            [JsonType::String] => Some(Self::String),
            [JsonType::Integer] => Some(Self::Integer),
            [JsonType::Number] => Some(Self::Number),
            [JsonType::Boolean] => Some(Self::Boolean),
            _ => None,
        }
    }
}

/// What a leaf holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafKind {
    /// A single value.
    One(Scalar),
    /// A list of single values of one type.
    List(Scalar),
    /// A list of objects, of lists, or of several types.
    OtherList,
    /// Any of several types, or anything at all if there are none.
    Other(Vec<JsonType>),
}

/// A trait that is no object, or an object about which the schema says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// The way to it from the traits: `["name", "first"]`.
    pub path: Vec<String>,
    /// The name of its field: `traits.name.first`.
    pub name: String,
    /// Its title, for the label.
    pub title: Option<String>,
    /// What it holds.
    pub kind: LeafKind,
    /// Its format, such as `email`.
    pub format: Option<String>,
    /// The regular expression that it must match.
    pub pattern: Option<String>,
    /// The only values that it may have, if there is a list of them.
    pub options: Vec<Value>,
    /// Whether the object right above requires it.
    pub required: bool,
}

impl Leaf {
    fn new(path: Vec<String>, name: String, shape: &Shape, required: bool) -> Self {
        let types = shape.types();
        let kind = match types {
            [JsonType::Array] => {
                let items = shape.first(|s| match &s.items {
                    Items::Every(item) => Scalar::of(item.types()),
                    _ => None,
                });
                items.map_or(LeafKind::OtherList, LeafKind::List)
            }
            _ => Scalar::of(types).map_or_else(|| LeafKind::Other(types.to_vec()), LeafKind::One),
        };
        Self {
            path,
            name,
            title: shape.first(|s| s.title.clone()),
            kind,
            format: shape.first(|s| s.format.clone()),
            pattern: shape.first(|s| s.pattern.clone()),
            options: shape.first(|s| (!s.options.is_empty()).then(|| s.options.clone())).unwrap_or_default(),
            required,
        }
    }

    /// Takes from another description of the same trait what this one does not say.
    fn learn(&mut self, other: Self) {
        if matches!(&self.kind, LeafKind::Other(types) if types.is_empty()) {
            self.kind = other.kind;
        }
        self.title = self.title.take().or(other.title);
        self.format = self.format.take().or(other.format);
        self.pattern = self.pattern.take().or(other.pattern);
        if self.options.is_empty() {
            self.options = other.options;
        }
        self.required |= other.required;
    }

    fn has_node(&self) -> bool {
        matches!(self.kind, LeafKind::One(_) | LeafKind::List(_))
    }

    /// The type of its input: by its format if it is a text, else by its type.
    #[must_use]
    pub fn input_type(&self) -> InputType {
        match (&self.kind, self.format.as_deref()) {
            (LeafKind::One(Scalar::String), Some("email")) => InputType::Email,
            (LeafKind::One(Scalar::String), Some("tel")) => InputType::Tel,
            (LeafKind::One(Scalar::String), Some("date")) => InputType::Date,
            (LeafKind::One(Scalar::String), Some("date-time")) => InputType::DatetimeLocal,
            (LeafKind::One(Scalar::String), Some("uri")) => InputType::Url,
            (LeafKind::One(Scalar::Integer | Scalar::Number), _) => InputType::Number,
            (LeafKind::One(Scalar::Boolean), _) => InputType::Checkbox,
            _ => InputType::Text,
        }
    }

    /// The node that asks for it.
    #[must_use]
    pub fn node(&self, group: Group, value: Option<&Value>) -> Node {
        let kind = self.input_type();
        let autocomplete = match kind {
            InputType::Email => Some("email"),
            InputType::Tel => Some("tel"),
            InputType::Url => Some("url"),
            _ => None,
        };
        let mut node = Node::input(group, &self.name, kind).with_input(|input| {
            input.required = self.required;
            input.pattern.clone_from(&self.pattern);
            input.autocomplete = autocomplete.map(str::to_owned);
            input.options = self.options.iter().take(MAX_OPTIONS).map(|value| SelectOption { value: value.clone() }).collect();
        });
        node.set_value(value.filter(|v| !v.is_null()).cloned());
        match &self.title {
            Some(title) => node.label(label::trait_title(title, &self.name)),
            None => node,
        }
    }
}

/// The nodes of all traits, in the schema's order, with the values that `traits` has.
#[must_use]
pub fn trait_nodes(schema: &IdentitySchema, group: Group, traits: &Value) -> Vec<Node> {
    let value = |leaf: &Leaf| leaf.path.iter().try_fold(traits, |value, step| value.get(step));
    schema.leaves.iter().map(|leaf| leaf.node(group, value(leaf))).collect()
}

/// The leaves that have a node, and those that have none.
pub(super) fn collect(traits: &Shape) -> (Vec<Leaf>, Vec<Leaf>) {
    let mut all = Vec::new();
    collect_into(traits, &[], "traits", &traits.required(), &mut all);
    all.into_iter().partition(Leaf::has_node)
}

fn collect_into(shape: &Shape, path: &[String], node: &str, required: &[&str], out: &mut Vec<Leaf>) {
    for part in &shape.parts {
        match part {
            Part::Property(name, inner) => {
                let path: Vec<String> = path.iter().chain([name]).cloned().collect();
                let node = child_node(node, name);
                if inner.is_object() {
                    collect_into(inner, &path, &node, &inner.required(), out);
                    continue;
                }
                let leaf = Leaf::new(path, node, inner, required.contains(&name.as_str()));
                match out.iter_mut().find(|known| known.name == leaf.name) {
                    Some(known) => known.learn(leaf),
                    None => out.push(leaf),
                }
            }
            // What a branch requires is required only where it applies, which a form cannot tell beforehand.
            Part::Branch(_, inner) => collect_into(inner, path, node, required, out),
        }
    }
}
