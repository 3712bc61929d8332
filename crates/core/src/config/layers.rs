//! Values laid over each other, and the memory of where each one came from.
//!
//! Mappings join key by key; lists and scalars replace what was there. A `null` takes a value away, so that its default
//! shows again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::key::{KeyPath, Step};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The merged values.
#[derive(Default)]
pub(super) struct Layers {
    root: Map<String, Value>,
    origins: Origins,
}

/// Where each value came from.
#[derive(Default)]
pub(super) struct Origins(BTreeMap<KeyPath, Origin>);

impl Origins {
    /// Where the value at a path came from; for a part of a list, or for what is missing from a section, where that came
    /// from.
    pub(super) fn of(&self, path: &KeyPath) -> Option<&Origin> {
        let mut steps = path.0.as_slice();
        loop {
            if let Some(origin) = self.0.get(&KeyPath(steps.to_vec())) {
                return Some(origin);
            }
            steps = steps.split_last()?.1;
        }
    }

    /// Whether nobody gave the value at a path, nor a part of it.
    pub(super) fn missing(&self, path: &str) -> bool {
        let path = KeyPath::dotted(path);
        !self.0.range(path.clone()..).next().is_some_and(|(p, _)| p.0.starts_with(&path.0))
    }

    fn forget(&mut self, path: &KeyPath) {
        let below: Vec<KeyPath> =
            self.0.range(path.clone()..).map(|(p, _)| p).take_while(|p| p.0.starts_with(&path.0)).cloned().collect();
        for path in below {
            self.0.remove(&path);
        }
    }
}

impl Layers {
    /// Lays a document over what is there.
    pub(super) fn lay(&mut self, document: Map<String, Value>, origin: &Origin) {
        let mut root = std::mem::take(&mut self.root);
        self.join(&mut root, document, &KeyPath::default(), origin);
        self.root = root;
    }

    fn join(&mut self, below: &mut Map<String, Value>, above: Map<String, Value>, at: &KeyPath, origin: &Origin) {
        for (key, value) in above {
            let path = at.key(&key);
            match (below.get_mut(&key), value) {
                (_, Value::Null) => {
                    below.shift_remove(&key);
                    self.origins.forget(&path);
                }
                (Some(Value::Object(below)), Value::Object(above)) => self.join(below, above, &path, origin),
                (_, Value::Object(above)) => {
                    self.origins.forget(&path);
                    let mut fresh = Map::new();
                    self.join(&mut fresh, above, &path, origin);
                    below.insert(key, Value::Object(fresh));
                    self.origins.0.insert(path, origin.clone());
                }
                (_, value) => {
                    self.origins.forget(&path);
                    below.insert(key, value);
                    self.origins.0.insert(path, origin.clone());
                }
            }
        }
    }

    /// Sets one value, making the mappings and the list entry that lead to it.
    ///
    /// # Errors
    /// If an index lies beyond the end of its list by more than one.
    pub(super) fn set(&mut self, path: &KeyPath, value: Value, origin: &Origin) -> Result<(), String> {
        let mut root = Value::Object(std::mem::take(&mut self.root));
        let result = place(&mut root, &path.0, value);
        if let Value::Object(root) = root {
            self.root = root;
        }
        if result.is_ok() {
            self.origins.forget(path);
            self.origins.0.insert(path.clone(), origin.clone());
        }
        result
    }

    /// Adds a value that the program supplies, unless somebody gave one, or gave something around it that has no keys.
    pub(super) fn supply(&mut self, path: &str, value: Value) {
        let mut map = &mut self.root;
        let mut keys = path.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                map.entry(key).or_insert(value);
                return;
            }
            match map.entry(key).or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(below) => map = below,
                _ => return,
            }
        }
    }

    /// The value at a path, given by anybody.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        let mut keys = path.split('.');
        let mut value = self.root.get(keys.next()?)?;
        for key in keys {
            value = value.get(key)?;
        }
        Some(value)
    }

    /// The merged values, and where each came from.
    pub(super) fn into_root(self) -> (Map<String, Value>, Origins) {
        (self.root, self.origins)
    }
}

