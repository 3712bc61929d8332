//! What a schema says about one value, with its references followed and its marks read: the form in which traits are
//! walked. It is built once per schema and says nothing about validity; that is the validator's business.

use std::sync::Arc;

use jsonschema::{JsonType, Validator};
use serde_json::Value;

use super::extension::Marks;

/// What a schema says about one value.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) title: Option<String>,
    /// The types that `type` names; empty if it is not there.
    pub(super) types: Vec<JsonType>,
    pub(super) format: Option<String>,
    pub(super) pattern: Option<String>,
    /// The values that `enum` names.
    pub(super) options: Vec<Value>,
    pub(super) required: Vec<String>,
    pub(super) marks: Marks,
    /// Whether it has the keyword `properties`, however empty.
    pub(super) has_properties_keyword: bool,
    /// Properties and branches, in the order of the schema's text.
    pub(super) parts: Vec<Part>,
    pub(super) items: Items,
    /// What properties without a shape of their own look like.
    pub(super) additional: Option<Box<Shape>>,
    /// Tells whether a value is accepted; only objects inside the traits have it.
    pub(super) validator: Option<Arc<Validator>>,
}

/// A part of an object's shape.
#[derive(Debug)]
pub(super) enum Part {
    Property(String, Shape),
    Branch(Guard, Shape),
}

/// When a branch applies to a value.
#[derive(Debug, Clone)]
pub(super) enum Guard {
    Always,
    /// If the value is valid by another schema.
    Valid(Arc<Validator>),
    /// If the value is not valid by another schema.
    Invalid(Arc<Validator>),
    /// If the value is an object that has a property.
    Has(String),
}

impl Guard {
    fn lets_in(&self, value: &Value) -> bool {
        match self {
            Self::Always => true,
            Self::Valid(validator) => validator.is_valid(value),
            Self::Invalid(validator) => !validator.is_valid(value),
            Self::Has(property) => value.get(property).is_some(),
        }
    }
}

/// The shape of a list's items.
#[derive(Debug, Default)]
pub(super) enum Items {
    #[default]
    Unknown,
    Every(Box<Shape>),
    Each(Vec<Shape>),
}

impl Items {
    pub(super) fn at(&self, index: usize) -> Option<&Shape> {
        match self {
            Self::Unknown => None,
            Self::Every(shape) => Some(shape),
            Self::Each(shapes) => shapes.get(index),
        }
    }
}

/// The node that a part of the value of `node` belongs to.
pub(super) fn child_node(node: &str, property: &str) -> String {
    format!("{node}.{property}")
}

impl Shape {
    /// This shape and the branches that hold for every value, in that order.
    fn always(&self) -> Vec<&Self> {
        let mut out = vec![self];
        for part in &self.parts {
            if let Part::Branch(Guard::Always, shape) = part {
                out.extend(shape.always());
            }
        }
        out
    }

    /// What the first of this shape and the branches that always hold says.
    pub(super) fn first<'a, T>(&'a self, say: impl Fn(&'a Self) -> Option<T>) -> Option<T> {
        self.always().into_iter().find_map(say)
    }

    /// The types that are allowed, by this shape or else by a branch that always holds.
    pub(super) fn types(&self) -> &[JsonType] {
        self.first(|s| (!s.types.is_empty()).then_some(s.types.as_slice())).unwrap_or_default()
    }

    /// The names that must be there, in this order and each once.
    pub(super) fn required(&self) -> Vec<&str> {
        let mut out: Vec<&str> = Vec::new();
        for name in self.always().into_iter().flat_map(|s| &s.required) {
            if !out.contains(&name.as_str()) {
                out.push(name);
            }
        }
        out
    }

    /// Whether the value is an object with properties of its own: a container of traits, and none itself.
    pub(super) fn is_object(&self) -> bool {
        let has_properties = self.always().into_iter().any(|s| s.parts.iter().any(|p| matches!(p, Part::Property(..))));
        match self.types() {
            [] => has_properties,
            [only] => *only == JsonType::Object,
            _ => false,
        }
    }

