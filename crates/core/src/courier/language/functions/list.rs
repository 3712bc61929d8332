//! Functions on lists. None changes the list that it is given.

use gtmpl_ng::Value;

use super::arguments::{Answer, count, is_empty, items, value};

pub(super) fn list(args: &[Value]) -> Answer {
    Ok(Value::Array(args.to_vec()))
}

pub(super) fn first(args: &[Value]) -> Answer {
    Ok(items(value(args, 0)?)?.first().cloned().unwrap_or(Value::Nil))
}

pub(super) fn last(args: &[Value]) -> Answer {
    Ok(items(value(args, 0)?)?.last().cloned().unwrap_or(Value::Nil))
}

pub(super) fn rest(args: &[Value]) -> Answer {
    Ok(Value::Array(items(value(args, 0)?)?.iter().skip(1).cloned().collect()))
}

pub(super) fn initial(args: &[Value]) -> Answer {
    let items = items(value(args, 0)?)?;
    Ok(Value::Array(items.iter().take(items.len().saturating_sub(1)).cloned().collect()))
}

pub(super) fn append(args: &[Value]) -> Answer {
    let mut out = items(value(args, 0)?)?.to_vec();
    out.push(value(args, 1)?.clone());
    Ok(Value::Array(out))
}

pub(super) fn prepend(args: &[Value]) -> Answer {
    let mut out = vec![value(args, 1)?.clone()];
    out.extend_from_slice(items(value(args, 0)?)?);
    Ok(Value::Array(out))
}

pub(super) fn concat(args: &[Value]) -> Answer {
    let mut out = Vec::new();
    for arg in args {
        out.extend_from_slice(items(arg)?);
    }
    Ok(Value::Array(out))
}

pub(super) fn reverse(args: &[Value]) -> Answer {
    Ok(Value::Array(items(value(args, 0)?)?.iter().rev().cloned().collect()))
}

pub(super) fn uniq(args: &[Value]) -> Answer {
    let mut out: Vec<Value> = Vec::new();
    for item in items(value(args, 0)?)? {
        if !out.contains(item) {
            out.push(item.clone());
        }
    }
    Ok(Value::Array(out))
}

pub(super) fn without(args: &[Value]) -> Answer {
    let unwanted = args.get(1..).unwrap_or_default();
    Ok(Value::Array(items(value(args, 0)?)?.iter().filter(|i| !unwanted.contains(i)).cloned().collect()))
}

pub(super) fn has(args: &[Value]) -> Answer {
    Ok(items(value(args, 1)?)?.contains(value(args, 0)?).into())
}

pub(super) fn compact(args: &[Value]) -> Answer {
    Ok(Value::Array(items(value(args, 0)?)?.iter().filter(|i| !is_empty(i)).cloned().collect()))
}

pub(super) fn chunk(args: &[Value]) -> Answer {
    let size = count(args, 0)?.unwrap_or(1).max(1);
    Ok(Value::Array(items(value(args, 1)?)?.chunks(size).map(|c| Value::Array(c.to_vec())).collect()))
}