fn place(at: &mut Value, steps: &[Step], value: Value) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        *at = value;
        return Ok(());
    };
    match step {
        Step::Key(key) => {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(map) = at else { return Ok(()) };
            place(map.entry(key.clone()).or_insert(Value::Null), rest, value)
        }
        Step::Index(index) => {
            if !at.is_array() {
                *at = Value::Array(Vec::new());
            }
            let Value::Array(list) = at else { return Ok(()) };
            if list.len() == *index {
                list.push(Value::Null);
            }
            let length = list.len();
            match list.get_mut(*index) {
                Some(entry) => place(entry, rest, value),
                None => Err(format!("names entry {index} of a list that has {length}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(name: &str) -> Origin {
        Origin::File(PathBuf::from(name))
    }

    fn lay(layers: &mut Layers, value: Value, origin: &Origin) {
        match value {
            Value::Object(map) => layers.lay(map, origin),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn mappings_join_and_the_rest_replaces() {
        let mut layers = Layers::default();
        lay(&mut layers, json!({"a": {"b": 1, "c": [1, 2]}, "d": "x", "gone": {"e": 1}}), &file("one"));
        lay(
            &mut layers,
            json!({"a": {"c": [3], "new": null}, "d": {"now": "a mapping"}, "gone": null, "empty": {}}),
            &file("two"),
        );
        assert_eq!(Value::Object(layers.root.clone()), json!({"a": {"b": 1, "c": [3]}, "d": {"now": "a mapping"}, "empty": {}}));
        for (path, origin) in [("a.b", "one"), ("a.c", "two"), ("d", "two"), ("d.now", "two")] {
            assert_eq!(layers.origins.of(&KeyPath::dotted(path)), Some(&file(origin)), "{path}");
        }
        assert_eq!(layers.origins.of(&KeyPath::from_pointer("/a/c/0")), Some(&file("two")));
        assert_eq!(layers.origins.of(&KeyPath::dotted("gone.e")), None);
    }

    #[test]
    fn what_the_program_supplies_never_replaces() {
        let mut layers = Layers::default();
        lay(&mut layers, json!({"a": {"b": 1}, "text": "x"}), &file("one"));
        for path in ["a.b", "a.c", "text.d", "e.f.g"] {
            layers.supply(path, json!(2));
        }
        assert_eq!(Value::Object(layers.root.clone()), json!({"a": {"b": 1, "c": 2}, "text": "x", "e": {"f": {"g": 2}}}));
        assert!(layers.origins.missing("e.f.g") && layers.origins.missing("a.c") && !layers.origins.missing("a"));
    }

    #[test]
    fn single_values_are_set_and_lists_grow_by_one() {
        let mut layers = Layers::default();
        lay(&mut layers, json!({"list": [{"id": "a", "url": "u"}]}), &file("one"));
        let env = Origin::Environment("LIST_0_ID".to_owned());
        layers.set(&KeyPath::from_pointer("/list/0/id"), json!("b"), &env).expect("an entry");
        layers.set(&KeyPath::from_pointer("/list/1/id"), json!("c"), &env).expect("one more entry");
        assert!(layers.set(&KeyPath::from_pointer("/list/3/id"), json!("d"), &env).is_err());
        layers.set(&KeyPath::dotted("x.y"), json!(1), &env).expect("a new mapping");
        assert_eq!(Value::Object(layers.root.clone()), json!({"list": [{"id": "b", "url": "u"}, {"id": "c"}], "x": {"y": 1}}));
        assert_eq!(layers.origins.of(&KeyPath::from_pointer("/list/0/id")), Some(&env));
        assert_eq!(layers.origins.of(&KeyPath::from_pointer("/list/0/url")), Some(&file("one")));
    }
}