    /// The shape of a property, wherever it stands.
    pub(super) fn property(&self, name: &str) -> Option<&Self> {
        let own = self.parts.iter().find_map(|part| match part {
            Part::Property(key, shape) if key == name => Some(shape),
            _ => None,
        });
        own.or_else(|| {
            self.parts.iter().find_map(|part| match part {
                Part::Branch(_, shape) => shape.property(name),
                Part::Property(..) => None,
            })
        })
    }

    /// Calls `f` with every shape in the order of the schema's text, and the node that its value belongs to.
    pub(super) fn each<'a>(&'a self, node: &str, f: &mut dyn FnMut(&'a Self, &str)) {
        f(self, node);
        for part in &self.parts {
            match part {
                Part::Property(name, shape) => shape.each(&child_node(node, name), f),
                Part::Branch(_, shape) => shape.each(node, f),
            }
        }
        match &self.items {
            Items::Unknown => {}
            Items::Every(shape) => shape.each(node, f),
            Items::Each(shapes) => shapes.iter().for_each(|s| s.each(node, f)),
        }
    }

    /// Calls `f` with every shape that applies to a part of the value, that part, and the node that it belongs to: lists
    /// have one node, whatever is in them.
    pub(super) fn visit<'a, 'v>(&'a self, node: &str, value: &'v Value, f: &mut dyn FnMut(&'a Self, &'v Value, &str)) {
        f(self, value, node);
        for part in &self.parts {
            match part {
                Part::Property(name, shape) => {
                    if let Some(inner) = value.get(name) {
                        shape.visit(&child_node(node, name), inner, f);
                    }
                }
                Part::Branch(guard, shape) => {
                    if guard.lets_in(value) {
                        shape.visit(node, value, f);
                    }
                }
            }
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(shape) = self.items.at(index) {
                        shape.visit(node, item, f);
                    }
                }
            }
            Value::Object(map) => {
                if let Some(additional) = &self.additional {
                    for (name, inner) in map.iter().filter(|(name, _)| !self.knows(name)) {
                        additional.visit(&child_node(node, name), inner, f);
                    }
                }
            }
            _ => {}
        }
    }

    /// As [`Shape::visit`], for texts that are to be changed.
    pub(super) fn visit_texts(&self, value: &mut Value, f: &mut dyn FnMut(&Self, &mut String)) {
        if let Value::String(text) = value {
            f(self, text);
        }
        for part in &self.parts {
            match part {
                Part::Property(name, shape) => {
                    if let Some(inner) = value.get_mut(name) {
                        shape.visit_texts(inner, f);
                    }
                }
                Part::Branch(guard, shape) => {
                    if guard.lets_in(value) {
                        shape.visit_texts(value, f);
                    }
                }
            }
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Some(shape) = self.items.at(index) {
                        shape.visit_texts(item, f);
                    }
                }
            }
            Value::Object(map) => {
                if let Some(additional) = &self.additional {
                    for (_, inner) in map.iter_mut().filter(|(name, _)| !self.knows(name)) {
                        additional.visit_texts(inner, f);
                    }
                }
            }
            _ => {}
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Property(key, _) if key == name))
    }

    /// Adds `{}` for the objects that the shape knows and the value lacks, where the schema accepts that.
    pub(super) fn fill_absent_objects(&self, value: &mut Value) {
        if !value.is_object() {
            return;
        }
        for part in &self.parts {
            match part {
                Part::Property(name, shape) => {
                    if let Some(inner) = value.get_mut(name) {
                        shape.fill_absent_objects(inner);
                    } else if let (Some(empty), Value::Object(map)) = (shape.empty_object(), &mut *value) {
                        map.insert(name.clone(), empty);
                    }
                }
                Part::Branch(guard, shape) => {
                    if guard.lets_in(value) {
                        shape.fill_absent_objects(value);
                    }
                }
            }
        }
    }

    /// An object without values that this shape accepts: filled with the empty objects inside it, or else quite empty.
    fn empty_object(&self) -> Option<Value> {
        let validator = self.is_object().then_some(self.validator.as_ref()).flatten()?;
        let empty = Value::Object(serde_json::Map::new());
        let mut filled = empty.clone();
        self.fill_absent_objects(&mut filled);
        [filled, empty].into_iter().find(|candidate| validator.is_valid(candidate))
    }
}
