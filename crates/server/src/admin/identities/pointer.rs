//! JSON Patch (RFC 6902) as the admin API takes it: `add`, `remove` and `replace`, with parents made where they are missing.
//!
//! Pure functions over JSON values; what may be patched is decided elsewhere.

use serde_json::{Map, Value};

/// The part of a path that stands for the place after the last entry of a list.
const APPEND: &str = "-";

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Adds a member, or an entry before the one of that index.
    Add,
    /// Replaces a member or entry; a missing member is added.
    Replace,
    /// Removes a member or entry.
    Remove,
}

/// An operation of a patch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    /// The parts of the path (RFC 6901), unescaped.
    pub(super) path: Vec<String>,
    /// The value; null for `remove`.
    pub(super) value: Value,
}

/// Reads a patch: a list of operations.
pub(super) fn read(patch: Value) -> Result<Vec<Operation>, String> {
    let Value::Array(operations) = patch else { return Err("A patch is a list of operations.".to_owned()) };
    operations.into_iter().map(operation).collect()
}

fn operation(value: Value) -> Result<Operation, String> {
    let Value::Object(mut members) = value else { return Err("An operation is an object.".to_owned()) };
    let kind = match members.get("op").and_then(Value::as_str) {
        Some("add") => Kind::Add,
        Some("replace") => Kind::Replace,
        Some("remove") => Kind::Remove,
        _ => return Err("The operations are add, replace and remove.".to_owned()),
    };
    let path = members.get("path").and_then(Value::as_str).ok_or("An operation needs a path.")?;
    let path =
        parts(path).ok_or_else(|| format!("{path:?} is no path: it begins with a slash, and ~ stands only in ~0 and ~1."))?;
    let value = members.remove("value");
    if kind != Kind::Remove && value.is_none() {
        return Err("add and replace need a value.".to_owned());
    }
    Ok(Operation { kind, path, value: value.unwrap_or_default() })
}

/// The parts of a JSON pointer.
fn parts(pointer: &str) -> Option<Vec<String>> {
    let rest = pointer.strip_prefix('/')?;
    rest.split('/').map(unescape).collect()
}

fn unescape(part: &str) -> Option<String> {
    let mut out = String::with_capacity(part.len());
    let mut letters = part.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '~' => match letters.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            other => out.push(other),
        }
    }
    Some(out)
}

/// Applies an operation.
pub(super) fn apply(document: &mut Value, operation: &Operation) -> Result<(), String> {
    let Some((last, parents)) = operation.path.split_last() else {
        return Err("The whole identity cannot be patched at once.".to_owned());
    };
    let mut at = document;
    for (index, part) in parents.iter().enumerate() {
        let below = parents.get(index + 1).unwrap_or(last);
        at = match operation.kind {
            Kind::Remove => existing(at, part),
            Kind::Add | Kind::Replace => existing_or_made(at, part, below),
        }
        .ok_or_else(|| nothing_at(&operation.path))?;
    }
    let done = match operation.kind {
        Kind::Add => add(at, last, operation.value.clone()),
        Kind::Replace => replace(at, last, operation.value.clone()),
        Kind::Remove => remove(at, last),
    };
    done.ok_or_else(|| nothing_at(&operation.path))
}

fn nothing_at(path: &[String]) -> String {
    format!("There is nothing at /{} that this operation can change.", path.join("/"))
}

/// The index that a part of a path names in a list (RFC 6901: no leading zeros).
fn index(part: &str) -> Option<usize> {
    if part.len() > 1 && part.starts_with('0') {
        return None;
    }
    part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
}

fn existing<'a>(at: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    match at {
        Value::Object(map) => map.get_mut(part),
        Value::Array(list) => list.get_mut(index(part)?),
        _ => None,
    }
}

