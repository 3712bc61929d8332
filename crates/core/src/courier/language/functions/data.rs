//! Functions on maps, defaults and kinds of values, and encodings.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gtmpl_ng::{FuncError, NumberKind, Value};
use sha2::Digest as _;

use super::super::convert;
use super::arguments::{Answer, as_text, entries, is_empty, refuse, text, texts, value};

pub(super) fn dict(args: &[Value]) -> Answer {
    let pairs = args.chunks(2).map(|pair| match pair {
        [key, value] => (as_text(key), value.clone()),
        [key] => (as_text(key), "".into()),
        _ => (String::new(), Value::Nil),
    });
    Ok(Value::Map(pairs.collect()))
}

pub(super) fn get(args: &[Value]) -> Answer {
    Ok(entries(value(args, 0)?)?.get(&text(args, 1)?).cloned().unwrap_or_else(|| "".into()))
}

pub(super) fn set(args: &[Value]) -> Answer {
    let mut map = entries(value(args, 0)?)?.clone();
    map.insert(text(args, 1)?, value(args, 2)?.clone());
    Ok(Value::Map(map))
}

pub(super) fn unset(args: &[Value]) -> Answer {
    let mut map = entries(value(args, 0)?)?.clone();
    map.remove(&text(args, 1)?);
    Ok(Value::Map(map))
}

pub(super) fn has_key(args: &[Value]) -> Answer {
    Ok(entries(value(args, 0)?)?.contains_key(&text(args, 1)?).into())
}

/// Sorted: a message must not change from one rendering to the next.
fn sorted(map: &HashMap<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = map.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    sorted
}

pub(super) fn keys(args: &[Value]) -> Answer {
    let mut keys = Vec::new();
    for arg in args {
        keys.extend(sorted(entries(arg)?).into_iter().map(|(key, _)| key.clone()));
    }
    Ok(texts(keys))
}

pub(super) fn values(args: &[Value]) -> Answer {
    Ok(Value::Array(sorted(entries(value(args, 0)?)?).into_iter().map(|(_, value)| value.clone()).collect()))
}

fn named(args: &[Value]) -> Vec<String> {
    args.get(1..).unwrap_or_default().iter().map(as_text).collect()
}

pub(super) fn pick(args: &[Value]) -> Answer {
    let (map, names) = (entries(value(args, 0)?)?, named(args));
    Ok(Value::Map(map.iter().filter(|(k, _)| names.contains(k)).map(|(k, v)| (k.clone(), v.clone())).collect()))
}

pub(super) fn omit(args: &[Value]) -> Answer {
    let (map, names) = (entries(value(args, 0)?)?, named(args));
    Ok(Value::Map(map.iter().filter(|(k, _)| !names.contains(k)).map(|(k, v)| (k.clone(), v.clone())).collect()))
}

pub(super) fn pluck(args: &[Value]) -> Answer {
    let key = text(args, 0)?;
    let mut found = Vec::new();
    for map in args.get(1..).unwrap_or_default() {
        found.extend(entries(map)?.get(&key).cloned());
    }
    Ok(Value::Array(found))
}