/// What is below, made if there is nothing: a list where the path goes on with an entry's place, an object otherwise.
fn existing_or_made<'a>(at: &'a mut Value, part: &str, below: &str) -> Option<&'a mut Value> {
    let value = match at {
        Value::Object(map) => map.entry(part.to_owned()).or_insert(Value::Null),
        Value::Array(list) => {
            let place = if part == APPEND { list.len() } else { index(part)? };
            if place == list.len() {
                list.push(Value::Null);
            }
            list.get_mut(place)?
        }
        _ => return None,
    };
    if value.is_null() {
        *value = if below == APPEND || below == "0" { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    Some(value)
}

fn add(at: &mut Value, part: &str, value: Value) -> Option<()> {
    match at {
        Value::Object(map) => {
            map.insert(part.to_owned(), value);
            Some(())
        }
        Value::Array(list) if part == APPEND => {
            list.push(value);
            Some(())
        }
        Value::Array(list) => {
            let index = index(part).filter(|i| *i <= list.len())?;
            list.insert(index, value);
            Some(())
        }
        _ => None,
    }
}

fn replace(at: &mut Value, part: &str, value: Value) -> Option<()> {
    match at {
        Value::Object(map) => {
            map.insert(part.to_owned(), value);
            Some(())
        }
        Value::Array(list) => {
            *list.get_mut(index(part)?)? = value;
            Some(())
        }
        _ => None,
    }
}

fn remove(at: &mut Value, part: &str) -> Option<()> {
    match at {
        Value::Object(map) => map.shift_remove(part).map(drop),
        Value::Array(list) => {
            let index = index(part).filter(|i| *i < list.len())?;
            list.remove(index);
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(document: Value, patch: Value) -> Result<Value, String> {
        let mut out = document;
        for operation in read(patch)? {
            apply(&mut out, &operation)?;
        }
        Ok(out)
    }

    #[test]
    fn operations() {
        let document = json!({ "a": { "b": 1 }, "list": [1, 2, 3], "none": null, "x/y": 1, "m~n": 2 });
        for (patch, want) in [
            (json!([{ "op": "add", "path": "/a/c", "value": 2 }]), json!({ "b": 1, "c": 2 })),
            (json!([{ "op": "replace", "path": "/a/c/d", "value": 2 }]), json!({ "b": 1, "c": { "d": 2 } })),
            (json!([{ "op": "remove", "path": "/a/b" }]), json!({})),
            (json!([{ "op": "add", "path": "/a/c/-", "value": 2 }]), json!({ "b": 1, "c": [2] })),
            (json!([{ "op": "replace", "path": "/a", "value": 7 }]), json!(7)),
        ] {
            assert_eq!(patched(document.clone(), patch.clone()).map(|d| d["a"].clone()), Ok(want), "{patch}");
        }
        let lists = json!([
            { "op": "replace", "path": "/list/1", "value": 20 },
            { "op": "add", "path": "/list/0", "value": 0 },
            { "op": "remove", "path": "/list/3" },
            { "op": "add", "path": "/list/-", "value": 9 },
            { "op": "replace", "path": "/none/deep/er", "value": [1] },
            { "op": "replace", "path": "/x~1y", "value": 10 },
            { "op": "replace", "path": "/m~0n", "value": 20 }
        ]);
        let out = patched(document, lists).unwrap();
        assert_eq!(out["list"], json!([0, 1, 20, 9]));
        assert_eq!(out["none"], json!({ "deep": { "er": [1] } }));
        assert_eq!((&out["x/y"], &out["m~n"]), (&json!(10), &json!(20)));
    }

    #[test]
    fn refusals() {
        let document = json!({ "a": 1, "list": [1] });
        for patch in [
            json!({ "op": "add" }),
            json!([1]),
            json!([{ "op": "test", "path": "/a", "value": 1 }]),
            json!([{ "op": "move", "from": "/a", "path": "/b" }]),
            json!([{ "op": "ADD", "path": "/a", "value": 1 }]),
            json!([{ "path": "/a", "value": 1 }]),
            json!([{ "op": "add", "value": 1 }]),
            json!([{ "op": "add", "path": "/a" }]),
            json!([{ "op": "add", "path": "a", "value": 1 }]),
            json!([{ "op": "add", "path": "", "value": {} }]),
            json!([{ "op": "add", "path": "/~2", "value": 1 }]),
            json!([{ "op": "add", "path": "/~", "value": 1 }]),
            json!([{ "op": "remove", "path": "/b" }]),
            json!([{ "op": "remove", "path": "/b/c" }]),
            json!([{ "op": "add", "path": "/a/b", "value": 1 }]),
            json!([{ "op": "replace", "path": "/list/9", "value": 1 }]),
            json!([{ "op": "add", "path": "/list/2", "value": 1 }]),
            json!([{ "op": "replace", "path": "/list/-", "value": 1 }]),
            json!([{ "op": "replace", "path": "/list/00", "value": 1 }]),
        ] {
            assert!(patched(document.clone(), patch.clone()).is_err(), "{patch}");
        }
    }
}