/// The value at a path of keys, else the default: `dig "a" "b" "default" $map`.
pub(super) fn dig(args: &[Value]) -> Answer {
    let [path @ .., default, map] = args else { return Err(refuse("keys, a default and a map are needed")) };
    let mut at = map;
    for key in path {
        match entries(at).ok().and_then(|map| map.get(&as_text(key))) {
            Some(next) => at = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(at.clone())
}

fn merged(args: &[Value], overwrite: bool) -> Answer {
    let mut out = entries(value(args, 0)?)?.clone();
    for source in args.get(1..).unwrap_or_default() {
        merge_into(&mut out, entries(source)?, overwrite);
    }
    Ok(Value::Map(out))
}

fn merge_into(target: &mut HashMap<String, Value>, source: &HashMap<String, Value>, overwrite: bool) {
    for (key, value) in source {
        match (target.get_mut(key), value) {
            (Some(Value::Map(inner)), Value::Map(more)) => merge_into(inner, more, overwrite),
            (Some(old), _) if !overwrite && !is_empty(old) => {}
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

pub(super) fn merge(args: &[Value]) -> Answer {
    merged(args, false)
}

pub(super) fn merge_overwrite(args: &[Value]) -> Answer {
    merged(args, true)
}

pub(super) fn deep_copy(args: &[Value]) -> Answer {
    Ok(value(args, 0)?.clone())
}

pub(super) fn deep_equal(args: &[Value]) -> Answer {
    Ok((value(args, 0)? == value(args, 1)?).into())
}

pub(super) fn default(args: &[Value]) -> Answer {
    let default = value(args, 0)?;
    Ok(args.get(1).filter(|given| !is_empty(given)).unwrap_or(default).clone())
}

pub(super) fn empty(args: &[Value]) -> Answer {
    Ok(args.first().is_none_or(is_empty).into())
}

pub(super) fn coalesce(args: &[Value]) -> Answer {
    Ok(args.iter().find(|a| !is_empty(a)).cloned().unwrap_or(Value::Nil))
}

pub(super) fn all(args: &[Value]) -> Answer {
    Ok((!args.iter().any(is_empty)).into())
}

pub(super) fn any(args: &[Value]) -> Answer {
    Ok((!args.iter().all(is_empty)).into())
}

pub(super) fn ternary(args: &[Value]) -> Answer {
    match value(args, 2)? {
        Value::Bool(true) => Ok(value(args, 0)?.clone()),
        Value::Bool(false) => Ok(value(args, 1)?.clone()),
        _ => Err(refuse("true or false is needed")),
    }
}

pub(super) fn fail(_: &[Value]) -> Answer {
    Err(FuncError::Generic("fail: called".into()))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::NoValue | Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Object(_) | Value::Map(_) => "map",
        Value::Array(_) => "slice",
        Value::Function(_) => "func",
        Value::Number(n) => match n.kind() {
            NumberKind::Float(_) => "float64",
            _ => "int",
        },
    }
}

pub(super) fn kind_of(args: &[Value]) -> Answer {
    Ok(kind(value(args, 0)?).into())
}

pub(super) fn kind_is(args: &[Value]) -> Answer {
    Ok((text(args, 0)? == kind(value(args, 1)?)).into())
}

pub(super) fn base64_encode(args: &[Value]) -> Answer {
    Ok(STANDARD.encode(text(args, 0)?).into())
}

pub(super) fn base64_decode(args: &[Value]) -> Answer {
    let bytes = STANDARD.decode(text(args, 0)?).map_err(|_| refuse("base64 is needed"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

fn hex(bytes: &[u8]) -> Value {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into()
}

pub(super) fn sha1_sum(args: &[Value]) -> Answer {
    Ok(hex(&sha1::Sha1::digest(text(args, 0)?)))
}

pub(super) fn sha256_sum(args: &[Value]) -> Answer {
    Ok(hex(&sha2::Sha256::digest(text(args, 0)?)))
}

pub(super) fn from_json(args: &[Value]) -> Answer {
    let json = serde_json::from_str(&text(args, 0)?).map_err(|_| refuse("JSON is needed"))?;
    Ok(convert::from_json(&json))
}

/// JSON as Go's encoder writes it, safe to stand in HTML.
pub(super) fn to_json(args: &[Value]) -> Answer {
    let raw = convert::to_json(value(args, 0)?).to_string();
    Ok(raw.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").into())
}

pub(super) fn to_raw_json(args: &[Value]) -> Answer {
    Ok(convert::to_json(value(args, 0)?).to_string().into())
}

pub(super) fn to_pretty_json(args: &[Value]) -> Answer {
    Ok(format!("{:#}", convert::to_json(value(args, 0)?)).into())
}

pub(super) fn url_parse(args: &[Value]) -> Answer {
    let url = url::Url::parse(&text(args, 0)?).map_err(|_| refuse("a URL is needed"))?;
    let host = url.host_str().unwrap_or_default();
    let user = match url.password() {
        Some(password) => format!("{}:{password}", url.username()),
        None => url.username().to_owned(),
    };
    let parts = [
        ("scheme", url.scheme().to_owned()),
        ("userinfo", user),
        ("host", url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))),
        ("hostname", host.to_owned()),
        ("path", url.path().to_owned()),
        ("query", url.query().unwrap_or_default().to_owned()),
        ("fragment", url.fragment().unwrap_or_default().to_owned()),
        ("opaque", if url.cannot_be_a_base() { url.path().to_owned() } else { String::new() }),
    ];
    Ok(Value::Map(parts.into_iter().map(|(name, part)| (name.to_owned(), part.into())).collect()))
}

pub(super) fn path_base(args: &[Value]) -> Answer {
    let path = text(args, 0)?;
    let trimmed = path.trim_end_matches('/');
    Ok(match (path.is_empty(), trimmed.rsplit('/').next()) {
        (true, _) => ".",
        (_, Some("") | None) => "/",
        (_, Some(last)) => last,
    }
    .into())
}

pub(super) fn path_dir(args: &[Value]) -> Answer {
    Ok(match text(args, 0)?.rsplit_once('/') {
        None => ".".into(),
        Some(("", _)) => "/".into(),
        Some((dir, _)) => dir.into(),
    })
}

pub(super) fn path_ext(args: &[Value]) -> Answer {
    let path = text(args, 0)?;
    let last = path.rsplit('/').next().unwrap_or_default();
    Ok(last.rfind('.').and_then(|at| last.get(at..)).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_arguments_count_as_empty() {
        assert_eq!(default(&["x".into(), Value::NoValue]).ok(), Some("x".into()));
        assert_eq!(coalesce(&[Value::Nil, "".into(), 0.into(), "c".into()]).ok(), Some("c".into()));
    }
}
